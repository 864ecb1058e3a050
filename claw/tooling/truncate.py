"""Results that are too long for the conversation: head and tail stay, the whole goes to a blob."""

from __future__ import annotations

from claw.tooling.services import Blobs

RESULT_LIMIT_CHARS = 50_000


def head_and_tail(text: str, limit_chars: int, note: str = "") -> str:
    """`text`, or its first and last parts cut at line ends where one is near, with a line between.

    The line says how much was left out, and `note`.
    """
    if len(text) <= limit_chars:
        return text
    half = limit_chars // 2
    head, tail = text[:half], text[-half:]
    if (end := head.rfind("\n", half - half // 4)) > 0:
        head = head[:end]
    if 0 <= (start := tail.find("\n")) < half // 4:
        tail = tail[start + 1 :]
    n_left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[… {n_left_out} characters left out{'; ' + note if note else ''} …]\n{tail}"


def cap_result(text: str, blobs: Blobs, limit_chars: int = RESULT_LIMIT_CHARS) -> str:
    """`text`, or head and tail with the path of a blob that holds all of it."""
    if len(text) <= limit_chars:
        return text
    blob = blobs.put(text.encode("utf-8", "surrogatepass"))
    return head_and_tail(text, limit_chars, f"the whole is in {blob.path}")
