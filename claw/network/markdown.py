"""HTML as Markdown: what a reader would see of a page, and nothing that a reader would not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from claw.errors import ToolError

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

LIMIT_CHARS = 1024 * 1024  # an ordinary page of this size takes four seconds
TIME_LIMIT_S = 10.0
MEMORY_LIMIT_BYTES = 1 << 30

_NOT_SHOWN = (
    "script", "style", "noscript", "template", "svg", "math", "canvas", "iframe", "frame", "object", "embed", "applet",
    "audio", "video", "source", "track", "map", "head", "link", "meta", "dialog", "input", "select", "textarea",
)  # fmt: skip
_HIDING = re.compile(
    r"(?i)(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|content-visibility\s*:\s*hidden|"
    r"opacity\s*:\s*0*\.?0*\s*%?\s*(?:;|!|$)|(?:font-size|(?:max-)?width|(?:max-)?height)\s*:\s*0*\.?0+[a-z%]*\s*(?:;|!|$)|"
    r"text-indent\s*:\s*-\d{3,}|(?:left|top|right|bottom)\s*:\s*-\d{4,}|clip\s*:\s*rect\(\s*0)"
)


async def convert(html: str, url: str, time_limit_s: float = TIME_LIMIT_S) -> str:
    """`to_markdown` in a process of its own, without the environment, that is ended when it takes too long.

    The parser of the standard library takes quadratic time for some input, and holds up every other thread.

    *Errors*: ToolError for a page that takes too long or too much.
    """
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "SYSTEMROOT") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-X", "utf8", "-m", __name__, url),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=kept,
    )  # fmt: skip
    try:
        async with asyncio.timeout(time_limit_s):
            text, _ = await process.communicate(html[:LIMIT_CHARS].encode("utf-8", "replace"))
    except TimeoutError:
        text = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ToolError(f"{url} is built in a way that takes too long to read.", "page not readable")
    rest = f"\n\n[{n} more characters of HTML were not read]" if (n := len(html) - LIMIT_CHARS) > 0 else ""
    return text.decode("utf-8", "replace") + rest


def main() -> None:
    """HTML on stdin, Markdown on stdout; the address of the page is the argument."""
    with contextlib.suppress(ImportError):  # no such limits on this platform
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (int(TIME_LIMIT_S), int(TIME_LIMIT_S)))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    sys.stdout.write(to_markdown(sys.stdin.read(), sys.argv[1]))


def to_markdown(html: str, url: str) -> str:
    """What a reader would see of a page, links made absolute; all in one piece where it is nested too deeply."""
    from bs4 import BeautifulSoup
    from bs4.exceptions import ParserRejectedMarkup
    from markdownify import MarkdownConverter

    try:
        soup = BeautifulSoup(html, "html.parser")
    except ParserRejectedMarkup:  # the parser of the standard library gives up on some declarations
        soup = BeautifulSoup(html.replace("<!", "&lt;!"), "html.parser")
    title = " ".join(soup.title.get_text().split())[:300] if soup.title else ""
    _remove_hidden(soup)
    _settle_links(soup, url)
    try:
        text = MarkdownConverter(heading_style="ATX", bullets="-", escape_misc=False).convert_soup(soup)
    except RecursionError:
        text = soup.get_text("\n")
    text = re.sub(r"[^\S\n]+\n", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    return f"# {title}\n\n{text}" if title and not text.startswith(f"# {title}") else text


def _remove_hidden(soup: BeautifulSoup) -> None:
    from bs4 import Comment
    from bs4.element import PreformattedString

    for tag in soup.find_all(_is_hidden):
        tag.extract()
    for string in soup.find_all(string=lambda found: isinstance(found, Comment | PreformattedString)):
        string.extract()


def _is_hidden(tag: Tag) -> bool:
    if tag.name in _NOT_SHOWN or tag.has_attr("hidden") or str(tag.get("aria-hidden", "")).lower() == "true":
        return True
    return bool(_HIDING.search(str(tag.get("style", ""))))


def _settle_links(soup: BeautifulSoup, url: str) -> None:
    """Links that lead somewhere are made absolute; others, and pictures that are written into the page, lose it."""
    for tag in soup.find_all(["a", "img"]):
        name = "href" if tag.name == "a" else "src"
        value = str(tag.get(name) or "").strip()
        try:
            target = urljoin(url, value)
        except ValueError:
            target = ""
        if not value or value.startswith("#") or not target.lower().startswith(("http://", "https://", "mailto:")):
            tag.unwrap() if tag.name == "a" else tag.replace_with(str(tag.get("alt") or ""))
        else:
            tag[name] = target


if __name__ == "__main__":
    main()
