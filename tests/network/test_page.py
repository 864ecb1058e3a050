from __future__ import annotations

import codecs
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claw.errors import ToolError
from claw.network import markdown
from claw.network.markdown import to_markdown
from claw.network.page import decode, media_type_of, readable

HIDDEN = """<!DOCTYPE html><html><head><title>The  Page</title><style>p{}</style><script>bad1()</script></head><body>
<!-- bad2 --><h1>Head</h1><p>Seen <b>bold</b> <a href="/x?y=1">link</a> <a href="javascript:bad3()">plain</a></p>
<p style="display:none">bad4</p><p style="color:red; VISIBILITY : hidden">bad5</p><p hidden>bad6</p>
<div aria-hidden="true">bad7</div><span style="font-size:0">bad8</span><span style="opacity:0.0;">bad9</span>
<div style="width:0px;height:0">bad10</div><template>bad11</template><noscript>bad12</noscript>
<svg><text>bad13</text></svg>
<input type="hidden" value="bad14"><textarea>bad15</textarea><div style="position:absolute;left:-9999px">bad16</div>
<iframe srcdoc="bad17">bad18</iframe><![CDATA[bad19]]><?bad20?><img src="data:image/png;base64,bad21" alt="a chart">
<div style="opacity:0.9;width:0.5em;height:100%">kept</div><ul><li>one</li><li>two</li></ul>
<pre><code>x = 1</code></pre>
<p style="text-indent:-9999px">bad22</p></body></html>"""


def test_only_what_a_reader_sees_is_left() -> None:
    text = to_markdown(HIDDEN, "https://site.example/dir/page")
    assert "bad" not in text
    assert text.startswith("# The Page\n\n# Head\n\nSeen **bold** [link](https://site.example/x?y=1) plain\n")
    assert "a chart" in text
    assert "kept" in text
    assert "- one\n- two" in text
    assert "```\nx = 1\n```" in text


async def test_html_is_read_in_another_process() -> None:
    assert await readable(b"<h1>Hi</h1><p>caf\xe9", "text/html; charset=latin-1", "http://a/") == "# Hi\n\ncafé"


async def test_what_cannot_be_seen_is_shown() -> None:
    hidden = "a\u202eb\u200bc\x1b[2J\U000e0041\r\nd"
    expected = "a\\u202eb\\u200bc\\x1b[2J\\U000e0041\nd"
    assert await readable(hidden.encode(), "text/plain", "http://a/") == expected
    assert "\\U000e0041" in await readable(f"<p>{hidden}</p>".encode(), "text/html", "http://a/")
    assert "\\u202e" in await readable(b"<p>a&#x202e;b</p>", "text/html", "http://a/")


@pytest.mark.parametrize("kind", ["image/png", "application/pdf", "application/zip", "video/mp4", "font/woff2"])
async def test_binary_is_refused_with_its_type(kind: str) -> None:
    with pytest.raises(ToolError, match=f"the answer is {kind}"):
        await readable(b"data", kind, "http://a/")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/octet-stream", "application/json"])
async def test_binary_is_refused_whatever_it_is_called(kind: str) -> None:
    with pytest.raises(ToolError, match="the answer is"):
        await readable(b"\x7fELF\x00\x01\xff", kind, "http://a/")


@pytest.mark.parametrize(
    "kind", ["application/json", "application/ld+json", "", "application/octet-stream", "text/x-rust"]
)
async def test_text_stays_as_it_is(kind: str) -> None:
    assert await readable(b'{"a": "<p>\xc3\xa4</p>"}', kind, "http://a/") == '{"a": "<p>ä</p>"}'


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("ä".encode(), "", "ä"),
        ("ä".encode("latin-1"), "", "ä"),
        ("ä".encode("latin-1"), "iso-8859-1", "ä"),
        (b"\x80", "ISO-8859-1", "€"),
        ("ä".encode(), "no-such-charset", "ä"),
        ("ä".encode(), '"utf-8"', "ä"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        ("日本".encode("euc-jp"), "", "ÆüËÜ"),
        (codecs.BOM_UTF16_LE + "ä".encode("utf-16-le"), "utf-8", "ä"),
        (codecs.BOM_UTF8 + b"a", "", "a"),
        (b"\xff\xfa", "utf-8", "\ufffd\ufffd"),
        (b"+ADw-script", "utf-7", "+ADw-script"),
        (b"a" * 100_000, "idna", "a" * 100_000),
        (b"61", "hex", "61"),
        (b"\\u0041", "unicode_escape", "\\u0041"),
    ],
)
def test_charsets(data: bytes, charset: str, text: str) -> None:
    assert decode(data, charset, is_html=False) == text


def test_a_page_may_say_its_charset() -> None:
    page = b"<meta http-equiv=Content-Type content='text/html; charset=koi8-r'>" + "привет".encode("koi8-r")
    assert decode(page, "", is_html=True).endswith("привет")


@given(st.text(max_size=80))
def test_any_content_type_is_read(text: str) -> None:
    media_type, _ = media_type_of(text.replace("\r", "").replace("\n", ""))
    assert media_type == media_type.lower()


@given(
    st.lists(
        st.sampled_from(["<", "<a ", "<!--", "</", "<p>", "x", "&#x1b;", "href='", ">", "<![", "\x00", "<li>", "]]"])
    )
)
@settings(max_examples=60, deadline=None)
def test_any_html_becomes_text(pieces: list[str]) -> None:
    assert isinstance(to_markdown("".join(pieces), "http://a/"), str)


async def test_a_page_that_would_take_for_ever() -> None:
    started = time.monotonic()
    with pytest.raises(ToolError, match="takes too long to read"):
        await markdown.convert("<a " * 200_000, "http://a/", 1.0)
    assert time.monotonic() - started < 5


async def test_a_page_nested_without_end() -> None:
    assert "deep" in await markdown.convert("<div>" * 5_000 + "deep", "http://a/")
