"""Who may import whom, read from the syntax tree; and no file longer than a page can hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_LINES = 400

BASE = {"errors", "config", "paths", "log", "printable", "redact", "secret_patterns"}
SERVICES = {"providers", "permissions", "sandbox", "session", "code", "media", "mcp", "network", "skills", "hooks"}
FRONTENDS = {"tui", "headless", "acp", "integrations"}

# Layer → the layers that it may import; a layer may always import itself. `base` stands for the modules
# above, `services.base` for the Protocols of every service.
MAY_IMPORT = {
    "base": set[str](),
    "protocol": {"base"},
    "tooling": {"base", "protocol"},
    **{service: {"base", "protocol", "tooling"} for service in SERVICES},
    "tools": {"base", "protocol", "tooling", "code", "media"},
    "agent": {"base", "protocol", "tooling", "services.base"},
    "swarm": {"base", "protocol", "agent"},
    "commands": {"base", "protocol", "agent"},
    "runtime": {"base", "protocol", "tooling", *SERVICES, "tools", "agent", "swarm", "commands"},
    **{frontend: {"base", "protocol", "commands", "runtime"} for frontend in FRONTENDS},
    "demo": {"base", "protocol"},
    "cli": {
        "base",
        "protocol",
        "runtime",
        "sandbox",
        "session",
        "permissions",
        "providers",
        "demo",
        "commands",
        *FRONTENDS,
    },
    "local_engine": set[str](),
}
# Heavy modules that only these files may import at all, and where they must not stand at module level.
LAZY = {"git", "torch", "mcp", "openai", "PIL", "pillow_heif", "tree_sitter", "textual", "pydantic", "rich"}
AT_HOME = {"tui": {"textual", "rich"}}  # what a layer is made of


def layer_of(module: str) -> str:
    """`claw.agent.loop` → `agent`; `claw.errors` → `base`; `claw` itself and `claw.__main__` → ``."""
    parts = module.split(".")
    if len(parts) < 2 or parts[1].startswith("__"):
        return ""
    return "base" if parts[1] in BASE else parts[1]


def imports_of(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def violations(root: Path) -> list[str]:
    """Every forbidden import below `root`, which holds `claw/` and `tools/`."""
    found = []
    for top in ("claw", "tools"):
        for path in sorted((root / top).rglob("*.py")):
            relative = path.relative_to(root)
            if "project" in relative.parts:
                continue
            prefix = ("claw", *relative.parts) if top == "tools" else relative.parts
            layer = layer_of(".".join(prefix).removesuffix(".py").removesuffix(".__init__"))
            tree = ast.parse(path.read_text("utf-8"))
            found += [f"{relative}:{line}: {layer} imports {name}" for name, line in forbidden(layer, tree)]
            found += [
                f"{relative}:{line}: `import tools` would run a stranger's folder"
                for name, line in imports_of(tree)
                if name.split(".")[0] == "tools"
            ]
            lazy = LAZY - AT_HOME.get(layer, set())
            found += [f"{relative}:{node.lineno}: {name} is heavy: import it where it is used"
                      for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
                      for name, _ in imports_of(node) if name.split(".")[0] in lazy]  # fmt: skip
    return sorted(set(found))


def forbidden(layer: str, tree: ast.AST) -> Iterator[tuple[str, int]]:
    if not layer:
        return
    for name, line in imports_of(tree):
        if not name.startswith("claw."):
            continue
        target = layer_of(name)
        allowed = MAY_IMPORT[layer]
        is_protocol = target in SERVICES and name.split(".")[2:3] == ["base"]
        # `from claw.code import base` names the package first; the second name decides.
        is_package = name.count(".") == 1 and target in SERVICES
        if target in ("", layer) or target in allowed or ("services.base" in allowed and (is_protocol or is_package)):
            continue
        yield name, line


def too_long(root: Path, limit: int = MAX_LINES) -> list[str]:
    folders = ("claw", "tools", "tests", "benchmarks", "local_engine")
    files = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    sizes = {path: len(path.read_text("utf-8").splitlines()) for path in files}
    return [f"{path.relative_to(root)}: {size} lines" for path, size in sizes.items() if size > limit]


def test_no_layer_imports_upwards() -> None:
    assert violations(ROOT) == []


def test_no_file_is_too_long() -> None:
    assert too_long(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("claw/protocol/messages.py", "import claw.agent.loop", "protocol imports claw.agent.loop"),
        ("claw/session/journal.py", "from claw.providers import base", "session imports claw.providers"),
        ("claw/agent/loop.py", "from claw.session.store import SessionStore", "agent imports claw.session.store"),
        ("claw/headless/run.py", "from claw.agent.loop import Agent", "headless imports claw.agent.loop"),
        ("tools/read.py", "import claw.sandbox.process", "tools imports claw.sandbox.process"),
        ("tools/read.py", "import tools.write", "a stranger's folder"),
        ("claw/code/git.py", "import git", "git is heavy"),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, file: str, line: str, complaint: str) -> None:
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(line + "\n")
    assert any(complaint in found for found in violations(tmp_path))


def test_a_planted_long_file_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "claw" / "app.py"
    planted.parent.mkdir()
    planted.write_text("x = 1\n" * (MAX_LINES + 1))
    assert too_long(tmp_path) == [f"claw/app.py: {MAX_LINES + 1} lines"]
