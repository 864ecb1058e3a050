from __future__ import annotations

from pathlib import Path

import pytest

from claw.config import Rules
from claw.permissions.base import Decision
from claw.permissions.policy import MODES, PolicyGate
from claw.permissions.rules import RuleBook
from claw.tooling.base import Access, Effect
from claw.tooling.boundary import Boundary

ROOT, HOME = Path("/srv/repo"), Path("/home/someone")
BOUNDARY = Boundary((ROOT,), readable=(Path("/usr/share/doc"),), hidden=(HOME / ".ssh",))


def reads(*paths: str) -> Access:
    return Access(Effect.READ, reads=frozenset(map(Path, paths)))


def writes(*paths: str) -> Access:
    return Access(Effect.WRITE, writes=frozenset(map(Path, paths)))


def runs(command: str) -> Access:
    return Access(Effect.EXECUTE, reads_all=True, command=command, cwd=ROOT)


def fetches(url: str) -> Access:
    return Access(Effect.READ, url=url)


CALLS = {
    "read inside": ("read", reads("/srv/repo/a.py")),
    "read docs": ("read", reads("/usr/share/doc/x")),
    "read outside": ("read", reads("/etc/hosts")),
    "read .env": ("read", reads("/srv/repo/.env")),
    "read keys": ("read", reads("/home/someone/.ssh/id")),
    "edit inside": ("edit", writes("/srv/repo/src/a.py")),
    "edit elsewhere": ("edit", writes("/srv/repo-evil/a.py")),
    "edit a hook": ("write", writes("/srv/repo/.GIT/hooks/x")),
    "edit keys": ("patch", writes("/home/someone/.ssh/id")),
    "edit both": ("patch", writes("/srv/repo/a.py", "/srv/repo-evil/a.py")),
    "command": ("bash", runs("make")),
    "job": ("background", runs("make")),
    "commit": ("git", Access(Effect.WRITE, writes=frozenset({ROOT / ".git"}), reads_all=True)),
    "log": ("git", reads("/srv/repo/.git")),
    "log above": ("git", reads("/srv/.git")),
    "log elsewhere": ("git", reads("/other/.git")),
    "fetch": ("web_fetch", fetches("https://docs.python.org/3/")),
    "todo": ("todo", Access(Effect.NONE)),
}
YES, ASK, NO = Decision.ALLOW, Decision.ASK, Decision.DENY
TABLE = {
    #                  read-only  ask  auto-edit  full-auto
    "read inside":    (YES,       YES, YES,       YES),
    "read docs":      (YES,       YES, YES,       YES),
    "read outside":   (ASK,       ASK, ASK,       NO),
    "read .env":      (ASK,       ASK, ASK,       NO),
    "read keys":      (NO,        NO,  NO,        NO),
    "edit inside":    (NO,        ASK, YES,       YES),
    "edit elsewhere": (NO,        ASK, ASK,       NO),
    "edit a hook":    (NO,        ASK, ASK,       NO),
    "edit keys":      (NO,        NO,  NO,        NO),
    "edit both":      (NO,        ASK, ASK,       NO),
    "command":        (YES,       ASK, YES,       YES),
    "job":            (YES,       ASK, YES,       YES),
    "commit":         (NO,        ASK, YES,       YES),
    "log":            (YES,       YES, YES,       YES),
    "log above":      (YES,       YES, YES,       YES),
    "log elsewhere":  (ASK,       ASK, ASK,       NO),
    "fetch":          (ASK,       ASK, ASK,       NO),
    "todo":           (YES,       YES, YES,       YES),
}  # fmt: skip


def gate(mode: str = "ask", *, confined: bool = True, boundary: Boundary = BOUNDARY, network: str = "off",
         hosts: tuple[str, ...] = (), **rules: tuple[str, ...]) -> PolicyGate:  # fmt: skip
    book = RuleBook(Rules(**rules), HOME)
    return PolicyGate(mode, boundary, book, confined=confined, cwd=ROOT, network=network, hosts=hosts)


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("mode", MODES)
def test_the_table_of_modes(mode: str, name: str) -> None:
    assert gate(mode).judge(*CALLS[name]).decision is TABLE[name][MODES.index(mode)]


def test_in_read_only_nothing_is_written_even_where_the_boundary_forgets_it() -> None:
    read_only = Boundary((ROOT,), read_only=True)
    assert gate("read-only", boundary=read_only).judge("edit", writes("/elsewhere/a")).decision is NO
    allowing = gate("read-only", boundary=read_only, allow=("edit(/elsewhere/**)", "edit"))
    assert allowing.judge("edit", writes("/elsewhere/a")).decision is NO
    assert gate("read-only", allow=("edit", "edit(**)")).judge("edit", writes("/srv/repo/a")).decision is NO


@pytest.mark.parametrize(
    ("mode", "expected"), [("read-only", NO), ("ask", ASK), ("auto-edit", ASK), ("full-auto", YES)]
)
def test_commands_without_a_sandbox(mode: str, expected: Decision) -> None:
    assert gate(mode, confined=False).judge("bash", runs("make")).decision is expected


def test_an_unconfined_boundary_objects_to_keys_alone() -> None:
    free = gate("full-auto", confined=False, boundary=Boundary((ROOT,), hidden=(HOME / ".ssh",), unconfined=True))
    assert free.judge("edit", writes("/etc/hosts")).decision is YES
    assert free.judge("read", reads("/home/someone/.ssh/id")).decision is NO


RULED: dict[str, tuple[str, dict[str, tuple[str, ...]], tuple[str, Access], Decision]] = {
    "an edit": ("ask", {"allow": ("edit(src/**)",)}, ("write", writes("/srv/repo/src/a/b.py")), YES),
    "another": ("ask", {"allow": ("edit(src/**)",)}, ("write", writes("/srv/repo/lib/b.py")), ASK),
    "every edit": ("ask", {"allow": ("edit",)}, ("patch", writes("/srv/repo/lib/b.py")), YES),
    "but none elsewhere": ("ask", {"allow": ("edit",)}, ("patch", writes("/srv/lib/b.py")), ASK),
    "one tool alone": ("ask", {"allow": ("write(src/**)",)}, ("edit", writes("/srv/repo/src/b.py")), ASK),
    "elsewhere, named": ("full-auto", {"allow": ("edit(/srv/lib/**)",)}, ("patch", writes("/srv/lib/b.py")), YES),
    "protected, not named": ("auto-edit", {"allow": ("edit(**)",)}, ("edit", writes("/srv/repo/.vscode/x")), ASK),
    "protected, named": ("auto-edit", {"allow": ("edit(.vscode/**)",)}, ("edit", writes("/srv/repo/.vscode/x")), YES),
    "hidden, named": ("auto-edit", {"allow": ("edit(~/.ssh/**)",)}, ("edit", writes("/home/someone/.ssh/x")), NO),
    "hidden, read": ("auto-edit", {"allow": ("read(~/.ssh/**)",)}, ("read", reads("/home/someone/.ssh/x")), NO),
    "a read": ("auto-edit", {"allow": ("read(/etc/**)",)}, ("grep", reads("/etc")), YES),
    "secrets, not named": ("auto-edit", {"allow": ("read(**)",)}, ("read", reads("/srv/repo/.env")), ASK),
    "secrets, named": ("auto-edit", {"allow": ("read(.env)",)}, ("read", reads("/srv/repo/a/.env")), YES),
    "deny beats allow": ("full-auto", {"allow": ("edit(src/a/b.py)",), "deny": ("edit(src/**)",)},
                         ("edit", writes("/srv/repo/src/a/b.py")), NO),
    "deny beats ask": ("ask", {"ask": ("edit",), "deny": ("edit(src/**)",)}, ("edit", writes("/srv/repo/src/a")), NO),
    "ask beats allow": ("auto-edit", {"allow": ("edit(src/a)",), "ask": ("edit(src/**)",)},
                        ("edit", writes("/srv/repo/src/a")), ASK),
    "ask is no in full-auto": ("full-auto", {"ask": ("edit(src/**)",)}, ("edit", writes("/srv/repo/src/a")), NO),
    "case does not help": ("auto-edit", {"deny": ("edit(src/**)",)}, ("edit", writes("/srv/repo/SRC/a")), NO),
    "case counts": ("ask", {"allow": ("edit(src/**)",)}, ("edit", writes("/srv/repo/SRC/a")), ASK),
    "not read, not edited": ("auto-edit", {"deny": ("read(keys/**)",)}, ("edit", writes("/srv/repo/keys/a")), NO),
    "a commit": ("ask", {"allow": ("git(commit)",)}, CALLS["commit"], YES),
    "no commit": ("full-auto", {"deny": ("git(commit)",)}, CALLS["commit"], NO),
    "no commit, but a log": ("full-auto", {"deny": ("git(commit)",)}, CALLS["log"], YES),
    "no tool at all": ("full-auto", {"deny": ("todo",)}, CALLS["todo"], NO),
    "a command": ("ask", {"allow": ("bash(make *)",)}, ("bash", runs("make all")), YES),
    "a job, too": ("ask", {"allow": ("bash(make *)",)}, ("background", runs("make all && make b")), YES),
    "one of two": ("ask", {"allow": ("bash(make *)",)}, ("bash", runs("make && rm x")), ASK),
    "no sandbox, but a rule": ("auto-edit", {"allow": ("bash(make *)",)}, ("bash", runs("make")), YES),
    "any command": ("ask", {"allow": ("bash",)}, ("bash", runs("f() { g; }; f $((x))")), YES),
    "this very line": ("ask", {"allow": ("bash(a | b > $c)",)}, ("bash", runs(" a | b > $c ")), YES),
    "denied": ("full-auto", {"deny": ("bash(rm *)",)}, ("bash", runs("ls && rm x")), NO),
    "denied by another path": ("full-auto", {"deny": ("bash(rm *)",)}, ("bash", runs("/bin/rm x")), NO),
    "denied behind a wrapper": ("auto-edit", {"deny": ("bash(rm *)",)}, ("bash", runs("timeout 5 nice rm x")), NO),
    "denied in a substitution": ("auto-edit", {"deny": ("bash(rm *)",)}, ("bash", runs('echo "$(rm x)"')), NO),
    "perhaps denied": ("auto-edit", {"deny": ("bash(git push *)",)}, ("bash", runs("git $x")), ASK),
    "unreadable where some are denied": ("auto-edit", {"deny": ("bash(rm *)",)}, ("bash", runs("$x y")), ASK),
    "perhaps denied, in full-auto": ("full-auto", {"deny": ("bash(rm *)",)}, ("bash", runs("$x y")), NO),
    "not denied": ("auto-edit", {"deny": ("bash(rm *)",)}, ("bash", runs("ls rm; mv a b")), YES),
    "written by a command": ("auto-edit", {"deny": ("edit(src/**)",)}, ("bash", runs("echo > src/a")), NO),
    "asked": ("auto-edit", {"ask": ("bash(git push *)",)}, ("bash", runs("git push origin")), ASK),
    "a host": ("full-auto", {"allow": ("web_fetch(*.python.org)",)}, CALLS["fetch"], YES),
    "its parent": ("ask", {"allow": ("web_fetch(*.docs.python.org)",)}, CALLS["fetch"], ASK),
    "any host": ("full-auto", {"allow": ("web_fetch",)}, CALLS["fetch"], YES),
    "not this host": ("ask", {"allow": ("web_fetch",), "deny": ("web_fetch(docs.python.org)",)}, CALLS["fetch"], NO),
}  # fmt: skip


@pytest.mark.parametrize("name", RULED)
def test_rules_before_modes(name: str) -> None:
    mode, rules, call, expected = RULED[name]
    assert gate(mode, **rules).judge(*call).decision is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://pypi.org/simple", YES),
        ("https://PyPI.org./simple", YES),
        ("https://files.pypi.org", ASK),
        ("https://pypi.org:8443", ASK),
        ("https://pypi.org@evil.org/", NO),
        ("https://evil.org\\@pypi.org/", NO),
        ("ftp://pypi.org", NO),
        ("file:///etc/passwd", NO),
        ("https://", NO),
        ("https://[::1", NO),
        ("https://x.example.org:8443", YES),
    ],
)
def test_the_hosts_of_the_session_may_be_fetched(url: str, expected: Decision) -> None:
    limited = gate(network="hosts", hosts=("pypi.org", "*.example.org:8443"))
    assert limited.judge("web_fetch", fetches(url)).decision is expected


def test_with_the_network_on_every_host_may_be_fetched() -> None:
    assert gate("full-auto", network="on").judge(*CALLS["fetch"]).decision is YES


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if ASK in row])
def test_what_is_suggested_would_have_allowed_it(name: str) -> None:
    tool, access = CALLS[name]
    for mode in MODES:
        verdict = gate(mode).judge(tool, access)
        if verdict.decision is ASK and verdict.suggestion:
            assert verdict.suggestion in verdict.reason
            assert gate(mode, allow=(verdict.suggestion,)).judge(tool, access).decision is YES


SUGGESTED = {
    "make": "bash(make)",
    "git log -3": "bash(git log *)",
    "timeout 5 git log -3": "bash(git log *)",
    "python 'a b.py'": "bash(python 'a b.py')",
    "git -c a.b=c log": "bash(git -c a.b=c log)",
    "make && rm x": "bash(make && rm x)",
    "x=$(y); echo $x": "bash(y)",
    "rm *": "",
    "rm * && y": "bash(rm * && y)",
    "a\nb": "",
    "git log > out": "bash(git log > out)",
}


@pytest.mark.parametrize("line", SUGGESTED)
def test_the_suggestion_for_a_command(line: str) -> None:
    verdict = gate().judge("bash", runs(line))
    assert verdict.suggestion == SUGGESTED[line]
    if verdict.suggestion:
        assert gate(allow=(verdict.suggestion,)).judge("bash", runs(line)).decision is YES


def test_the_reason_names_what_is_wrong_and_what_would_help() -> None:
    assert gate("auto-edit").judge(*CALLS["edit elsewhere"]).reason == (
        "/srv/repo-evil/a.py lies outside the folders that may be written: /srv/repo; "
        "to allow it: --allow 'edit(/srv/repo-evil/a.py)'"
    )
    verdict = gate().judge("bash", runs("make all && echo done && sudo id"))
    assert verdict.segments == ("make all", "sudo id (sudo runs what it is given)")
    assert verdict.reason.startswith("the mode is ask, and no rule allows make all; sudo id (sudo runs")


def test_a_search_is_kept_out_of_what_is_denied(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    (root / "src").mkdir()
    (root / "keys").mkdir()
    (root / "keys/a.pem").touch()
    book = RuleBook(Rules(deny=("read(**/*.pem)",)), HOME)
    judge = PolicyGate("auto-edit", Boundary((root,)), book, confined=True, cwd=root).judge
    assert judge("grep", reads(str(root))).decision is NO
    assert judge("grep", reads(str(root / "src"))).decision is YES
    hiding = Boundary((root,), hidden=(root / "keys",))
    assert PolicyGate("auto-edit", hiding, book, confined=True, cwd=root).judge("ls", reads(str(root))).decision is YES


def test_a_redirection_follows_links(tmp_path: Path) -> None:
    root = tmp_path.resolve() / "repo"
    root.mkdir()
    (root / "out").symlink_to(tmp_path / "elsewhere")
    book = RuleBook(Rules(allow=("bash(make)", "edit(./out)", "edit(./fine)")), HOME)
    judge = PolicyGate("ask", Boundary((root,)), book, confined=True, cwd=root).judge
    assert judge("bash", Access(Effect.EXECUTE, command="make > out", cwd=root)).decision is ASK
    assert judge("bash", Access(Effect.EXECUTE, command="make > fine", cwd=root)).decision is YES
