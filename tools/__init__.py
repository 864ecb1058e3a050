"""The tools that the model may call: one a file, the text it reads in the `.md` beside it."""

from __future__ import annotations

from typing import Any

from claw.tooling.base import Tool


def all_tools() -> list[Tool[Any]]:
    """A new set of tools. Imported here, so that one tool can be used without loading the others."""
    from claw.tools.background import Background
    from claw.tools.bash import Bash
    from claw.tools.edit import Edit
    from claw.tools.git import Git
    from claw.tools.glob import Glob
    from claw.tools.grep import Grep
    from claw.tools.ls import Ls
    from claw.tools.patch import Patch
    from claw.tools.read import Read
    from claw.tools.todo import Todo
    from claw.tools.view_media import ViewMedia
    from claw.tools.web_fetch import WebFetch
    from claw.tools.write import Write

    tools = (Background, Bash, Edit, Git, Glob, Grep, Ls, Patch, Read, Todo, ViewMedia, WebFetch, Write)
    return [tool() for tool in tools]
