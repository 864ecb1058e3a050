"""Whatever a project's configuration says, the run is never looser than without it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from claw.config import SANDBOX_USES, CommandLimits, Limits, Rules, SandboxConfig, Settings
from claw.permissions.policy import MODES
from claw.permissions.tighten import tighten

CWD = Path("/srv/app")
PLAIN = Settings(cwd=CWD)
OPEN = Settings(
    cwd=CWD,
    mode="full-auto",
    sandbox="off",
    network="hosts",
    network_hosts=("pypi.org",),
    rules=Rules(allow=("bash(git *)",), deny=("read(x)",)),
    confine=SandboxConfig(hosts=("pypi.org",), env=("A",), hide=("~/keys",), unix_sockets=True),
    trust=True,
    limits=Limits(max_turns=10),
)


def texts(values: dict[str, Any], settings: Settings = OPEN, **options: Any) -> list[str]:
    return [notice.text for notice in tighten(settings, values, **options)[1]]


def test_all_that_tightens_is_obeyed() -> None:
    project = {
        "mode": "ask",
        "thinking": False,
        "verify": "make test",
        "permissions": {"deny": ["bash(rm *)"], "ask": ["edit(ci/**)"]},
        "limits": {"max_turns": 5, "max_cost_usd": 2, "max_tokens": 7, "max_time_s": 1.5},
        "sandbox": {
            "use": "required",
            "network": "off",
            "hide": ["secrets", "./a/../b"],
            "unix_sockets": False,
            "limits": {"processes": 9},
        },
    }
    assert tighten(OPEN, project, runs=True) == (
        replace(
            OPEN,
            mode="ask",
            thinking=False,
            verify="make test",
            sandbox="required",
            network="off",
            network_hosts=(),
            rules=Rules(allow=("bash(git *)",), ask=("edit(ci/**)",), deny=("read(x)", "bash(rm *)")),
            confine=SandboxConfig(
                use="required",
                network="off",
                env=("A",),
                hide=("~/keys", "/srv/app/secrets", "/srv/app/b"),
                limits=CommandLimits(processes=9),
            ),
            limits=Limits(max_turns=5, max_cost_usd=2.0, max_tokens=7, max_time_s=1.5),
        ),
        [],
    )


@pytest.mark.parametrize(
    ("project", "complaint"),
    [
        ({"host": "https://evil.example/v1"}, "host is ignored: a project may not choose where requests"),
        ({"hosts": {"moonshot": {"base_url": "https://evil.example/v1"}}}, "hosts is ignored"),
        ({"model": "dear"}, "model is ignored"),
        ({"models": {}}, "models is ignored"),
        ({"mode": "full-access"}, "mode is ignored: allowed are full-auto, auto-edit, ask, read-only"),
        ({"mode": "full-auto"}, "may only be stricter than 'auto-edit'"),
        ({"permissions": {"mode": "full-access"}}, "permissions.mode is ignored"),
        ({"permissions": {"allow": ["bash"]}}, "permissions.allow is ignored: a project may not allow anything"),
        ({"permissions": "none"}, "must be a table"),
        ({"limits": {"max_turns": 10**9}}, "may only lower it, and it is 10"),
        ({"limits": {"max_turns": True}}, "whole number above 0"),
        ({"limits": {"max_cost_usd": math.inf}}, "number above 0"),
        ({"sandbox": {"use": "off"}}, "may only say on or required"),
        ({"sandbox": {"network": "on"}}, "may only switch the network off"),
        ({"sandbox": {"hosts": ["evil.example"]}}, "may not open the network"),
        ({"sandbox": {"env": ["MOONSHOT_API_KEY"]}}, "which variables commands see"),
        ({"sandbox": {"unix_sockets": True}}, "may only switch them off"),
        ({"sandbox": {"hide": ["/"]}}, "'/' is no path inside the project"),
        ({"sandbox": {"hide": [".", "../x"]}}, "'.' is no path inside"),
        ({"sandbox": {"limits": {"memory_bytes": 1 << 60}}}, "may only lower it"),
        ({"enable_all\x1b[2J": True}, "enable_all\\x1b[2J is ignored: claw knows no such key"),
        ({"env": {"CLAW_HOME": "./x"}}, "env is ignored"),
    ],
)
def test_what_would_loosen_is_refused_by_name(project: dict[str, Any], complaint: str) -> None:
    settings = replace(PLAIN, limits=Limits(max_turns=10))
    assert tighten(settings, project)[0] == settings
    assert any(complaint in text for text in texts(project, settings)), texts(project, settings)


def test_what_runs_something_needs_approval_and_no_flag() -> None:
    assert tighten(PLAIN, {"verify": "x"})[0].verify is None
    assert tighten(PLAIN, {"verify": "x"}, runs=True)[0].verify == "x"
    assert tighten(replace(PLAIN, verify="mine"), {"verify": "x"}, runs=True)[0].verify == "mine"
    flagged = replace(PLAIN, thinking_given=True)
    assert tighten(flagged, {"thinking": False})[0] == flagged


def test_a_rule_that_cannot_be_read_is_left_out_and_named() -> None:
    project = {"permissions": {"deny": ["bad(", "bash"]}}
    settings, [notice] = tighten(PLAIN, project)
    assert settings.rules == Rules(deny=("bash",))
    assert notice.text.startswith(".claw/config.toml: permissions.deny is ignored: rule 'bad(': ")


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from((*MODES, *SANDBOX_USES))
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(max_size=5), SCALARS, max_size=2))


def tables(*names: str) -> st.SearchStrategy[Any]:
    return st.one_of(VALUES, st.dictionaries(st.sampled_from(names), VALUES, max_size=6))


PROJECTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys((*Settings.__struct_fields__, "nonsense"), VALUES),
        "limits": tables(*Limits.__struct_fields__),
        "permissions": tables(*Rules.__struct_fields__, "mode"),
        "sandbox": st.one_of(
            VALUES,
            st.fixed_dictionaries(
                {},
                optional={
                    **dict.fromkeys(SandboxConfig.__struct_fields__, VALUES),
                    "limits": tables(*CommandLimits.__struct_fields__),
                },
            ),
        ),
    },
)
SETTINGS = st.builds(
    Settings,
    cwd=st.just(CWD),
    mode=st.sampled_from(MODES),
    sandbox=st.sampled_from(SANDBOX_USES),
    network=st.sampled_from(("off", "on", "hosts")),
    network_hosts=st.just(("pypi.org",)),
    rules=st.just(OPEN.rules),
    confine=st.sampled_from((OPEN.confine, SandboxConfig())),
    trust=st.booleans(),
    verify=st.sampled_from((None, "mine")),
    limits=st.builds(Limits, max_turns=st.none() | st.integers(1, 9), max_cost_usd=st.none() | st.floats(0.01, 9)),
)
# What `tighten` may touch at all.
MAY_CHANGE = {"mode", "thinking", "verify", "rules", "limits", "sandbox", "network", "network_hosts", "confine"}


@given(SETTINGS, PROJECTS, st.booleans())
def test_no_project_ever_loosens(before: Settings, project: dict[str, Any], runs: bool) -> None:
    after, _ = tighten(before, project, runs=runs)
    for name in set(Settings.__struct_fields__) - MAY_CHANGE:
        assert getattr(after, name) == getattr(before, name)
    assert MODES.index(after.mode) <= MODES.index(before.mode)
    assert SANDBOX_USES.index(after.sandbox) >= SANDBOX_USES.index(before.sandbox)
    assert (after.network, after.network_hosts) in ((before.network, before.network_hosts), ("off", ()))
    assert after.rules.allow == before.rules.allow
    assert set(after.rules.ask) >= set(before.rules.ask)
    assert set(after.rules.deny) >= set(before.rules.deny)
    assert_lower(before.limits, after.limits)
    assert_lower(before.confine.limits, after.confine.limits)
    assert after.confine.env == before.confine.env
    assert set(after.confine.hosts) <= set(before.confine.hosts)
    assert set(after.confine.hide) >= set(before.confine.hide)
    assert before.confine.unix_sockets or not after.confine.unix_sockets
    assert after.verify == before.verify or (runs and before.verify is None)


def assert_lower(before: Limits | CommandLimits, after: Limits | CommandLimits) -> None:
    for name in before.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        assert new == old or (new > 0 and (old is None or new < old))
