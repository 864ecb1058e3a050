"""Records the demo's cassette anew: `python -m tests.demo.record_cassette`.

The script speaks through a loopback server to `claw exec --record`, as a model would.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from claw.demo import CASSETTE, PROJECT
from claw.demo.script import PROMPT, script
from claw.protocol.messages import AssistantMessage
from tests.fakes.model_server import Answer, ModelServer, call, say


def answer_of(message: AssistantMessage) -> Answer:
    """What a host would stream for `message`. It reports no usage: nothing was spent."""
    if not message.tool_calls:
        return say(message.content, reasoning=message.reasoning, usage=None)
    calls = [(each.name, each.arguments) for each in message.tool_calls]
    ids = [each.id for each in message.tool_calls]
    return call(*calls, ids=ids, text=message.content, reasoning=message.reasoning, usage=None)


def record(cassette: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch, ModelServer(map(answer_of, script())) as server:
        folder = Path(scratch).resolve() / "tally"
        shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__"))
        environ = {
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "CLAW_HOME": str(Path(scratch) / "home"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        identity = ["-c", "user.name=claw demo", "-c", "user.email=demo@claw.invalid"]
        for args in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "A small package"]):
            subprocess.run(["git", "-C", folder, *identity, *args], env=environ, check=True)
        command = [sys.executable, "-P", "-m", "claw", "exec", "--host", server.url, "--record", str(cassette), PROMPT]
        subprocess.run(command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    record(CASSETTE)
