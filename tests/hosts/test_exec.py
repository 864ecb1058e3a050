"""The same long run by `claw exec`, as a process, with nothing but a config file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Claw, Done, make_repository
from tests.fakes.model_server import ModelServer
from tests.hosts.conversation import N_TURNS, SCHEMA, SimulatedModel, final_answer, plan, write_notes
from tests.hosts.enforcing_server import EnforcingHost
from tests.hosts.pictures import png
from tests.hosts.rules import RULES, HostRules


def run_exec(rules: HostRules, host: EnforcingHost, folder: Path, dialect: str = "") -> Done:
    repository = make_repository(folder / "repo", {"README.md": "Notes.\n"})
    write_notes(repository)
    (repository / "picture.png").write_bytes(png())
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    claw = Claw(repository, folder / "home")
    config_file = claw.home / "claw" / "config" / "config.toml"
    config_file.parent.mkdir(parents=True)
    with ModelServer(host) as server:
        address = server.url.removesuffix("/v1") + rules.base_path
        config_file.write_text(f'[hosts.{rules.name}]\nbase_url = "{address}"\n{dialect}\n')
        keys = {rules.key_variable: rules.key} if rules.key else {}
        return claw.run(
            "exec", "Collect the words of all notes.", "--host", rules.name, "--image", "picture.png",
            "--output-schema", str(folder / "schema.json"), "--output-format", "json",
            **rules.environ, **keys,
        )  # fmt: skip


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_a_run_of_thirty_turns(rules: HostRules, tmp_path: Path) -> None:
    host = EnforcingHost(rules, SimulatedModel(plan(rules.leaks_raw_calls), steers=()))
    done = run_exec(rules, host, tmp_path)
    assert done.code == 0, done.stdout + done.stderr
    result = done.json
    assert (result["status"], result["structured"], result["turns"]) == ("done", final_answer(), N_TURNS)
    assert [*host.refusals, *host.degraded, *host.model.complaints] == []
    assert len(host.affinities) == 1
    assert result["usage"]["cached"] == host.n_cached_tokens > result["usage"]["input"] // 2


@pytest.mark.parametrize(
    ("name", "dialect", "code", "said"),
    [
        ("moonshot", 'reasoning = "none"', 1, "reasoning_content is missing in assistant tool call message at index 2"),
        ("moonshot", "sampling_thinking = { temperature = 0.7 }", 1, "invalid temperature: only 1 is allowed"),
        ("vllm", 'reasoning = "reasoning_content"', 6, "does not fit the schema"),
    ],
)
def test_a_config_file_can_break_it(name: str, dialect: str, code: int, said: str, tmp_path: Path) -> None:
    rules = RULES[name]
    host = EnforcingHost(rules, SimulatedModel(plan(rules.leaks_raw_calls), steers=()))
    done = run_exec(rules, host, tmp_path, f"[hosts.{name}.dialect]\n{dialect}")
    assert (done.code, done.json["structured"]) == (code, None)
    assert said in done.json["error"]
