"""A session to read and a session to process."""

from __future__ import annotations

import json

from hypothesis import given

from claw.protocol import events as ev
from claw.protocol.details import CommandRun, FileChange, FileDiffs
from claw.protocol.messages import AssistantMessage, Image, ToolCall, UserMessage, as_content
from claw.redact import Redactor
from claw.session.export import to_json, to_markdown
from tests.session.arbitrary import histories

DIFF = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
CALLS = (
    ToolCall("c1", "edit", '{"path":"a.py","old":"x\\n```\\ny","n":[1,2]}'),
    ToolCall("c2", "bash", "{not json"),
)
HISTORY: list[ev.Event] = [
    ev.SessionStarted(
        session="s1", protocol=1, claw="0", cwd="/w", roots=(), host="h", model="m", mode="ask", sandbox="none"
    ),
    ev.UserMessageAdded(message=UserMessage((*as_content("repair `a.py`\nnow"), Image("data:image/png;base64,AAAA")))),
    ev.ReplyFinished(message=AssistantMessage("I edit.", "x is wrong </details>", CALLS), finish_reason="tool_calls"),
    ev.ToolFinished(
        call_id="c1", name="edit", content=as_content("edited"), brief="1 edit", duration_s=0.5,
        details=FileDiffs((FileChange("a.py", "modified", DIFF, 1, 1),)),
    ),
    ev.ToolFinished(
        call_id="c2", name="bash", content=as_content("out\x1b[2J" + "y" * 9_000), is_error=True, duration_s=1.0,
        details=CommandRun("ls", 2, 1.0),
    ),
    ev.RunFinished(run=1, status="limit", error="*too* long", duration_s=2.0, changed_files=("a.py",)),
]  # fmt: skip

MARKDOWN = """\
# repair \\`a.py\\` now

- Session: `s1`
- Folder: `/w`
- Model: `m on h`
- Status: `limit`
- Work: `0 turns, 2 tool calls, 0 tokens, cost $0.0000`
- Changed: `a.py`

## User

> repair `a.py`
> now
> (picture: data:image/png;base64)

## Assistant

<details><summary>Reasoning</summary>

```text
x is wrong </details>
```

</details>

I edit.

### Call of `edit` `c1`

- path: `a.py`

- old:

````text
x
```
y
````

- n: `[1, 2]`

### Call of `bash` `c2`

```text
{not json
```

### Result of `edit` `c1` (0.50 s): 1 edit

`a.py` modified, +1 -1

```diff
--- a/a.py
+++ b/a.py
@@ -1 +1 @@
-x = 1
+x = 2
```

### Error of `bash` `c2` (1.00 s)

Exit code 2

```text
out\\x1b[2JYYY
[… 8907 characters left out …]
YYY
```

---

Run 1 ended after 2.0 s: `limit`: \\*too\\* long
"""


def test_markdown() -> None:
    text = to_markdown(HISTORY, limit_chars=100)
    assert text.replace("y" * 50, "YYY").replace("y" * 43, "YYY") == MARKDOWN


def test_a_code_block_that_the_model_left_open_ends_with_its_reply() -> None:
    reply = ev.ReplyFinished(message=AssistantMessage("see:\n```py\nx = 1"), finish_reason="length")
    said = ev.UserMessageAdded(message=UserMessage(as_content("go on")))
    assert to_markdown([reply, said]).endswith("see:\n```py\nx = 1\n```\n\n## User\n\n> go on\n")
    closed = ev.ReplyFinished(message=AssistantMessage("````\n```\n````"), finish_reason="stop")
    assert to_markdown([closed]).endswith("## Assistant\n\n````\n```\n````\n")


def test_json_holds_every_event_and_what_they_add_up_to() -> None:
    unknown = ev.UnknownEvent(seq=9, raw=b'{"type":"dreamt","seq":9}')
    text = to_json([*HISTORY, unknown])
    whole = json.loads(text)
    assert [event["type"] for event in whole["events"]] == [
        "session_started", "user_message_added", "reply_finished", "tool_finished", "tool_finished", "run_finished",
        "dreamt",
    ]  # fmt: skip
    assert whole["events"][4]["content"] == [{"type": "text", "text": "out\x1b[2J" + "y" * 9_000}]
    assert whole["state"]["changed_files"] == ["a.py"]
    assert (whole["state"]["info"]["id"], whole["state"]["next_seq"]) == ("s1", 10)
    assert text.isascii()


@given(histories)
def test_any_history_can_be_exported(history: list[ev.Event]) -> None:
    assert len(json.loads(to_json(history))["events"]) == len(history)
    assert "\x1b" not in to_markdown(history)


KEY = "sk-Qm4tZ8yKp2LxW7vNc3RbTd6HgJ9sFa1E"
LEAKY: list[ev.Event] = [
    ev.UserMessageAdded(message=UserMessage(as_content(f"use {KEY}"), context="or correct horse")),
    ev.ToolFinished(call_id="c", name="bash", content=as_content("key: correct horse")),
    ev.UnknownEvent(seq=9, raw=f'{{"type":"dreamt","seq":9,"of":"{KEY}"}}'.encode()),
]


def test_exports_leave_secrets_out_unless_told_otherwise() -> None:
    redactor = Redactor(["correct horse"])
    for text in (to_json(LEAKY, redactor=redactor), to_markdown(LEAKY, redactor=redactor)):
        assert (KEY in text, "correct horse" in text, "redacted:api-key" in text) == (False, False, True)
    assert json.loads(to_json(LEAKY, redactor=redactor))["events"][2]["of"] == "[redacted:api-key]"
    assert (KEY in to_json(LEAKY), KEY in to_markdown(LEAKY)) == (False, False)
    assert to_json(LEAKY, raw=True).count(KEY) == 3
    assert to_markdown(LEAKY, redactor=redactor, raw=True).count(KEY) == 2
