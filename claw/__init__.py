"""claw: a terminal coding agent for Kimi K2.6."""

from pathlib import Path

__version__ = "0.1.0"

# An uninstalled checkout has `tools/` beside `claw/`; an installed claw has it inside, as `claw.tools`.
# Appending the checkout's root lets `import claw.tools` mean the same thing in both.
if not (_here := Path(__file__).parent).joinpath("tools").is_dir():
    __path__.append(str(_here.parent))
