"""What a server sent, as text that a model can read."""

from __future__ import annotations

import codecs
import re
from email.message import Message

from claw.errors import ToolError
from claw.network import markdown
from claw.printable import printable

_SNIFFED_BYTES = 8_192
_JUDGED_BYTES = 1 << 20

# *Source*: the encodings of the web (WHATWG). Nothing else is taken from a page: Python knows codecs that
# are no encodings, or take quadratic time.
_ENCODINGS = frozenset({
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp866", "koi8-r", "koi8-u", "mac-roman", "gbk", "gb2312", "gb18030",
    "big5", "euc_jp", "iso2022_jp", "shift_jis", "euc_kr", "cp874",
    *(f"cp125{n}" for n in range(9)), *(f"iso8859-{n}" for n in range(2, 17) if n != 12),
})  # fmt: skip
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"""(?i)<meta[^>]{0,300}?charset\s*=\s*["']?\s*([a-z0-9_:-]{1,40})""")

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = re.compile(
    r"text/.*|.*\+(json|xml|yaml)|application/(json|xml|yaml|x-yaml|toml|javascript|ecmascript|typescript|x-sh|sql|"
    r"x-ndjson|jsonl|graphql|x-python|x-www-form-urlencoded|x-httpd-php|octet-stream)|"
)


def media_type_of(content_type: str) -> tuple[str, str]:
    """`text/html; charset=utf-8` → the type in lower case and the charset, either empty if there is none."""
    message = Message()
    message["Content-Type"] = content_type or "x/x"
    found = message.get_content_type() if "/" in content_type else ""
    try:
        charset = message.get_param("charset")
    except (ValueError, LookupError, UnicodeError):
        charset = None
    return found, charset if isinstance(charset, str) else ""


async def readable(data: bytes, content_type: str, url: str, *, cut: bool = False) -> str:
    """The text of a page; HTML becomes Markdown.

    *Errors*: ToolError for what is no text.
    """
    media_type, charset = media_type_of(content_type)
    if not _TEXT.fullmatch(media_type):
        raise _not_text(media_type)
    text = decode(data, charset, is_html=media_type in _HTML)
    if "\0" in text[:_SNIFFED_BYTES] or (media_type in ("", "application/octet-stream") and not _is_utf8(data, cut)):
        raise _not_text(media_type or "of no type that the server tells")
    if media_type in _HTML or (not media_type and text.lstrip()[:200].lower().startswith(("<!doctype html", "<html"))):
        text = await markdown.convert(text, url)
    # What cannot be seen must not speak to the model unseen.
    return printable(text.replace("\r\n", "\n").replace("\r", "\n"))


def _not_text(media_type: str) -> ToolError:
    return ToolError(f"the answer is {media_type[:100]}: only text and HTML can be read with this tool.", "not text")


def _is_utf8(data: bytes, cut: bool) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final=not cut)
    except UnicodeDecodeError:
        return False
    return True


def decode(data: bytes, charset: str, *, is_html: bool) -> str:
    """By the mark at the beginning, what the server says, what the page says, UTF-8, or Windows-1252: the first
    of these that there is. What does not fit becomes `\\ufffd`.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    names = [charset]
    if is_html and (found := _META.search(data[:4096])):
        names.append(found[1].decode("ascii"))
    for label in names:
        if encoding := _encoding(label):
            return data.decode(encoding, "replace")
    sample = data[:_JUDGED_BYTES]
    return data.decode("utf-8" if _is_utf8(sample, cut=len(data) > _JUDGED_BYTES) else "cp1252", "replace")


def _encoding(label: str) -> str | None:
    try:
        name = codecs.lookup(label.strip().strip("\"'")).name if label else ""
    except (LookupError, ValueError, UnicodeError):
        return None
    if name in ("ascii", "iso8859-1"):  # the web means this by both
        return "cp1252"
    return name if name in _ENCODINGS else None
