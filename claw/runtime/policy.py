"""What a session's tools and commands may touch, from the settings of a run.

Imports little: the sandbox is begun with this while the rest of claw is still being loaded.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from claw.config import Settings
from claw.errors import UsageError
from claw.paths import Home, make_private_folder
from claw.permissions.rules import RuleBook
from claw.permissions.trust import TrustStore, hear_project
from claw.protocol.events import Notice
from claw.sandbox.base import Policy
from claw.sandbox.select import Beginning, begin
from claw.tooling.boundary import Boundary, secret_places


def user_home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or os.path.expanduser("~")).resolve()


def hidden_places(settings: Settings, environ: Mapping[str, str], home: Home) -> tuple[Path, ...]:
    """What nobody reads: the user's keys, claw's own configuration and logs, and what the user named besides."""
    folder = user_home(environ)
    named = [(folder / Path(place).expanduser()).resolve() for place in settings.confine.hide]
    denied = RuleBook(settings.rules, folder).hidden((settings.cwd, *settings.add_dirs))
    own = (home.config.resolve(), home.state.resolve())
    return tuple(dict.fromkeys((*secret_places(folder), *own, *named, *denied)))


def make_boundary(
    settings: Settings,
    environ: Mapping[str, str],
    home: Home,
    readable: tuple[Path, ...] = (),
    scratch: tuple[Path, ...] = (),
    git_folders: tuple[Path, ...] = (),
) -> Boundary:
    """*Shapes*: `readable` and `scratch` are canonical folders of claw's own that the model may look into."""
    return Boundary(
        roots=(settings.cwd, *settings.add_dirs),
        readable=readable,
        scratch=scratch,
        git_folders=git_folders,
        hidden=hidden_places(settings, environ, home),
        read_only=settings.mode == "read-only",
        unconfined=settings.sandbox == "off",
    )


def make_policy(settings: Settings, environ: Mapping[str, str], home: Home) -> Policy:
    """Makes the private folders that commands use for temporary files and for caches.

    *Errors*: OSError where they cannot be made.
    """
    tmp = make_private_folder(home.cache / "tmp" / f"{os.getpid()}-{os.urandom(4).hex()}")
    workspace = os.fsencode(settings.cwd)
    import hashlib

    # A cache of its own for each workspace: what one repository's build leaves must not reach another's.
    cache = make_private_folder(home.cache / "commands" / hashlib.sha256(workspace).hexdigest()[:16])
    proxy = _proxy_folder(tmp.resolve()) if settings.network == "hosts" else None
    roots = (settings.cwd, *settings.add_dirs)
    return Policy(
        writable=() if settings.mode == "read-only" else roots,
        visible=(*roots, *([proxy] if proxy else [])),
        tmp=tmp.resolve(),
        cache=cache.resolve(),
        hidden=hidden_places(settings, environ, home),
        network=settings.network,
        proxy_socket=proxy / "socket" if proxy else None,
        unix_sockets=settings.confine.unix_sockets,
        limits=settings.confine.limits,
    )


def _proxy_folder(tmp: Path) -> Path:
    """Beside the folder of the commands, which cannot write it. The relay goes into it before the proxy listens."""
    return make_private_folder(tmp.with_name(f"{tmp.name}-proxy"))


def forget_tmp(policy: Policy) -> None:
    """Remove the temporary folders of this process."""
    for folder in (policy.tmp, policy.proxy_socket.parent if policy.proxy_socket else None):
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def forget_old_tmp(home: Home) -> None:
    """Remove the temporary folders of processes that died without doing so."""
    try:
        folders = list((home.cache / "tmp").iterdir())
    except OSError:
        return
    for folder in folders:
        owner = folder.name.partition("-")[0]
        if owner.isdigit() and not _lives(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class Prepared(NamedTuple):
    """What stands before anything heavy is loaded. `settings` are those that count, `notices` what was not obeyed."""

    settings: Settings
    notices: tuple[Notice, ...]
    home: Home
    policy: Policy
    sandbox: Beginning

    def cancel(self) -> None:
        """Let go of what no run has taken up. Safe at any time."""
        self.sandbox.cancel()
        forget_tmp(self.policy)


def prepare(settings: Settings, environ: Mapping[str, str], home: Home) -> Prepared:
    """Hear what the project says of itself, and begin the sandbox: it tests itself while claw loads the rest.

    *Errors*: UsageError, also where the folders for commands cannot be made.
    """
    settings, notices = hear_project(settings, TrustStore(home))
    try:
        policy = make_policy(settings, environ, home)
    except OSError as error:
        raise UsageError(f"cannot make a folder for temporary files below {home.cache}: {error.strerror}") from None
    return Prepared(settings, tuple(notices), home, policy, begin(policy, wanted=settings.sandbox, environ=environ))
