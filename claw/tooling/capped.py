"""Reading a file that somebody else wrote: no link on the way, no device, no pipe, no more than was agreed."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from claw.tooling.beneath import READ, open_beneath


def read_capped(top: Path, path: str, limit_bytes: int) -> bytes:
    """The first `limit_bytes` + 1 bytes of the regular file at `path`, relative to the folder `top`.

    One byte more than the limit tells that there is more.
    *Errors*: OSError; ELOOP for a link anywhere below `top`, EINVAL for what is no regular file.
    """
    folder = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        descriptor = open_beneath(folder, path, READ)
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from None
    finally:
        os.close(folder)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(limit_bytes + 1)
