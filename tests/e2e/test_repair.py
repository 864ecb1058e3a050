from __future__ import annotations

import itertools
import time

from tests.e2e.conftest import RUN_TESTS, Claw, git, tool_results
from tests.fakes.model_server import ModelServer, call, say

PATCH = """*** Begin Patch
*** Update File: calc/mul.py
@@ def mul(a, b):
-    return a + b
+    return a * b
*** Update File: calc/half.py
@@
 def half(a):
-    return a // 2
+    return a / 2
*** End Patch
"""


def edit(path: str, old: str, new: str) -> tuple[str, dict[str, object]]:
    return "edit", {"path": path, "edits": [{"old": old, "new": new}]}


def test_three_files_are_repaired_and_the_tests_show_it(claw: Claw) -> None:
    script = [
        call(("bash", {"command": RUN_TESTS}), reasoning="See what fails."),
        call(*(("read", {"path": f"calc/{name}.py"}) for name in ("add", "mul", "half")), reasoning=""),
        call(edit("calc/add.py", "a - b", "a + b"), ("patch", {"patch": PATCH}), ("bash", {"command": RUN_TESTS})),
        call(("git", {"action": "diff"})),
        say("Three operators were wrong; the tests pass now.", reasoning="All green."),
    ]
    with ModelServer(script) as server:
        done = claw.exec(server, "Make the tests pass")
    result = done.json
    assert done.code == 0, done.stderr
    assert result["status"] == "done"
    assert result["result"] == "Three operators were wrong; the tests pass now."
    assert result["changed_files"] == ["calc/add.py", "calc/half.py", "calc/mul.py"]
    assert result["tests"] == {
        "ran": True, "passed": True, "total": 3, "failed": 0, "command": RUN_TESTS, "stale": False
    }  # fmt: skip
    assert (result["turns"], result["tool_calls"], result["error"]) == (5, 8, None)
    assert result["usage"] == {"input": 500, "cached": 400, "output": 100, "reasoning": 0}
    assert set(result["cost_by_tool"]) == {"bash", "edit", "git", "patch", "read"}
    assert 0 < sum(result["cost_by_tool"].values()) < result["cost_usd"]
    assert git(claw.repository, "diff", "--stat").count("|") == 3
    assert "3 failed" in next(iter(tool_results(server)))
    # Reasoning goes back on every message with calls, also where it was empty.
    echoed = [m.get("reasoning_content") for m in server.requests[-1].messages if m.get("tool_calls")]
    assert echoed == ["See what fails.", "", "", ""]


def test_the_bytes_before_the_newest_message_never_change(claw: Claw) -> None:
    script = [call(("bash", {"command": f"echo {i}"})) for i in range(5)] + [say("Done.")]
    with ModelServer(script) as server:
        claw.exec(server, "go")
    bodies = [request.raw for request in server.requests]
    for body, later in itertools.pairwise(bodies):
        messages = body[: body.rindex(b'],"tools"')]
        assert b"echo " in messages or body is bodies[0]
        assert later.startswith(messages)
    assert server.n_connections == 1


def test_eight_reads_and_eight_commands_run_side_by_side(claw: Claw) -> None:
    reads = call(*(("read", {"path": "calc/add.py"}) for _ in range(8)))
    sleeps = call(*(("bash", {"command": f"sleep 0.5; echo {i}"}) for i in range(8)))
    with ModelServer([reads, sleeps, say("Done.")]) as server:
        claw.exec(server, "go")
    asked, answered = server.requests[2].first_byte_s, server.requests[1].answered_s
    assert 0.5 <= asked - answered < 1.5
    results = list(tool_results(server))
    assert len(results) == 16
    assert len(set(results[:8])) == 1
    assert [text.strip() for text in results[8:]] == [str(i) for i in range(8)]


def test_an_edit_and_the_test_after_it_in_one_reply_keep_their_order(claw: Claw) -> None:
    script = [
        call(("read", {"path": "calc/add.py"})),
        call(edit("calc/add.py", "a - b", "a + b"), ("bash", {"command": "grep -c 'a + b' calc/add.py"})),
        say("Done."),
    ]
    with ModelServer(script) as server:
        claw.exec(server, "go")
    assert list(tool_results(server))[-1].strip() == "1"


def test_a_background_job_reports_its_end_by_itself(claw: Claw) -> None:
    script = [
        call(("background", {"action": "start", "command": "sleep 0.3; echo built"})),
        call(("bash", {"command": "sleep 1"})),
        say("Done."),
    ]
    with ModelServer(script) as server:
        done = claw.exec(server, "build it", "--output-format", "stream-json")
    assert [event["exit_code"] for event in done.of("background_finished")] == [0]
    last = server.requests[-1].messages[-1]
    assert last["role"] == "user"
    assert "Background job 1" in last["content"]
    assert "built" in last["content"]


def test_what_still_runs_is_stopped_at_the_end(claw: Claw) -> None:
    script = [
        call(("background", {"action": "start", "command": "sleep 30; touch survived"})),
        say("Done."),
        say("Done, and I do not need the job."),
    ]
    started = time.monotonic()
    with ModelServer(script) as server:
        done = claw.exec(server, "go")
    assert done.json["result"] == "Done, and I do not need the job."
    assert "will be stopped" in server.requests[-1].messages[-1]["content"]
    assert time.monotonic() - started < 20
    assert not (claw.repository / "survived").exists()
