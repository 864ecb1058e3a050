"""A tool: a parameter struct, a Markdown description beside the module, and one coroutine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from msgspec import Struct

from claw.errors import ToolError
from claw.protocol.details import Details, Preview, TodoItem
from claw.protocol.events import Event
from claw.protocol.messages import Content, as_content
from claw.tooling.boundary import Boundary
from claw.tooling.disk import Disk
from claw.tooling.files import FileLedger
from claw.tooling.services import Blobs, Commands, HostMedia, Jobs, Web

P = TypeVar("P", bound=Struct)

_TMP = Path("/tmp")


class Effect(Enum):
    """The most that a call can do; the permission gate and the executor go by it."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    EXECUTE = "execute"


@dataclass(frozen=True, slots=True)
class Access:
    """What one call touches. `writes` and `reads` are resolved paths; a folder that is read stands for all below it.

    `command` is a command line that will be run in the folder `cwd`, `url` an address that will be fetched.

    Calls of one reply run side by side unless they touch the same thing: a call that writes a path
    waits for every earlier call that reads or writes it, a call that reads it for earlier writers. A
    command may read anything (`reads_all`), so it waits for earlier writers and later writers for it.
    """

    effect: Effect
    reads: frozenset[Path] = frozenset()
    writes: frozenset[Path] = frozenset()
    reads_all: bool = False
    command: str = ""
    url: str = ""
    cwd: Path | None = None

    def conflicts(self, earlier: Access) -> bool:
        """Whether a call with this access must wait for an `earlier` one of the same reply."""
        return bool(
            self.writes & (earlier.reads | earlier.writes)
            or self.reads & earlier.writes
            or (self.reads_all and earlier.writes)
            or (earlier.reads_all and self.writes)
        )


@dataclass(frozen=True, slots=True)
class ToolResult:
    """`content` is for the model, `brief` and `details` for the screen."""

    content: Content
    brief: str = ""
    details: Details | None = None
    is_error: bool = False

    @classmethod
    def of(cls, text: str, brief: str = "", details: Details | None = None, *, is_error: bool = False) -> ToolResult:
        return cls(as_content(text), brief, details, is_error)


@dataclass(slots=True)
class Workspace:
    """What the tools of one session share.

    *Shapes*: the roots of `boundary` are canonical folders, the first of them is `cwd` or an ancestor of it.
    `todo` is replaced as a whole. `media` is None where the model can see nothing, `web` where nothing can be
    fetched. `private_tmp` is the folder that commands see as `/tmp`, None where they see the real one; it
    should be one of the boundary's `scratch`.
    """

    cwd: Path
    boundary: Boundary
    blobs: Blobs
    commands: Commands
    jobs: Jobs
    files: FileLedger = field(default_factory=FileLedger)
    todo: tuple[TodoItem, ...] = ()
    media: HostMedia | None = None
    web: Web | None = None
    private_tmp: Path | None = None

    @property
    def roots(self) -> tuple[Path, ...]:
        return self.boundary.roots

    def disk(self, access: Access) -> Disk:
        """The file system, as far as `access` was judged."""
        return Disk(self.boundary, access.reads, access.writes, self.show)

    def resolve(self, path: str, *, follow_last: bool = True) -> Path:
        """The absolute path that `path` means, links followed.

        A link at its end is not followed if `follow_last` is False: the path is then that of the link itself.
        *Errors*: ToolError for an empty path, one with a NUL byte, an unknown `~user`, a circle of links.
        """
        if not path or "\0" in path:
            raise ToolError(f"not a path: {path!r}. Give one relative to {self.cwd}, or an absolute one.", "bad path")
        try:
            absolute = self.cwd / Path(path).expanduser()
            if follow_last or absolute.name in ("", ".."):
                target = self._as_commands_see(absolute).resolve()
                seen = self._as_commands_see(target)  # a link may have led to /tmp
                return target if seen == target else seen.resolve()
            absolute = self._as_commands_see(absolute)
            return absolute.parent.resolve() / absolute.name
        except (RuntimeError, OSError, ValueError) as error:  # RuntimeError: what pathlib raises for both
            raise ToolError(f"not a path: {path!r}: {error}", "bad path") from None

    def show(self, path: Path) -> str:
        """`path` as the model and the screen see it: relative to `cwd` where it lies below it."""
        try:
            return str(path.relative_to(self.cwd)) or "."
        except ValueError:
            pass
        if self.private_tmp and path.is_relative_to(self.private_tmp):
            seen = _TMP / path.relative_to(self.private_tmp)
            if self._as_commands_see(seen) == path:
                return str(seen)
        return str(path)

    def _as_commands_see(self, path: Path) -> Path:
        """A path below `/tmp` as one in `private_tmp`, unless it leads to, or holds, a folder that is there itself."""
        if self.private_tmp is None or not path.is_relative_to(_TMP):
            return path
        depth = 0
        for part in path.parts[len(_TMP.parts) :]:
            depth += -1 if part == ".." else 1
            if depth < 0:
                return path  # `/tmp/..` is not the parent of the private folder
        mounted = (*self.boundary.roots, *self.boundary.readable, *self.boundary.scratch, self.private_tmp)
        if any(path.is_relative_to(folder) for folder in mounted):
            return path
        if any(folder.is_relative_to(path) for folder in self.boundary.roots if folder != self.private_tmp):
            return path
        return self.private_tmp / path.relative_to(_TMP)


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What one call may reach. `emit` publishes events about it (`ToolOutput`, `FileChanged`, `TodoChanged`).

    `access` is what the gate has judged: a path that it does not cover must not be touched, whatever the
    parameters mean by now.
    """

    call_id: str
    workspace: Workspace
    emit: Callable[[Event], None]
    access: Access

    @property
    def disk(self) -> Disk:
        """The file system, as far as it was judged. A new one each time: keep it for the call."""
        return self.workspace.disk(self.access)


class Tool(ABC, Generic[P]):
    """Base of all tools.

    `name` is what the model calls; `params` a msgspec struct whose fields carry `Meta(description=…)`;
    the description is the file `<module>.md` beside the module.

    *Errors*: `run` raises ToolError for what the model can act on; anything else is a bug.
    """

    name: ClassVar[str]
    params: type[P]

    def access(self, params: P, workspace: Workspace) -> Access:
        """What the call will touch; asked before the gate and before `run`."""
        return Access(Effect.NONE)

    async def preview(self, params: P, workspace: Workspace) -> Preview:
        """What the call will really do, for whoever is asked. Changes nothing.

        *Errors*: ToolError where the call cannot work anyway: then nobody need be asked.
        """
        access = self.access(params, workspace)
        reads, writes = (tuple(sorted(map(str, paths))) for paths in (access.reads, access.writes))
        return Preview(reads, writes, command=access.command, url=access.url)

    @abstractmethod
    def summary(self, params: P) -> str:
        """The call in one line for the screen, without the tool's name."""

    @abstractmethod
    async def run(self, params: P, context: ToolContext) -> ToolResult: ...
