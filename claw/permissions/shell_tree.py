"""Takes a command line apart along tree-sitter-bash's tree, and believes none of it unchecked.

The grammar reads more than bash does, and some of it otherwise. So every byte is accounted for: words are
read again by `shell_words` and must begin and end where bash would have them, between them there is only
blank space, what the tree calls a substitution must begin where the words have one, a here-document must end
at the line at which bash ends it. A construct that is not listed here, or does not stand up to the checks,
is reported as a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from claw.permissions.shell_words import ENDS_WORD, Unreadable, Word, check_heredoc, read_word, read_words

if TYPE_CHECKING:
    from tree_sitter import Node

_MAX_DEPTH = 40

_BLANK = re.compile(rb"(?:[ \t]|[ \t]\\\n)*")
_DASH = re.compile(rb"[ \t]+-[ \t]*")
_SPACE = re.compile(rb"(?:[ \t\n]|[ \t]\\\n)*")
_LOOSE = frozenset({
    "program", "list", "pipeline", "subshell", "compound_statement", "if_statement", "elif_clause", "else_clause",
    "while_statement", "do_group", "negated_command", "redirected_statement", "case_item",
})  # fmt: skip
_TOKENS = frozenset({
    "\n", ";", "&", "&&", "||", "|", "|&", "(", ")", "{", "}", "!", "if", "then", "elif", "else", "fi", "while",
    "until", "do", "done", "for", "in", "case", "esac", ";;", ";&", ";;&",
})  # fmt: skip
_CASE_ENDS = (";;", ";&", ";;&")
_SUBSTITUTIONS = ("command_substitution", "process_substitution")
# Names in capitals are variables of the environment, or bash's own.
_PRIVATE_NAME = re.compile(rb"(?!.*(?:proxy|histchars|auto_resume))[a-z_]*[a-z][a-z0-9_]*")
_ASSIGNMENT = re.compile(rb"([A-Za-z_][A-Za-z0-9_]*)=")
_CASE_PATTERN = re.compile(rb"(?:[\w*?./+:@%,=|-]|'[^']*'|\"[^\"$`\\]*\")+")
_HEREDOC = re.compile(rb"<<(-?)[ \t]*(?:(\w+)|'(\w+)'|\"(\w+)\")")
_REDIRECTION = re.compile(rb"(\d*)(&>>|&>|>>|>\||>&|<&|<>|>|<)(?:[ \t])*")
_NETWORK_FILES = re.compile(r"/+dev/+(?:tcp|udp)(?:/|$)")


class Findings(Protocol):
    """Where the pieces of a line go."""

    def problem(self, reason: str) -> None: ...

    def write(self, target: str) -> None: ...

    def command(self, words: tuple[Word, ...], source: str, n_assignments: int) -> None: ...


class Script:
    """One command line: the tree, and the text that must agree with it."""

    def __init__(self, findings: Findings, data: bytes, root: Node) -> None:
        self._to = findings
        self._data = data
        self._root = root
        self._substitutions = {node.start_byte: node for node in _descend(root) if node.type in _SUBSTITUTIONS}
        self._backtick_ends = {node.end_byte - 1 for node in self._substitutions.values()}
        self._seen: set[int] = set()
        self._with_dash: set[int] = set()
        self._depth = 0

    def run(self) -> None:
        if self._root.has_error:
            self._to.problem("it is not understood as bash")
        self._gap(0, self._root.start_byte, _SPACE)
        self._walk(self._root)
        self._gap(self._root.end_byte, len(self._data), _SPACE)
        if set(self._substitutions) - self._seen:
            self._to.problem("a substitution that is not certain to be one")

    def _walk(self, node: Node) -> None:
        self._depth += 1
        try:
            if self._depth > _MAX_DEPTH:
                raise Unreadable("it is nested too deep")
            if node.type in _LOOSE:
                self._loose(node)
            elif handler := _HANDLERS.get(node.type):
                handler(self, node)
            else:
                raise Unreadable(f"a {node.type.replace('_', ' ')}")
        except Unreadable as error:
            self._to.problem(str(error))
            for child in node.children if self._depth <= _MAX_DEPTH else ():
                if child.is_named and (child.type in _LOOSE or child.type in _HANDLERS):
                    self._walk(child)  # for what is forbidden: the line is not allowed any more
        finally:
            self._depth -= 1

    def _find_lost_dash(self, body: Node, redirect: Node) -> None:
        """The grammar loses the `-` of `python - <<EOF`: note it for the command."""
        if redirect.type == "heredoc_redirect" and _DASH.fullmatch(self._data, body.end_byte, redirect.start_byte):
            while body.type in ("list", "pipeline"):
                body = body.children[-1]
            if body.type == "command":
                self._with_dash.add(body.end_byte)

    def _gap(self, start: int, end: int, allowed: re.Pattern[bytes]) -> None:
        if start in self._with_dash and _DASH.fullmatch(self._data, start, end):
            return
        if not allowed.fullmatch(self._data, start, end):
            self._to.problem(f"{self._data[start:end].decode('utf-8', 'replace').strip()!r} between the commands")

    def _check_gaps(self, node: Node, allowed: re.Pattern[bytes]) -> None:
        at = node.start_byte
        for child in node.children:
            self._gap(at, child.start_byte, allowed)
            at = child.end_byte
        self._gap(at, node.end_byte, allowed)

    def _loose(self, node: Node) -> None:
        """Statements, and the words between them that the grammar wants."""
        if self._data[node.start_byte : node.start_byte + 2] == b"((":
            raise Unreadable("arithmetic, which can run commands through what a variable holds")
        children = node.children
        if node.type == "redirected_statement" and len(children) > 1:
            self._find_lost_dash(children[0], children[1])
        self._check_gaps(node, _SPACE)
        if node.type == "case_item":
            children = self._behind_case_pattern(node)
        for child in children:
            if child.is_named:
                self._walk(child)
            elif child.type not in _TOKENS or (child.type in _CASE_ENDS and node.type != "case_item"):
                raise Unreadable(f"{child.type!r} in a {node.type.replace('_', ' ')}")

    def _behind_case_pattern(self, node: Node) -> list[Node]:
        for at, child in enumerate(node.children):
            if child.type == ")":
                pattern = self._data[node.start_byte : child.start_byte].removeprefix(b"(")
                if not _CASE_PATTERN.fullmatch(pattern):
                    break
                return node.children[at + 1 :]
        raise Unreadable("an unusual pattern in a case")

    # Words and commands

    def _skip(self, at: int) -> int:
        node = self._substitutions.get(at)
        if node is None or at in self._seen:
            raise Unreadable("a substitution that is not understood")
        self._seen.add(at)
        self._walk(node)
        return node.end_byte

    def _word(self, start: int, end: int) -> Word:
        before, after = self._data[start - 1 : start], self._data[end : end + 1]
        if before and before not in ENDS_WORD + b"`=":
            raise Unreadable("a word that is not certain to begin where it seems to")
        if after and after not in ENDS_WORD and end not in self._backtick_ends:
            raise Unreadable("a word that is not certain to end where it seems to")
        if after in (b"<", b">") and re.fullmatch(rb"\d+|\{.*", self._data[start:end]):
            raise Unreadable("a number or a brace before a redirection")
        return read_word(self._data, start, end, self._skip)

    def _pieces(self, nodes: Sequence[Node]) -> Iterator[tuple[int, int]]:
        """Ranges of words: nodes that touch are one word to bash."""
        start = end = -1
        for node in nodes:
            if node.start_byte == end:
                end = node.end_byte
                continue
            if start >= 0:
                yield start, end
            start, end = node.start_byte, node.end_byte
        if start >= 0:
            yield start, end

    def _command(self, node: Node) -> None:
        self._check_gaps(node, _BLANK)
        assignments: list[Word] = []
        nodes: list[Node] = []
        for child in node.children:
            if child.type in ("file_redirect", "herestring_redirect"):
                self._walk(child)
            elif child.type == "variable_assignment" and not nodes:
                assignments.append(self._assignment(child, private=False))
            else:
                nodes.append(child)
        words = tuple(self._word(start, end) for start, end in self._pieces(nodes))
        if not words:
            raise Unreadable("a command without a name")
        if node.end_byte in self._with_dash:
            words = (*words, Word("-", "-"))
        if words[0].text and not words[0].source.startswith(("'", '"')) and "=" in words[0].source:
            raise Unreadable("an unusual assignment")
        source = self._data[node.start_byte : node.end_byte].decode()
        self._to.command((*assignments, *words), source, len(assignments))

    def _assignment(self, node: Node, *, private: bool) -> Word:
        """As a word of its own: `NAME=value`. `private`: nothing but the line itself may see the variable."""
        found = _ASSIGNMENT.match(self._data, node.start_byte, node.end_byte)
        if not found or self._data[found.end() : found.end() + 1] == b"(":
            raise Unreadable("an unusual assignment")
        if private and not _PRIVATE_NAME.fullmatch(found.group(1)):
            raise Unreadable(f"{found.group(1).decode()} is set, which commands or bash itself may obey")
        source = self._data[node.start_byte : node.end_byte].decode()
        if found.end() == node.end_byte:
            self._word(node.start_byte, node.end_byte)
            return Word(source, source)
        value = self._word(found.end(), node.end_byte)
        return Word(source, None if value.text is None else f"{found.group(1).decode()}={value.text}")

    def _assignments(self, node: Node) -> None:
        assignments = node.children if node.type == "variable_assignments" else [node]
        if node.type == "variable_assignments":
            self._check_gaps(node, _BLANK)
        for assignment in assignments:
            self._assignment(assignment, private=True)

    def _test(self, node: Node) -> None:
        if self._data[node.start_byte : node.start_byte + 2] in (b"[[", b"(("):
            raise Unreadable("[[ … ]] or arithmetic, which can run commands through what a variable holds")
        self._word_boundaries(node)
        words = read_words(self._data, node.start_byte, node.end_byte, self._skip)
        self._to.command(words, self._data[node.start_byte : node.end_byte].decode(), 0)

    def _word_boundaries(self, node: Node) -> None:
        before, after = self._data[node.start_byte - 1 : node.start_byte], self._data[node.end_byte : node.end_byte + 1]
        if (before and before not in ENDS_WORD) or (after and after not in b" \t\n;|&)"):
            raise Unreadable("a test that is not certain to be one")

    # Redirections

    def _redirect(self, node: Node) -> None:
        found = _REDIRECTION.match(self._data, node.start_byte, node.end_byte)
        if not found:
            raise Unreadable("an unusual redirection")
        if found.end() == node.end_byte:
            raise Unreadable("a redirection to nowhere")
        (_, operator), start = found.groups(), found.end()
        target = self._word(start, node.end_byte)
        if operator in (b">&", b"<&") and re.fullmatch(r"\d|-", target.source):
            return
        if target.text is None or operator == b"<&":
            # A process substitution is a pipe; its command is judged by itself.
            if not (re.match(r"[<>]\(", target.source) and operator in (b"<", b">") and target.is_one):
                raise Unreadable("a redirection whose target only the run decides")
        elif _NETWORK_FILES.match(target.text):
            raise Unreadable("a redirection to the network")
        elif operator != b"<":
            self._to.write(target.text)

    def _herestring(self, node: Node) -> None:
        found = re.compile(rb"\d*<<<[ \t]*").match(self._data, node.start_byte, node.end_byte)
        if not found:
            raise Unreadable("an unusual redirection")
        self._word(found.end(), node.end_byte)

    def _heredoc(self, node: Node) -> None:
        """The body must begin and end where bash would have it."""
        parts = {child.type: child for child in node.children}
        found = _HEREDOC.match(self._data, node.start_byte)
        body, end = parts.get("heredoc_body"), parts.get("heredoc_end")
        if (
            not found
            or not end
            or self._data[found.end() : found.end() + 1] not in (b"\n", b" ", b";", b"|", b")", b">")
        ):
            raise Unreadable("an unusual here-document")
        delimiter = next(filter(None, found.groups()[1:]))
        first = self._data.find(b"\n", found.end()) + 1
        at = first
        while at < len(self._data):
            line = self._data[at:].partition(b"\n")[0]
            bare = line.lstrip(b"\t") if found.group(1) else line
            if bare == delimiter:
                break
            if bare.startswith(delimiter):
                raise Unreadable("a here-document with a line that may be its end")
            at += len(line) + 1
        start = at + len(line) - len(bare)
        if not first or (start, start + len(delimiter)) != (end.start_byte, end.end_byte):
            raise Unreadable("a here-document that is not certain to end where it seems to")
        rest = [
            child for child in node.children if child.start_byte >= found.end() and child.type not in _HEREDOC_PARTS
        ]
        if any(child.end_byte > first for child in rest) or (
            body and not first <= body.start_byte <= body.end_byte <= start + 1
        ):
            raise Unreadable("a here-document before the end of a line that goes on")
        self._gaps_before_heredoc(found.end(), rest, first)
        for child in rest:
            if child.is_named:
                self._walk(child)
            elif child.type not in _TOKENS:
                raise Unreadable(f"{child.type!r} after a here-document")
        if found.group(2):
            check_heredoc(self._data, first, at, self._skip)

    def _gaps_before_heredoc(self, at: int, rest: Sequence[Node], first: int) -> None:
        for child in rest:
            self._gap(at, child.start_byte, _BLANK)
            at = child.end_byte
        self._gap(at, first, _SPACE)

    # Compound commands

    def _for(self, node: Node) -> None:
        if not self._data.startswith(b"for", node.start_byte):
            raise Unreadable("a select")
        self._check_gaps(node, _SPACE)
        words: list[Node] = []
        for child in node.children:
            if child.type == "variable_name":
                name = self._data[child.start_byte : child.end_byte]
                if not _PRIVATE_NAME.fullmatch(name):
                    raise Unreadable(f"{name.decode()} is set, which commands or bash itself may obey")
            elif child.type == "do_group":
                self._walk(child)
            elif child.is_named and child.type != "comment":
                words.append(child)
        for start, end in self._pieces(words):
            self._word(start, end)

    def _case(self, node: Node) -> None:
        self._check_gaps(node, _SPACE)
        words = [child for child in node.children if child.is_named and child.type not in ("case_item", "comment")]
        for start, end in self._pieces(words):
            self._word(start, end)
        for child in node.children:
            if child.type == "case_item":
                self._walk(child)

    def _substitution(self, node: Node) -> None:
        text = self._data[node.start_byte : node.end_byte]
        if text.startswith((b"$((", b"<((", b">((")) or (text.startswith(b"`") and b"\\" in text):
            raise Unreadable("a substitution that bash may read in two ways")
        self._check_gaps(node, _SPACE)
        for child in node.children:
            if child.is_named:
                self._walk(child)
            elif child.type not in ("$(", "`", ")", "<(", ">(") and child.type not in _TOKENS:
                raise Unreadable(f"{child.type!r} in a substitution")

    def _comment(self, node: Node) -> None:
        before = self._data[node.start_byte - 1 : node.start_byte]
        text = self._data[node.start_byte : node.end_byte]
        if (before and before not in b" \t\n;&|()") or not text.startswith(b"#") or b"\n" in text or b"`" in text:
            raise Unreadable("a comment that is not certain to be one")


_HEREDOC_PARTS = ("<<", "<<-", "heredoc_start", "heredoc_body", "heredoc_end", "file_descriptor")
_HANDLERS = {
    "command": Script._command,
    "variable_assignment": Script._assignments,
    "variable_assignments": Script._assignments,
    "test_command": Script._test,
    "file_redirect": Script._redirect,
    "herestring_redirect": Script._herestring,
    "heredoc_redirect": Script._heredoc,
    "for_statement": Script._for,
    "case_statement": Script._case,
    "command_substitution": Script._substitution,
    "process_substitution": Script._substitution,
    "comment": Script._comment,
}


def _descend(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.children
