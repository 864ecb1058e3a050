"""What a run meets in the world: folders without git, odd files, a model that sends nonsense."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e.conftest import Claw, tool_results
from tests.fakes.model_server import ModelServer, call, say


def results_of(claw: Claw, *calls: tuple[str, dict[str, object] | str]) -> list[str]:
    with ModelServer([call(*calls), say("Done.")]) as server:
        done = claw.exec(server, "go", "--output-format", "stream-json")
    assert "Traceback" not in done.stderr
    return list(tool_results(server))


def test_not_a_git_repository(claw: Claw, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    with ModelServer([call(("git", {"action": "status"}), ("ls", {"path": "."})), say("Done.")]) as server:
        done = claw.exec(server, "--cwd", str(folder), "go", "--output-format", "stream-json")
    assert done.code == 0
    assert done.of("notice")[0]["text"] == "not a git repository: git features are off"
    assert "git features are off" in next(iter(tool_results(server)))


def test_files_that_are_hard_to_read(claw: Claw) -> None:
    (claw.repository / "binary").write_bytes(bytes(range(256)) * 20)
    (claw.repository / "latin").write_bytes("caf\xe9\n".encode("latin-1"))
    (claw.repository / "empty").touch()
    os.mkfifo(claw.repository / "pipe")
    with (claw.repository / "huge").open("wb") as file:
        file.truncate(3 << 30)
    names = ("binary", "latin", "empty", "pipe", "huge", "absent", "calc")
    results = dict(zip(names, results_of(claw, *(("read", {"path": name}) for name in names)), strict=True))
    assert "binary" in results["binary"]
    assert "café" in results["latin"]
    assert "empty" in results["empty"]
    assert "regular file" in results["pipe"]
    assert results["huge"]
    assert "absent" in results["absent"]
    assert "folder" in results["calc"] or "directory" in results["calc"]


def test_nonsense_from_the_model_runs_nothing(claw: Claw) -> None:
    results = results_of(
        claw,
        ("shell", {"command": "touch canary"}),
        ("bash", '{"command": "touch canary"'),
        ("bash", {"command": 7}),
        ("bash", '["touch canary"]'),
        ("bash", {"cmd": "touch canary"}),
    )
    assert "there is no tool 'shell'" in results[0]
    assert "not valid JSON" in results[1]
    assert all("schema" in text for text in results[1:])
    assert not (claw.repository / "canary").exists()


def test_an_edit_leaves_everything_else_as_it_was(claw: Claw) -> None:
    before = "\ufeffone\r\ntwo\nthree\r\nfour".encode()
    path = claw.repository / "mixed.txt"
    path.write_bytes(before)
    path.chmod(0o755)
    script = [
        call(("read", {"path": "mixed.txt"})),
        call(("edit", {"path": "mixed.txt", "edits": [{"old": "three", "new": "THREE"}]})),
        say("Done."),
    ]
    with ModelServer(script) as server:
        claw.exec(server, "go")
    assert path.read_bytes() == before.replace(b"three", b"THREE")
    assert path.stat().st_mode & 0o777 == 0o755


def test_keys_do_not_reach_commands_nor_the_log(claw: Claw) -> None:
    key = "sk-canary-0123456789abcdef"
    with ModelServer([call(("bash", {"command": "env"})), say("Done.")]) as server:
        claw.exec(server, "go", CLAW_API_KEY=key, MOONSHOT_API_KEY=key + "-2")
    assert server.requests[0].headers["authorization"] == f"Bearer {key}"
    assert key not in next(iter(tool_results(server)))
    assert not [path for path in claw.home.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]


def test_a_key_for_another_host_is_never_sent(claw: Claw) -> None:
    with ModelServer([say("Done.")]) as server:
        claw.exec(server, "go", MOONSHOT_API_KEY="sk-for-moonshot-only")
    assert "authorization" not in server.requests[0].headers


def test_a_huge_output_is_capped_and_kept(claw: Claw) -> None:
    (text,) = results_of(claw, ("bash", {"command": "seq 1 200000"}))
    assert len(text) < 52_000
    assert text.startswith("1\n2\n")
    assert "\n199999\n200000\n" in text
    (blob,) = [path for path in claw.home.rglob("blobs/*") if path.stat().st_size > 1_000_000]
    assert str(blob) in text


def test_a_child_that_holds_the_pipe_does_not_hang_the_call(claw: Claw) -> None:
    (text,) = results_of(claw, ("bash", {"command": "sleep 45 & echo started"}))
    assert "started" in text


def test_agents_files_from_the_top_down_to_the_folder(claw: Claw) -> None:
    (claw.repository / "AGENTS.md").write_text("Rule of the top.\n")
    (claw.repository / "calc" / "AGENTS.md").write_text("Rule of calc.\n")
    (claw.repository / "tests" / "AGENTS.md").write_text("Rule of tests.\n")
    with ModelServer([say("Done.")]) as server:
        claw.exec(server, "--trust", "--cwd", "calc", "go")
    system = server.requests[0].messages[0]["content"]
    assert system.index("Rule of the top.") < system.index("Rule of calc.")
    assert "Rule of tests." not in system


def test_a_folder_that_is_not_trusted_says_nothing(claw: Claw) -> None:
    (claw.repository / "AGENTS.md").write_text("Rule of the top.\n")
    with ModelServer([say("Done.")]) as server:
        done = claw.exec(server, "--output-format", "stream-json", "go")
    assert "Rule of the top." not in str(server.requests[0].body)
    assert any("not trusted, and not read" in notice["text"] for notice in done.of("notice"))
