"""The last test run of a session, from the events of the session."""

from __future__ import annotations

from claw.agent.evidence import Evidence
from claw.protocol.details import CommandRun
from claw.protocol.events import (
    BackgroundFinished,
    Event,
    FileChanged,
    Tests,
    TestsObserved,
    ToolFinished,
    ToolStarted,
    VerifyFinished,
)
from claw.protocol.messages import as_content

PASS, FAIL = "2 passed in 0.01s", "1 failed, 2 passed in 0.12s"
PASSED = Tests(ran=True, passed=True, total=2, failed=0, command="pytest")
FAILED = Tests(ran=True, passed=False, total=3, failed=1, command="pytest")


def started(call_id: str, name: str = "bash") -> Event:
    return ToolStarted(call_id=call_id, name=name, arguments="{}")


def finished(
    call_id: str,
    command: str,
    exit_code: int | None,
    output: str,
    *,
    job: str = "",
    name: str = "bash",
    ts: float = 1.0,
) -> Event:
    details = CommandRun(command, exit_code, 0.1, job=job)
    return ToolFinished(call_id=call_id, name=name, content=as_content(output), details=details, ts=ts)


def ran(call_id: str, command: str, exit_code: int, output: str, *, ts: float = 1.0) -> list[Event]:
    return [started(call_id), finished(call_id, command, exit_code, output, ts=ts)]


def changed(call_id: str = "e") -> Event:
    return FileChanged(call_id=call_id, path="/w/a.py", kind="modified")


def after(*events: Event) -> Tests:
    return followed(*events).tests()


def followed(*events: Event) -> Evidence:
    evidence = Evidence()
    for event in events:
        evidence(event)
    return evidence


def test_nothing_ran() -> None:
    assert after() == Tests()
    assert after(*ran("1", "ls", 0, PASS), changed()) == Tests()
    assert followed().last_run_ended_at is None


def test_the_last_run_counts() -> None:
    assert after(*ran("1", "pytest", 1, FAIL), *ran("2", "pytest", 0, PASS)) == PASSED
    assert after(*ran("1", "pytest", 0, PASS), *ran("2", "pytest", 1, FAIL), *ran("3", "ls", 0, "")) == FAILED


def test_a_change_after_the_run_makes_it_stale() -> None:
    stale = Tests(ran=True, passed=True, total=2, failed=0, command="pytest", stale=True)
    assert after(changed(), *ran("1", "pytest", 0, PASS)) == PASSED
    assert after(*ran("1", "pytest", 0, PASS), changed()) == stale
    assert after(started("1"), changed(), finished("1", "pytest", 0, PASS)) == stale
    assert after(*ran("1", "pytest", 0, PASS), changed(), *ran("2", "pytest", 0, PASS)) == PASSED


def test_a_change_seen_on_disk_makes_it_stale_too() -> None:
    evidence = followed(*ran("1", "pytest", 0, PASS, ts=7.0))
    assert evidence.last_run_ended_at == 7.0
    evidence.mark_stale()
    assert evidence.tests().stale
    for event in ran("2", "pytest", 0, PASS):
        evidence(event)
    assert evidence.tests() == PASSED


def test_runs_side_by_side_count_as_one() -> None:
    both = after(started("1"), started("2"), finished("2", "pytest b", 1, FAIL), finished("1", "pytest a", 0, PASS))
    assert both == Tests(ran=True, passed=False, total=5, failed=1, command="pytest b; pytest a")


def test_a_command_that_only_prints_does_not_hide_the_run_before() -> None:
    assert after(*ran("1", "pytest", 1, FAIL), *ran("2", "echo '2 passed in 0.01s'", 0, PASS)) == FAILED


def test_other_tools_results_are_no_evidence() -> None:
    assert after(ToolFinished(call_id="1", name="read", content=as_content(PASS))) == Tests()
    assert after(finished("1", "pytest", 0, PASS, name="git")) == Tests()


def test_a_background_run_is_unknown_until_it_ends() -> None:
    begun = [started("1", "background"), finished("1", "pytest", None, "job 1", job="1", name="background")]
    assert after(*begun) == Tests(ran=True, command="pytest")
    assert followed(*begun).last_run_ended_at is None
    ended = BackgroundFinished(job="1", command="pytest", exit_code=1, ts=3.0)
    assert after(*begun, ended) == Tests(ran=True, passed=False, command="pytest")
    assert followed(*begun, ended).last_run_ended_at == 3.0
    read = [started("2", "background"), finished("2", "pytest", 0, f"..\n{PASS}", job="1", name="background")]
    succeeded = BackgroundFinished(job="1", command="pytest", exit_code=0)
    assert after(*begun, succeeded) == Tests(ran=True, command="pytest")
    assert after(*begun, succeeded, *read) == PASSED
    assert after(*begun, *read) == PASSED


def test_the_pieces_of_a_jobs_output_are_put_together() -> None:
    begun = [started("1"), finished("1", "pytest", None, "1 passed in 0.5s looks like it\n..F", job="1")]
    failing = [started("2"), finished("2", "pytest", None, f"=== FAILURES ===\n{FAIL}", job="1", name="background")]
    last = [started("3"), finished("3", "pytest", 1, "(nothing new)", job="1", name="background")]
    assert after(*begun) == Tests(ran=True, command="pytest")
    assert after(*begun, *failing) == FAILED
    assert after(*begun, *failing, *last) == FAILED


def test_a_foreground_run_after_a_background_run_counts() -> None:
    begun = [started("1"), finished("1", "pytest -x", None, "", job="1")]
    ended = BackgroundFinished(job="1", command="pytest -x", exit_code=1)
    assert after(*begun, *ran("2", "pytest", 0, PASS), ended) == PASSED


def test_a_file_changed_while_it_runs_in_the_background_makes_it_stale() -> None:
    begun = [started("1"), finished("1", "pytest", None, "", job="1")]
    read = [started("2"), finished("2", "pytest", 0, PASS, job="1", name="background")]
    assert after(*begun, changed(), *read).stale


def test_verify_is_a_test_run_too() -> None:
    verify = VerifyFinished(command="pytest", passed=True, exit_code=0, output=PASS, ts=9.0)
    assert after(*ran("1", "pytest", 1, FAIL), changed(), verify) == PASSED
    assert followed(verify).last_run_ended_at == 9.0
    script = VerifyFinished(command="./ci.sh --all", passed=True, exit_code=0, output=PASS)
    assert after(script) == Tests(ran=True, passed=True, total=2, failed=0, command="./ci.sh --all")
    silent = VerifyFinished(command="test -f done", passed=False, exit_code=1, output="")
    assert after(*ran("1", "pytest", 0, PASS), silent) == PASSED


def test_what_was_observed_is_reported_once() -> None:
    reported: list[TestsObserved] = []
    evidence = Evidence(reported.append)
    begun = [started("1"), finished("1", "pytest", None, "", job="1")]
    ended = BackgroundFinished(job="1", command="pytest", exit_code=0)
    again = [started("2"), finished("2", "pytest", 0, PASS, job="1", name="background")]
    nothing_new = [started("3"), finished("3", "pytest", 0, "(nothing new)", job="1", name="background")]
    for event in (*begun, ended, *again, *nothing_new, *ran("4", "ls", 0, "")):
        evidence(event)
    assert reported == [
        TestsObserved(command="pytest", passed=None),
        TestsObserved(command="pytest", passed=True, total=2, failed=0),
    ]


def test_it_may_publish_on_the_bus_that_it_listens_to() -> None:
    seen: list[Event] = []

    def publish(event: Event) -> None:
        seen.append(event)
        evidence(event)

    evidence = Evidence(publish)
    for event in ran("1", "pytest", 0, PASS):
        publish(event)
    assert [type(event) for event in seen] == [ToolStarted, ToolFinished, TestsObserved]
    assert evidence.tests() == PASSED
