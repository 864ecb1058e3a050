"""What a patch will do, worked out against the files as they are before any of them is touched."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from claw.errors import ToolError
from claw.protocol.details import FileChange
from claw.tooling.base import ToolContext, Workspace
from claw.tooling.disk import Disk
from claw.tools._atomic import remove_file, replace_file, require_own_file, require_writable
from claw.tools._changes import file_change, published, refuse_marks
from claw.tools._patch_apply import HunkMismatch, patched
from claw.tools._patch_format import AddFile, DeleteFile, Operation, UpdateFile
from claw.tools._paths import FileState, binary, read_whole, shown
from claw.tools._text import Document, Splice

_MAX_ERRORS_NAMED = 5


@dataclass(slots=True)
class Step:
    """One file from `before` to `data`; None stands for no file. `like` lends a new file its mode."""

    path: Path
    before: FileState | None
    data: bytes | None
    like: os.stat_result | None = None

    def change(self, disk: Disk) -> FileChange:
        """As it will be, for whoever is asked."""
        return file_change(shown(disk, self.path), self.before.data if self.before else None, self.data)

    def apply(self, context: ToolContext, disk: Disk) -> FileChange:
        """*Errors*: ToolError if the system refuses; then this file is as it was."""
        name = shown(disk, self.path)
        if self.data is not None:
            info = self.before.info if self.before else None
            replace_file(disk, self.path, self.data, name, before=info, like=self.like)
        else:
            remove_file(disk, self.path, name)
        return published(context, self.path, self.before.data if self.before else None, self.data)


class Plan:
    """Collects operations; a later one sees what an earlier one would have done."""

    def __init__(self, workspace: Workspace, disk: Disk) -> None:
        self._workspace = workspace
        self._disk = disk
        self._steps: dict[Path, Step] = {}
        self._errors: list[ToolError] = []

    def add(self, operation: Operation) -> None:
        """Errors are kept for `require_all_fit`, so that the model is told of all of them at once."""
        try:
            match operation:
                case AddFile():
                    self._add(operation)
                case DeleteFile():
                    self._delete(operation)
                case UpdateFile():
                    self._update(operation)
        except ToolError as error:
            self._errors.append(error)

    def require_all_fit(self) -> None:
        """*Errors*: ToolError that names every file which does not fit, or if nothing would change."""
        if self._errors:
            texts = [str(error) for error in self._errors[:_MAX_ERRORS_NAMED]]
            if len(self._errors) > len(texts):
                texts.append(f"… and {len(self._errors) - len(texts)} more.")
            raise ToolError("\n".join([*texts, "Nothing was changed."]), self._errors[0].brief)
        if not self.steps():
            raise ToolError("the patch changes nothing: every file would be as it is.", "no change")

    def steps(self) -> list[Step]:
        """In the order to apply them: deletions last, so that a failure in between loses nothing."""
        changes = [step for step in self._steps.values() if step.data != (step.before.data if step.before else None)]
        return sorted(changes, key=lambda step: step.data is None)

    def _add(self, operation: AddFile) -> None:
        path = self._workspace.resolve(operation.path)
        if operation.path.endswith("/"):
            raise ToolError(f"{operation.path} names a folder. Give the path of a file.", "a folder")
        step = self._step(path, must_exist=False)
        content = "".join(line + "\n" for line in operation.lines)
        name = shown(self._disk, path)
        if step.data is None:
            refuse_marks("", content, name)
            step.data = content.encode("utf-8", "replace")
            return
        # It replaces the file, in the file's own encoding and line endings.
        document = self._document(step)
        refuse_marks(document.view, content, name)
        step.data = document.spliced([Splice(0, len(document.view), document.normalise(content))]).encoded()

    def _delete(self, operation: DeleteFile) -> None:
        path = self._workspace.resolve(operation.path, follow_last=False)
        self._existing(path).data = None

    def _update(self, operation: UpdateFile) -> None:
        target = self._workspace.resolve(operation.path)
        step = self._existing(target)
        data, like = step.data, step.before.info if step.before else step.like
        if operation.hunks:
            try:
                document = self._document(step)
                result = patched(document, operation.hunks)
                refuse_marks(document.view, result.view, shown(self._disk, target))
                data = result.encoded()
            except HunkMismatch as mismatch:
                raise ToolError(f"{shown(self._disk, target)}: {mismatch}", "hunk does not fit") from None
        if operation.move_to is None or self._workspace.resolve(operation.move_to) == target:
            step.data = data
            return
        moved = self._step(self._workspace.resolve(operation.move_to), must_exist=False)
        if moved.data is not None:
            raise ToolError(
                f"{shown(self._disk, moved.path)} exists already; {operation.path} is not moved over it.",
                "target exists",
            )
        moved.data, moved.like = data, like
        self._existing(self._workspace.resolve(operation.path, follow_last=False)).data = None

    def _existing(self, path: Path) -> Step:
        """*Errors*: ToolError if there is no such file, on disk or by an earlier operation."""
        step = self._step(path, must_exist=True)
        if step.data is None:
            raise ToolError(f"{shown(self._disk, path)} was deleted earlier in this patch.", "no such file")
        return step

    def _step(self, path: Path, must_exist: bool) -> Step:
        step = self._steps.get(path)
        if step is None:
            if not must_exist and not self._disk.exists(path):
                step = Step(path, None, None)
            else:
                before = self._link(path) or read_whole(path, self._disk)
                step = Step(path, before, before.data)
            self._steps[path] = step
        return step

    def _link(self, path: Path) -> FileState | None:
        """A link that is to be removed: what git, too, takes for its content; None for a file."""
        try:
            info = self._disk.stat(path)
            return FileState(os.fsencode(self._disk.read_link(path)), info) if stat.S_ISLNK(info.st_mode) else None
        except OSError:
            return None  # reading it will say why

    def _document(self, step: Step) -> Document:
        assert step.data is not None
        if step.before is not None:
            require_writable(step.before.info, shown(self._disk, step.path))
            require_own_file(step.before.info, step.path, self._disk)
        document = Document.of(step.data)
        if document is None:
            raise binary(step.path, step.data, len(step.data), self._disk)
        return document
