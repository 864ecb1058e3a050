from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from claw.config import Config, Limits, Rules, SandboxConfig, Settings, load_config, parse_duration, resolve_settings
from claw.errors import UsageError
from claw.paths import Home, find_home


def home_with(tmp_path: Path, config: str) -> Home:
    home = find_home({"CLAW_HOME": str(tmp_path)})
    home.config_file.parent.mkdir(parents=True)
    home.config_file.write_text(config)
    return home


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    config = load_config(home_with(tmp_path, 'host = "file"\nmodel = "file"\nmode = "ask"\n[limits]\nmax_turns = 3\n'))
    environ = {"CLAW_HOST": "env", "CLAW_MODEL": "env"}
    settings = resolve_settings({"host": "flag", "cwd": tmp_path, "max_tokens": 9, "model": None}, environ, config)
    assert settings == Settings(
        cwd=tmp_path, host="flag", model="env", mode="ask", limits=Limits(max_turns=3, max_tokens=9)
    )


CONFINED = """
[sandbox]
use = "required"
hosts = ["pypi.org"]
env = ["JAVA_HOME"]
[permissions]
allow = ["bash(git *)"]
ask = ["edit(ci/**)"]
deny = ["bash(rm *)"]
"""


def test_what_confines_a_run(tmp_path: Path) -> None:
    config = load_config(home_with(tmp_path, CONFINED))
    flags = {
        "cwd": tmp_path,
        "network_hosts": ("*.example.org", "pypi.org"),
        "rules": Rules(allow=("bash(make)",), deny=("edit",)),
        "trust": True,
        "thinking": False,
    }
    assert resolve_settings(flags, {}, config) == Settings(
        cwd=tmp_path,
        thinking=False,
        thinking_given=True,
        sandbox="required",
        network="hosts",
        network_hosts=("pypi.org", "*.example.org"),
        rules=Rules(allow=("bash(git *)", "bash(make)"), ask=("edit(ci/**)",), deny=("bash(rm *)", "edit")),
        confine=SandboxConfig(use="required", hosts=("pypi.org",), env=("JAVA_HOME",)),
        trust=True,
    )
    assert resolve_settings({"cwd": tmp_path, "sandbox": "off"}, {}, config).sandbox == "off"


@pytest.mark.parametrize(
    ("config", "flags", "network", "hosts"),
    [
        ("", {}, "off", ()),
        ("network = 'on'", {}, "on", ()),
        ("network = 'on'\nhosts = ['a.org']", {}, "on", ()),
        ("network = 'off'\nhosts = ['a.org']", {}, "off", ()),
        ("hosts = ['a.org']", {}, "hosts", ("a.org",)),
        ("hosts = ['a.org']", {"network": "off"}, "off", ()),
        ("hosts = ['a.org']", {"network": "on"}, "on", ()),
        ("network = 'off'", {"network_hosts": ("b.org",)}, "hosts", ("b.org",)),
        ("network = 'on'", {"network_hosts": ("b.org",)}, "hosts", ("b.org",)),
        ("", {"network": "on", "network_hosts": ("b.org",)}, "on", ()),
    ],
)
def test_the_network(tmp_path: Path, config: str, flags: dict[str, Any], network: str, hosts: tuple[str, ...]) -> None:
    settings = resolve_settings(
        {"cwd": tmp_path, **flags}, {}, load_config(home_with(tmp_path, f"[sandbox]\n{config}"))
    )
    assert (settings.network, settings.network_hosts) == (network, hosts)


def test_choices_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        resolve_settings({"cwd": tmp_path, "network": "off", "network_hosts": ("a.org",)}, {}, Config())
    for wrong in (SandboxConfig(use="maybe"), SandboxConfig(network="hosts")):
        with pytest.raises(UsageError, match=r"config\.toml: sandbox\.(use|network) = '(maybe|hosts)': allowed are"):
            resolve_settings({"cwd": tmp_path}, {}, Config(sandbox=wrong))


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load_config(find_home({"CLAW_HOME": str(tmp_path)})) == Config()
    assert resolve_settings({"cwd": tmp_path}, {}, Config()) == Settings(cwd=tmp_path, host="moonshot")


@pytest.mark.parametrize("config", ["hosst = 'x'", "[limits]\nmax_turns = 'many'", "host ="])
def test_a_broken_file_is_named(tmp_path: Path, config: str) -> None:
    with pytest.raises(UsageError, match=r"config\.toml"):
        load_config(home_with(tmp_path, config))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--cwd .*no such folder"):
        resolve_settings({"cwd": tmp_path / "absent"}, {}, Config())
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--add-dir .*is not a folder"):
        resolve_settings({"cwd": tmp_path, "add_dirs": (tmp_path / "file",)}, {}, Config())


@pytest.mark.parametrize(
    ("text", "seconds"), [("20s", 20), ("15m", 900), ("12h", 43200), ("1h30m", 5400), ("7", 7), ("0.5s", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "soon", "5x", "-3s", "1h later", "s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        parse_duration(text)
