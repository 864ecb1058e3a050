from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from claw.tooling.truncate import head_and_tail


def test_lines_are_kept_whole_where_they_can_be() -> None:
    text = "\n".join(f"line {i}" for i in range(100))
    assert head_and_tail(text, 60, "see the blob") == (
        "line 0\nline 1\nline 2\nline 3\n[… 739 characters left out; see the blob …]\nline 97\nline 98\nline 99"
    )


@given(st.text(max_size=500), st.integers(20, 200))
def test_head_and_tail_are_those_of_the_text(text: str, limit: int) -> None:
    cut = head_and_tail(text, limit)
    if len(text) <= limit:
        assert cut == text
        return
    head, _, rest = cut.partition("\n[… ")
    tail = rest.partition(" …]\n")[2]
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + len(tail) <= limit
