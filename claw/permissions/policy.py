"""The gate: what runs, what is asked, what is denied.

| mode        | reads inside | edits inside | commands                  | anything else            |
|---          |---           |---           |---                        |---                       |
| `read-only` | yes          | no           | yes if confined, else no  | ask, but nothing written |
| `ask`       | yes          | ask          | ask                       | ask                      |
| `auto-edit` | yes          | yes          | yes if confined, else ask | ask                      |
| `full-auto` | yes          | yes          | yes                       | no                       |

"Inside" is what the boundary does not object to. Anything else is a path outside of it or a protected one,
and an address that neither the network setting nor a rule allows; `full-auto` asks for nothing, so there it
is denied. Where nobody can be asked, the answer is no.

Rules come before the table: deny, then ask, in every mode; then allow, which lifts an objection of the
boundary only where its pattern names the path (`edit(.vscode/**)`, not `edit(**)`), and a final one never.
Nothing that a rule allows is done in `read-only` if it writes.

No program is taken for harmless by its name in `ask`: every published list of such programs had an option
that writes or runs something. What has no effect of its own, such as `echo`, needs no rule.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from claw.errors import UsageError
from claw.permissions.base import Decision, Verdict, strictest
from claw.permissions.commands import CommandJudge
from claw.permissions.patterns import HostPattern, PathPattern, host_of
from claw.permissions.rules import READERS, Rule, RuleBook
from claw.tooling.base import Access, Effect
from claw.tooling.boundary import Boundary, Objection

MODES = ("read-only", "ask", "auto-edit", "full-auto")
_ALLOWED = Verdict(Decision.ALLOW)
_MAX_SEARCHED = 20_000


class PolicyGate:
    """*Shapes*: `mode` is one of `MODES`; `confined`: a sandbox holds commands; `cwd` is the session's folder,
    `network` is `off`, `on` or `hosts`: those of `hosts`.
    *Errors*: UsageError for a host that is none.
    """

    def __init__(
        self,
        mode: str,
        boundary: Boundary,
        book: RuleBook,
        *,
        confined: bool,
        cwd: Path,
        network: str = "off",
        hosts: Sequence[str] = (),
    ) -> None:
        self._mode = mode
        self._boundary = boundary
        self._book = book
        self._confined = confined
        self._network = network
        self._hosts = [HostPattern(host) for host in hosts] if network == "hosts" else []
        self._commands = CommandJudge(book, boundary, cwd)

    def set_mode(self, mode: str) -> None:
        """*Errors*: UsageError to and from `read-only`: boundary and sandbox were made for the mode of the start."""
        if mode not in MODES:
            raise UsageError(f"mode {mode!r}: allowed are {', '.join(MODES)}")
        if "read-only" in (mode, self._mode) and mode != self._mode:
            raise UsageError(f"a session cannot go from {self._mode} to {mode} while it is open")
        self._mode = mode

    def judge(self, tool: str, access: Access) -> Verdict:
        verdicts = [self._tool(tool, access), *self._paths(tool, access)]
        if access.effect is Effect.EXECUTE:
            verdicts.append(self._command(tool, access))
        if access.url:
            verdicts.append(self._fetch(tool, access.url))
        verdict = strictest(verdicts)
        if verdict.decision is Decision.ASK:
            # One answer is for the whole call: its rule must allow all that is asked about.
            asked = [each for each in verdicts if each.decision is Decision.ASK]
            suggestion = asked[0].suggestion if len(asked) == 1 else _common(asked)
            verdict = Verdict(Decision.ASK, _with_remedy(verdict.reason, suggestion), verdict.segments, suggestion)
            if self._mode == "full-auto":
                return Verdict(Decision.DENY, f"{verdict.reason}; full-auto asks for nothing", verdict.segments)
        return verdict

    def _tool(self, tool: str, access: Access) -> Verdict:
        """Rules without a pattern, and tools that say nothing of what they write."""
        for decision, kind, rules in ((Decision.DENY, "deny", self._book.deny), (Decision.ASK, "ask", self._book.ask)):
            for rule in rules:
                if rule.covers(tool) and (rule.pattern is None or self._is_commit(rule, access)):
                    return Verdict(decision, f"the rule {kind} {rule.text} is about every such call")
        if access.effect is Effect.WRITE and not access.writes:
            return self._by_mode(tool, f"{tool} changes something", tool, self._is_allowed(tool, access))
        return _ALLOWED

    def _is_commit(self, rule: Rule, access: Access) -> bool:
        return rule.pattern == "commit" and access.effect is Effect.WRITE

    def _is_allowed(self, tool: str, access: Access) -> bool:
        return any(
            rule.covers(tool) and (rule.pattern is None or self._is_commit(rule, access)) for rule in self._book.allow
        )

    # Paths

    def _paths(self, tool: str, access: Access) -> Iterable[Verdict]:
        if tool == "git":
            yield from self._git(access)
            return
        for path in sorted(access.reads):
            yield self._read(tool, path)
        for path in sorted(access.writes):
            yield self._write(tool, path)

    def _read(self, tool: str, path: Path) -> Verdict:
        if verdict := self._ruled_out("read", tool, path):
            return verdict
        objection = self._boundary.objects_to_read(path)
        if objection and (objection.final or not self._is_lifted("read", tool, path)):
            return _objected(objection, self._path_rule("read", path))
        return _ALLOWED

    def _write(self, tool: str, path: Path) -> Verdict:
        # What may not be read may not be edited: an edit that fails shows what is there.
        if verdict := self._ruled_out("edit", tool, path) or self._ruled_out("read", "read", path):
            return verdict
        if self._mode == "read-only":
            return self._by_mode(tool, f"{path} would be changed", "", is_allowed=False)
        objection = self._boundary.objects_to_write(path)
        suggestion = self._path_rule("edit", path)
        is_lifted = self._is_lifted("edit", tool, path)
        if objection and (objection.final or not is_lifted):
            return _objected(objection, suggestion)
        return self._by_mode(tool, f"{path} would be changed", suggestion, is_lifted or self._has_bare(tool))

    def _by_mode(self, tool: str, what: str, suggestion: str, is_allowed: bool) -> Verdict:
        if self._mode == "read-only":
            return Verdict(Decision.DENY, f"the mode is read-only, and {what}; --mode auto-edit allows it")
        if self._mode == "ask" and not is_allowed:
            return Verdict(Decision.ASK, f"the mode is ask, and {what}", suggestion=suggestion)
        return _ALLOWED

    def _has_bare(self, tool: str) -> bool:
        return any(rule.covers(tool) and rule.pattern is None for rule in self._book.allow)

    def _ruled_out(self, group: str, tool: str, path: Path) -> Verdict | None:
        for decision, kind, rules in ((Decision.DENY, "deny", self._book.deny), (Decision.ASK, "ask", self._book.ask)):
            for rule in rules:
                if rule.tool not in (group, tool) or not isinstance(rule.pattern, PathPattern):
                    continue
                if rule.pattern.forbids(path, self._boundary.roots):
                    return Verdict(decision, f"the rule {kind} {rule.text} is about {path}")
                if tool in READERS and group == "read" and (below := self._below(rule.pattern, path)):
                    return Verdict(
                        decision,
                        f"the rule {kind} {rule.text} is about {below}, which lies in {path}: name a folder without it",
                    )
        return None

    def _below(self, pattern: PathPattern, folder: Path) -> Path | None:
        """What in `folder` the pattern is about; a folder that is too large to look through counts as such."""
        waiting, n_seen = [folder], 0
        while waiting:
            try:
                with os.scandir(waiting.pop()) as entries:
                    for entry in entries:
                        path, n_seen = Path(entry.path), n_seen + 1
                        if self._boundary.objects_to_read(path):
                            continue  # searches leave it out
                        if n_seen > _MAX_SEARCHED or pattern.forbids(path, self._boundary.roots):
                            return path
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(path)
            except OSError:
                continue
        return None

    def _is_lifted(self, group: str, tool: str, path: Path) -> bool:
        return any(
            rule.tool in (group, tool)
            and isinstance(rule.pattern, PathPattern)
            and rule.pattern.matches(path, self._boundary.roots)
            for rule in self._book.allow
        )

    def _path_rule(self, group: str, path: Path) -> str:
        """The rule for this path alone; a folder's is for all below it."""
        root = next((root for root in self._boundary.roots if path.is_relative_to(root)), None)
        text = str(path.relative_to(root)) if root else str(path)
        if root and "/" not in text:
            text = f"./{text}"
        if any(character in text for character in "*?[]{}\\()") or not text.isprintable() or text != text.strip():
            return ""
        return f"{group}({text})"

    def _git(self, access: Access) -> Iterable[Verdict]:
        """Through git itself, with hooks switched off: its folders are not protected from it."""
        for path in sorted(access.reads | access.writes):
            objection = self._boundary.objects_to_read(path)
            if objection and objection.final:
                yield _objected(objection, "")
            elif objection and not self._is_ours(path):
                yield Verdict(Decision.ASK, f"{path} is git's folder of a repository elsewhere")
        if access.writes:
            yield self._by_mode("git", "git would commit", "git(commit)", self._is_allowed("git", access))

    def _is_ours(self, path: Path) -> bool:
        roots, known = self._boundary.roots, self._boundary.git_folders
        return any(path.is_relative_to(folder) for folder in (*roots, *known)) or any(
            path.name == ".git" and root.is_relative_to(path.parent) for root in roots
        )

    # Commands and addresses

    def _command(self, tool: str, access: Access) -> Verdict:
        ruling = self._commands.judge(tool, access.command, access.cwd)
        if ruling.denied:
            return Verdict(Decision.DENY, ruling.denied)
        if self._mode == "read-only" and not self._confined:
            return Verdict(
                Decision.DENY, "the mode is read-only, and without a sandbox nothing keeps a command from writing"
            )
        if ruling.asked:
            return Verdict(Decision.ASK, ruling.asked, ruling.not_allowed)
        is_free = self._mode == "full-auto" or (self._confined and self._mode != "ask")
        if is_free or not ruling.not_allowed:
            return _ALLOWED
        why = "the mode is ask" if self._mode == "ask" else "no sandbox confines commands"
        return Verdict(
            Decision.ASK,
            f"{why}, and no rule allows {'; '.join(_short(part) for part in ruling.not_allowed)}",
            ruling.not_allowed,
            ruling.suggestion,
        )

    def _fetch(self, tool: str, url: str) -> Verdict:
        place = host_of(url)
        if place is None:
            return Verdict(Decision.DENY, f"{_short(url)!r} is no plain http or https address")
        host, port = place
        for decision, kind, rules in ((Decision.DENY, "deny", self._book.deny), (Decision.ASK, "ask", self._book.ask)):
            for rule in rules:
                if rule.covers(tool) and isinstance(rule.pattern, HostPattern) and rule.pattern.forbids(host, port):
                    return Verdict(decision, f"the rule {kind} {rule.text} is about {host}")
        allowed = [*self._hosts, *(rule.pattern for rule in self._book.allow if rule.covers(tool))]
        if self._network == "on" or any(
            pattern is None or (isinstance(pattern, HostPattern) and pattern.matches(host, port)) for pattern in allowed
        ):
            return _ALLOWED
        shown = f"[{host}]" if ":" in host else host
        name = shown if port in (80, 443) else f"{shown}:{port}"
        return Verdict(
            Decision.ASK,
            f"the network is {self._network} for {host}; --network on or --allow-host {name} opens it",
            suggestion=f"web_fetch({name})",
        )


def _objected(objection: Objection, suggestion: str) -> Verdict:
    if objection.final:
        return Verdict(Decision.DENY, objection.reason)
    return Verdict(Decision.ASK, objection.reason, suggestion=suggestion)


def _common(asked: Sequence[Verdict]) -> str:
    """One rule for several verdicts, only where it is the same for all."""
    suggestions = {verdict.suggestion for verdict in asked}
    return suggestions.pop() if len(suggestions) == 1 else ""


def _with_remedy(reason: str, suggestion: str) -> str:
    return f"{reason}; to allow it: --allow {shlex.quote(suggestion)}" if suggestion else reason


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else f"{line[:119]}…"
