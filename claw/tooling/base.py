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
from claw.protocol.details import Details, TodoItem
from claw.protocol.events import Event
from claw.protocol.messages import Content, as_content
from claw.tooling.files import FileLedger
from claw.tooling.services import Blobs, Commands, HostMedia, Jobs

P = TypeVar("P", bound=Struct)


class Effect(Enum):
    """The most that a call can do; the permission gate and the executor go by it."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    EXECUTE = "execute"


@dataclass(frozen=True, slots=True)
class Access:
    """What one call touches. `writes` and `reads` are resolved paths.

    Calls of one reply run side by side unless they touch the same thing: a call that writes a path
    waits for every earlier call that reads or writes it, a call that reads it for earlier writers. A
    command may read anything (`reads_all`), so it waits for earlier writers and later writers for it.
    """

    effect: Effect
    reads: frozenset[Path] = frozenset()
    writes: frozenset[Path] = frozenset()
    reads_all: bool = False
    command: str = ""

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

    *Shapes*: `roots` are canonical folders, the first of them is `cwd` or an ancestor of it; writing
    elsewhere needs permission. `todo` is replaced as a whole. `media` is None where the model can see nothing.
    """

    cwd: Path
    roots: tuple[Path, ...]
    blobs: Blobs
    commands: Commands
    jobs: Jobs
    files: FileLedger = field(default_factory=FileLedger)
    todo: tuple[TodoItem, ...] = ()
    media: HostMedia | None = None

    def resolve(self, path: str) -> Path:
        """The absolute path that `path` means, links followed.

        *Errors*: ToolError for an empty path, one with a NUL byte, an unknown `~user`, a circle of links.
        """
        if not path or "\0" in path:
            raise ToolError(f"not a path: {path!r}. Give one relative to {self.cwd}, or an absolute one.", "bad path")
        try:
            return (self.cwd / Path(path).expanduser()).resolve()
        except (RuntimeError, OSError, ValueError) as error:  # RuntimeError: what pathlib raises for both
            raise ToolError(f"not a path: {path!r}: {error}", "bad path") from None

    def show(self, path: Path) -> str:
        """`path` as the model and the screen see it: relative to `cwd` where it lies below it."""
        try:
            return str(path.relative_to(self.cwd)) or "."
        except ValueError:
            return str(path)


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What one call may reach. `emit` publishes events about it (`ToolOutput`, `FileChanged`, `TodoChanged`)."""

    call_id: str
    workspace: Workspace
    emit: Callable[[Event], None]


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

    @abstractmethod
    def summary(self, params: P) -> str:
        """The call in one line for the screen, without the tool's name."""

    @abstractmethod
    async def run(self, params: P, context: ToolContext) -> ToolResult: ...
