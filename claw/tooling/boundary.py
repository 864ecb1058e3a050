"""What of the file system a session may touch: one answer for the gate, the file tools and the sandbox."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

# What runs code, or steers claw, an editor or a shell, as soon as it is there: written by nobody unasked,
# whether or not it exists yet. Folders and files, as single names, compared by `plain_name`.
PROTECTED_FOLDERS = frozenset({".git", ".claw", ".vscode", ".idea", ".husky", ".devcontainer", ".cursor", ".zed"})
PROTECTED_FILES = frozenset({
    ".mcp.json", ".envrc", ".gitconfig", ".gitmodules",
    ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".inputrc",
    ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".login",
})  # fmt: skip
# Inside a work tree's `.git`: what git, or whoever calls it, runs or obeys. The rest is written by every commit.
PROTECTED_IN_GIT = ("config", "config.worktree", "hooks", "info", "modules", "worktrees", "commondir")

# Keys of the user, relative to the home folder: never read by a tool, and masked from commands.
SECRET_PLACES = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".pgpass", ".pypirc", ".npmrc",
    ".git-credentials", ".password-store", ".vault-token", ".config/gcloud", ".config/gh", ".config/git/credentials",
    ".config/op", ".config/rclone", ".config/hub", ".terraform.d/credentials.tfrc.json", ".cargo/credentials",
    ".cargo/credentials.toml", ".gem/credentials", ".m2/settings.xml", ".config/google-chrome", ".config/chromium",
    ".mozilla", ".local/share/keyrings", "Library/Keychains", "Library/Application Support/Google/Chrome",
    "Library/Application Support/Firefox",
)  # fmt: skip
# Read only after asking: what a model reads is sent to its host.
_ENV_EXAMPLES = frozenset({"example", "sample", "template", "dist", "defaults"})


class Objection(Struct, frozen=True):
    """Why a path is not simply touched. `final`: no answer and no rule can change it."""

    reason: str
    final: bool = False


class Boundary(Struct, frozen=True):
    """*Shapes*: all paths are canonical. `roots` may be written unless `read_only`; `readable` are folders
    that may be read wherever they lie, `scratch` those that may be written too (temporary files), `hidden` files
    and folders that else may not; `git_folders` are the git metadata that the git tool may use although they lie
    outside the roots: those of a linked work tree or a submodule that is trusted.
    `unconfined` lifts everything but `hidden`: the user switched the sandbox off.
    """

    roots: tuple[Path, ...]
    readable: tuple[Path, ...] = ()
    scratch: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    git_folders: tuple[Path, ...] = ()
    read_only: bool = False
    unconfined: bool = False

    def objects_to_read(self, path: Path) -> Objection | None:
        """*Shapes*: `path` is absolute, its links are followed."""
        if _below(path, (*self.readable, *self.scratch)):
            return None
        if found := _below(path, self.hidden):
            return Objection(f"{path} lies in {found}, which holds keys and is read by nobody", final=True)
        if self.unconfined:
            return None
        if is_env_file(path.name):
            return Objection(f"{path} usually holds secrets, and what is read is sent to the model's host")
        if not _below(path, self.roots):
            return Objection(f"{path} lies outside the workspace: {_listed(self.roots)}")
        return None

    def objects_to_write(self, path: Path) -> Objection | None:
        """*Shapes*: as for `objects_to_read`; of a path that is not there yet, its folder's links are followed."""
        if _below(path, self.scratch):
            return None
        if found := _below(path, self.hidden):
            return Objection(f"{path} lies in {found}, which is written by nobody", final=True)
        if self.unconfined:
            return None
        if self.read_only:
            return Objection(f"nothing may be written in this mode, and {path} would be", final=True)
        root = _below(path, self.roots)
        if not root:
            return Objection(f"{path} lies outside the folders that may be written: {_listed(self.roots)}")
        if name := protected_part(path.relative_to(root)):
            return Objection(f"{path} is protected: {name} can run code, or steers claw, an editor or a shell")
        return None


def protected_part(relative: Path) -> str | None:
    """The first part of a path, relative to its root, that is protected; None if there is none."""
    for part in relative.parts:
        name = plain_name(part)
        if name in PROTECTED_FOLDERS or name in PROTECTED_FILES:
            return part
    return None


def plain_name(name: str) -> str:
    """`name` as the most forgiving file system would compare it: case, compatibility forms, invisible
    characters, trailing dots and spaces make no difference (`.GIT`, `.g\\u200cit`, `.git.`).
    """
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) not in ("Cf", "Cc"))
    return unicodedata.normalize("NFC", visible.casefold()).rstrip(". ")


def is_env_file(name: str) -> bool:
    """`.env`, `.env.local`, but not `.env.example`."""
    plain = plain_name(name)
    return plain == ".env" or (plain.startswith(".env.") and plain.rpartition(".")[2] not in _ENV_EXAMPLES)


def secret_places(home: Path) -> tuple[Path, ...]:
    """`SECRET_PLACES` below `home`, links followed; those that are not there too: they may come."""
    return tuple((home / place).resolve() for place in SECRET_PLACES)


def _below(path: Path, folders: Iterable[Path]) -> Path | None:
    return next((folder for folder in folders if path.is_relative_to(folder)), None)


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))
