"""The services that a tool reaches through its context, as Protocols.

The runtime hands in the real ones; a tool never imports them, so the sandbox and the session can be
exchanged without touching a tool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct


class Blob(Struct, frozen=True):
    """A payload kept by the hash of its content. `path` is readable by the model's file tools."""

    sha256: str
    path: str
    size_bytes: int


class Blobs(Protocol):
    """Payloads too large for the conversation and the log."""

    def put(self, data: bytes) -> Blob: ...

    def put_file(self, path: Path) -> Blob:
        """Take over a temporary file of ours; it is gone afterwards."""
        ...


class Output(Protocol):
    """What a command has printed so far, stdout and stderr in the order written. Bounded in memory."""

    @property
    def size_bytes(self) -> int: ...

    def text(self, limit_chars: int) -> str:
        """All of it, or its head and tail with a line between that says how much was left out."""
        ...

    def read(self, offset_bytes: int, limit_chars: int) -> tuple[str, int]:
        """What came after `offset_bytes`, and the offset to go on from."""
        ...

    def keep(self, blobs: Blobs) -> Blob:
        """Store the whole output as a blob. Only once the command has ended."""
        ...


class Command(Protocol):
    """A command that was started. It leads a process group of its own; its stdin is closed."""

    command: str
    output: Output

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        ...

    @property
    def note(self) -> str:
        """Why it ended, where the exit code does not say: a limit that it hit. Empty otherwise."""
        ...

    @property
    def duration_s(self) -> float: ...

    async def wait(self, timeout_s: float | None = None) -> int | None:
        """The exit code, or None if it still runs after `timeout_s`. May be called again."""
        ...

    async def stop(self) -> None:
        """SIGTERM to the group, SIGKILL 5 s later; returns when it is gone."""
        ...


class Commands(Protocol):
    """Starts commands, confined by whatever back-end is active."""

    async def start(
        self,
        command: str,
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        on_output: Callable[[str], None] | None = None,
    ) -> Command:
        """Run `command` in the shell. `env` is added to the scrubbed environment.

        *Errors*: ToolError if the folder is missing or the system can start no process.
        """
        ...


class MediaRules(Protocol):
    """What pictures and videos a host takes; `claw.providers.dialect.Media` says what each field means."""

    @property
    def images(self) -> tuple[str, ...]: ...
    @property
    def max_image_edge_px(self) -> int: ...
    @property
    def max_image_bytes(self) -> int: ...
    @property
    def max_images(self) -> int: ...
    @property
    def video(self) -> str: ...
    @property
    def max_video_bytes(self) -> int: ...


class Uploads(Protocol):
    """The files that a host keeps for later requests."""

    async def upload(self, name: str, data: bytes, media_type: str, purpose: str) -> str:
        """The URL by which messages refer to the file (`ms://…`). `purpose` is `image` or `video`.

        *Errors*: ToolError if this installation cannot upload, ProviderError if the host refuses.
        """
        ...


class HostMedia(Struct, frozen=True):
    """The eyes of the model: how its host is called, what it takes, and where files go that it wants uploaded."""

    host: str
    takes: MediaRules
    uploads: Uploads | None = None


class Job(Protocol):
    """A background command, known to the model by `id` (`1`, `2`, …).

    `offset_bytes` is how far the model has read its output; whoever reads moves it on.
    """

    id: str
    command: Command
    offset_bytes: int


class Jobs(Protocol):
    """Background commands of a session. When one ends by itself the model is told."""

    def adopt(self, command: Command) -> Job: ...

    def get(self, job_id: str) -> Job:
        """*Errors*: ToolError that names the jobs there are."""
        ...

    def all(self) -> tuple[Job, ...]: ...

    async def wait(self, job_id: str, timeout_s: float) -> Job:
        """Return when the job has ended, or after `timeout_s`. An end that was waited for is not told again."""
        ...

    async def stop(self, job_id: str) -> Job: ...


class Page(Struct, frozen=True):
    """What an address answered. `url` is where the redirects led; `text` is what can be read of it.

    `media_type` is what the server says it is; `cut` means that there was more than is kept.
    """

    url: str
    status: int
    media_type: str
    text: str
    size_bytes: int
    cut: bool = False


class Web(Protocol):
    """Fetches pages, from the hosts that may be reached."""

    async def fetch(self, url: str) -> Page:
        """*Errors*: ToolDenied for a host that may not be reached, at the start or by a redirect; ToolError."""
        ...
