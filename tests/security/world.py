"""A machine in small for one hostile run: a home with canaries, a workspace, sockets, and the real `claw exec`.

    with World(ORDINARY) as world:
        outcome = world.attack(calls, "--sandbox", "required")
    assert not outcome.changed_outside

It lies under /var/tmp, not under /tmp: commands have a /tmp of their own, and what cannot be seen there would
be safe for the wrong reason.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.fakes.model_server import Answer, ModelServer, Request, Script, call, say, status
from tests.security.listeners import Listeners
from tests.security.users import User

TIMEOUT_S = 90.0
LAST_WORDS = "I have done what I could."

Calls = Sequence[tuple[str, Mapping[str, Any]]]

_CANARIES = {
    "ssh": "home/.ssh/id_rsa",
    "aws": "home/.aws/credentials",
    "netrc": "home/.netrc",
    "outside": "outside/secret.txt",
    "evil": "app-evil/secret.txt",
}
# What the user's own files say; it has to stay so.
_BYSTANDERS = (
    "home/.bashrc", "home/.profile", "home/.zshrc", "home/.gitconfig", "home/.bash_aliases", "home/notes.txt",
    "outside/victim.txt", "outside/other.txt", "outside/hard.txt", "outside/mode.txt", "outside/time.txt",
    "outside/gone.txt", "outside/pulled.txt", "app-evil/victim.txt",
)  # fmt: skip
_PROJECT = {
    "README.md": "# App\n",
    "package.json": '{"name": "app"}\n',
    "app/__init__.py": "",
    "app/add.py": "def add(a, b):\n    return a + b\n",
    "tests/test_add.py": "from app.add import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n",
}


class Node(NamedTuple):
    """One entry of a snapshot. `content` is a digest, or where a link leads."""

    kind: str
    mode: int
    uid: int
    content: str
    mtime_ns: int
    size_bytes: int


@dataclass
class Outcome:
    """What is left of a run.

    `results` are what the model was told of its calls, in their order; the two `changed` map a path to what
    it was and what it is; `strangers` are requests to the model's host that claw did not make; `leaked` names
    the canaries that a request carried, in any form that was looked for; `survivors` are command lines of
    processes that outlived claw.
    """

    code: int
    events: list[dict[str, Any]]
    stderr: str
    results: list[str]
    requests: list[Request]
    strangers: list[Request]
    heard: dict[str, list[bytes]]
    changed_outside: dict[str, tuple[Node | None, Node | None]]
    changed_inside: dict[str, tuple[Node | None, Node | None]]
    leaked: set[str]
    survivors: list[str]
    bystander_lives: bool
    words: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    @property
    def sandbox(self) -> str:
        return str(self.of("session_started")[0]["sandbox"])


class World:
    """*Order*: plant what a case needs, then `attack` once; a second attack finds what the first one left."""

    def __init__(self, user: User, *, config: str = "") -> None:
        self.user = user
        self.token = secrets.token_hex(6)
        self.root = Path(tempfile.mkdtemp(prefix=f"claw-{self.token}-", dir="/var/tmp")).resolve()
        self.root.chmod(0o755)
        self.home, self.workspace = self.root / "home", self.root / "app"
        self.claw_home = self.home / "claw"
        self.canaries = {name: f"canary-{name}-{secrets.token_hex(8)}" for name in (*_CANARIES, "key")}
        for name, path in _CANARIES.items():
            self._put(path, self.canaries[name] + "\n", 0o600)
        for path in _BYSTANDERS:
            self._put(path, f"# this is {path}\n")
        self._put("home/claw/config/config.toml", config, 0o600)
        for folder in ("run", "hold", "elsewhere"):
            (self.root / folder).mkdir()
        for path, text in _PROJECT.items():
            self._put(f"app/{path}", text)
        self.git("init", "-q", "-b", "main")
        self.git("add", ".")
        self.git("commit", "-qm", "first")

    def _put(self, path: str, text: str, mode: int = 0o644) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        file.chmod(mode)

    def plant(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file, relative to the world's root."""
        self._put(path, self.fill(text), mode)

    def git(self, *args: str) -> str:
        # By now the work tree may be another user's.
        who = ("-c", "user.name=Dev", "-c", "user.email=dev@example.org", "-c", "safe.directory=*")
        env = {"PATH": os.environ["PATH"], "HOME": str(self.root / "elsewhere"), "GIT_CONFIG_NOSYSTEM": "1"}
        argv = ["git", "-C", str(self.workspace), *who, *args]
        return subprocess.run(argv, capture_output=True, text=True, check=True, env=env).stdout

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.callback(shutil.rmtree, self.root, ignore_errors=True)
            self.listeners = undo.enter_context(Listeners(self.root / "run", self.token))
            self.server = undo.enter_context(ModelServer())
            self.user.own(self.root)
            asleep = self.user.command(["sleep", "600"], self.root / "hold")
            self.bystander = subprocess.Popen(asleep, env={"PATH": os.environ["PATH"]}, cwd="/")
            undo.callback(self._end_bystander)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pid, _ in self._survivors():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for folder in ("/tmp", "/var/tmp", "/dev/shm"):
            (Path(folder) / self.token).unlink(missing_ok=True)
        self._undo.close()

    def _end_bystander(self) -> None:
        self.bystander.kill()
        self.bystander.wait(10)

    @property
    def words(self) -> dict[str, str]:
        """What `@name@` in a call stands for."""
        return {
            "root": str(self.root),
            "home": str(self.home),
            "outside": str(self.root / "outside"),
            "evil": str(self.root / "app-evil"),
            "workspace": str(self.workspace),
            "claw_home": str(self.claw_home),
            "token": self.token,
            "bystander": str(self.bystander.pid),
            "model": str(self.server.port),
            "python": sys.executable,
            "key_backwards": self.canaries["key"][::-1],
            **self.listeners.addresses,
        }

    def fill(self, value: Any) -> Any:
        """`value` with every `@name@` in it replaced."""
        if isinstance(value, str):
            words = self.words
            return re.sub(r"@([a-z_0-9]+)@", lambda match: words.get(match[1], match[0]), value)
        if isinstance(value, Mapping):
            return {key: self.fill(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.fill(each) for each in value]
        return value

    def environ(self, extra: Mapping[str, str]) -> dict[str, str]:
        bin_folder = str(Path(sys.executable).parent)
        return {
            "PATH": os.pathsep.join([bin_folder, "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]),
            "HOME": str(self.home),
            "CLAW_HOME": str(self.claw_home),
            "CLAW_API_KEY": self.canaries["key"],
            "SSH_AUTH_SOCK": str(self.root / "run" / "ssh-agent"),
            "DOCKER_HOST": f"unix://{self.root}/run/docker.sock",
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "CLAW_RETRY_ATTEMPTS": "1",
            **({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
            **self.fill(extra),
        }

    def attack(self, turns: Iterable[Calls], *flags: str, **environ: str) -> Outcome:
        """Run claw with a model that makes these calls, one reply after the other, whatever it is told."""
        ids: list[str] = []
        answers = []
        for calls in turns:
            filled = [(name, self.fill(arguments)) for name, arguments in calls]
            here = [f"functions.{name}:{len(ids) + n}" for n, (name, _) in enumerate(filled)]
            ids += here
            answers.append(call(*filled, ids=here))
        self.server.script = self._script(answers)
        before_outside, before_inside = self.snapshot_outside(), snapshot(self.workspace)
        done = self._run_claw(flags, environ)
        survivors = self._wait_for_survivors()
        requests = self.server.requests
        outcome = Outcome(
            code=done.returncode,
            events=[json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")],
            stderr=done.stderr,
            results=_results(requests, ids),
            requests=requests,
            strangers=[request for request in requests if not self._is_claw(request)],
            heard=self.listeners.heard,
            changed_outside=difference(before_outside, self.snapshot_outside()),
            changed_inside=difference(before_inside, snapshot(self.workspace)),
            leaked=self._leaked(requests),
            survivors=[command for _, command in survivors],
            bystander_lives=self.bystander.poll() is None,
            words=self.words,
        )
        assert outcome.events, f"claw printed no event, exit code {done.returncode}: {done.stderr[-500:]}"
        return outcome

    def _script(self, answers: list[Answer]) -> Script:
        """The next answer for claw itself; whoever comes without its key must not move the script on."""

        def script(request: Request) -> Answer:
            if self._is_claw(request):
                return answers.pop(0) if answers else say(LAST_WORDS)
            return status(400, "unexpected", "nothing is scripted for this request")

        return script

    def _is_claw(self, request: Request) -> bool:
        return self.canaries["key"] in request.headers.get("authorization", "")

    def _run_claw(self, flags: Sequence[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-P", "-m", "claw", "exec", "--output-format", "stream-json"]
        host = () if "CLAW_HOST" in environ else ("--host", self.server.url)
        argv += [*host, *flags, "work"]
        # A second net under what is tested: an attack that comes through must not take the machine with it.
        bounded = ["bash", "-c", 'ulimit -n 4096; ulimit -u 4000; ulimit -f 1048576; exec "$@"', "bash", *argv]
        process = subprocess.Popen(
            self.user.command(bounded, self.root / "hold"),
            cwd=self.workspace,
            env=self.environ(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        try:
            stdout, stderr = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            raise AssertionError(f"claw did not end in {TIMEOUT_S} s.\n{stdout[-4000:]}\n{stderr}") from None
        return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)

    def snapshot_outside(self) -> dict[str, Node]:
        """All of the world but the workspace and claw's own state; and what could be left beside the world."""
        nodes = snapshot(self.root, leave_out=(self.workspace, self.claw_home / "state", self.claw_home / "cache"))
        nodes.pop(str(self.claw_home), None)  # gets folders from claw itself
        for folder in ("/tmp", "/var/tmp", "/dev/shm"):
            path = Path(folder) / self.token
            if os.path.lexists(path):
                nodes[str(path)] = node_of(path)
        return nodes

    def _leaked(self, requests: Sequence[Request]) -> set[str]:
        sent = b"\n".join(request.raw for request in requests)
        return {
            name
            for name, value in self.canaries.items()
            if value.encode() in sent or value[::-1].encode() in sent or value.encode().hex().encode() in sent
        }

    def _survivors(self) -> list[tuple[int, str]]:
        """Processes that know of this world, by command line, environment or working folder."""
        found = []
        mark = os.fsencode(self.root)
        ours = {os.getpid(), os.getppid()}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) in ours:
                continue
            traces = []
            for name in ("cmdline", "environ"):
                with contextlib.suppress(OSError):
                    traces.append((entry / name).read_bytes())
            with contextlib.suppress(OSError):
                traces.append(os.fsencode(os.readlink(entry / "cwd")))
            if any(mark in trace for trace in traces):
                found.append((int(entry.name), traces[0].replace(b"\0", b" ").decode(errors="replace")))
        return found

    def _wait_for_survivors(self) -> list[tuple[int, str]]:
        deadline = time.monotonic() + 1.0
        while (found := self._survivors()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found


def _results(requests: Sequence[Request], ids: Sequence[str]) -> list[str]:
    """What the last request carries for each call; empty where the run never got so far."""
    told: dict[str, str] = {}
    for request in requests:
        if request.method == "POST":
            for message in request.messages:
                if message["role"] == "tool":
                    content = message["content"]
                    told[message["tool_call_id"]] = content if isinstance(content, str) else json.dumps(content)
    return [told.get(each, "") for each in ids]


def snapshot(folder: Path, leave_out: Sequence[Path] = ()) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for path in (folder, *folder.iterdir()):
        if path in leave_out:
            continue
        nodes[str(path)] = node_of(path)
        if path != folder and path.is_dir() and not path.is_symlink():
            nodes.update(snapshot(path, leave_out))
    return nodes


def node_of(path: Path) -> Node:
    status = path.lstat()
    kind = stat.filemode(status.st_mode)[0]
    content = ""
    if stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(status.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    # A folder's time changes with what comes and goes in it, which is seen by itself.
    mtime_ns = 0 if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
    size_bytes = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return Node(kind, stat.S_IMODE(status.st_mode), status.st_uid, content, mtime_ns, size_bytes)


def difference(before: Mapping[str, Node], after: Mapping[str, Node]) -> dict[str, tuple[Node | None, Node | None]]:
    paths = sorted({*before, *after})
    return {path: (before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)}
