"""A shell command line taken apart into its simple commands, as far as reading it can tell.

It runs nothing, expands nothing and never fails: what it does not understand it passes over. That is
enough to see which programs a line starts, and far too little to decide what a line may do.

*Source*: POSIX.1-2017, Shell Command Language, §2.3 token recognition; here-strings, `&>`, `|&` and
process substitution from bash.
"""

from __future__ import annotations

from msgspec import Struct

MAX_CHARS = 100_000
MAX_DEPTH = 5

_KEYWORDS = frozenset(
    {"if", "then", "elif", "else", "do", "while", "until", "!", "{", "}", "time", "fi", "done", "esac"}
)
_OPERATORS = ("&&", "||", ";;&", ";;", ";&", "|&", ";", "|", "&", "\n", "(", ")")


class SimpleCommand(Struct, frozen=True):
    """One program with its arguments, quotes removed; assignments before the program are kept in `words`.

    `joined` is the operator before it: `&&`, `||`, `|`, `&`, `;` (also for a newline), `$(` for a command
    inside a substitution, empty for the first. `stdout_to` is the file that its output goes to, `here_doc`
    the text that it is fed.
    """

    words: tuple[str, ...]
    joined: str = ""
    stdout_to: str = ""
    here_doc: str = ""


def split_commands(text: str, depth: int = 0) -> tuple[SimpleCommand, ...]:
    """The simple commands of `text` in the order written, those inside `$(…)` before the one around them."""
    if depth > MAX_DEPTH:
        return ()
    return _Reader(text[:MAX_CHARS], depth).read()


class _Reader:
    """One pass over the text. `word` holds the pieces of the current word, None between words."""

    def __init__(self, text: str, depth: int) -> None:
        self.text, self.depth = text, depth
        self.at = 0
        self.word: list[str] | None = None
        self.quoted = False
        self.words: list[str] = []
        self.joined = ""
        self.stdout_to = ""
        self.redirect = ""
        self.here_docs: list[tuple[str, bool]] = []
        self.here_doc_of: int | None = None
        self.commands: list[SimpleCommand] = []

    def read(self) -> tuple[SimpleCommand, ...]:
        while self.at < len(self.text):
            self._step(self.text[self.at])
        self._end_command("")
        return tuple(self.commands)

    def _step(self, char: str) -> None:
        if char == "\\":
            self._add("" if self._peek(1) == "\n" else self._peek(1), 2)
        elif char in "'\"":
            self._add_quoted(char)
        elif char == "$" and self._peek(1) == "'":
            self.at += 1
            self._add_quoted("'", escapes=True)
        elif char in "$`":
            self._add_substitution()
        elif char in "<>" and self._peek(1) == "(":
            self.at += 1
            self._add_nested(_closing(self.text, self.at + 1, ")"))
        elif char in "<>" or self.text.startswith("&>", self.at):
            self._begin_redirect()
        elif char in " \t\r":
            self._end_word()
            self.at += 1
        elif char == "#" and self.word is None:
            end = self.text.find("\n", self.at)
            self.at = end if end >= 0 else len(self.text)
        elif operator := next((op for op in _OPERATORS if self.text.startswith(op, self.at)), ""):
            self._operator(operator)
        else:
            self._add(char, 1)

    def _peek(self, n: int) -> str:
        return self.text[self.at + n : self.at + n + 1]

    def _add(self, literal: str, n_read: int) -> None:
        if literal:
            if self.word is None:
                self.word = []
            self.word.append(literal)
        self.at += n_read

    def _add_quoted(self, quote: str, *, escapes: bool = False) -> None:
        self.quoted = True
        if self.word is None:
            self.word = []
        self.at += 1
        while self.at < len(self.text) and (char := self.text[self.at]) != quote:
            if char == "\\" and (quote == '"' or escapes):
                following = self._peek(1)
                kept = "\\" if not escapes and following not in '"\\$`\n' else ""
                self._add(kept + ("" if following == "\n" else following), 2)
            elif char in "$`" and quote == '"':
                self._add_substitution()
            else:
                self._add(char, 1)
        self.at += 1

    def _add_substitution(self) -> None:
        text, at = self.text, self.at
        if text[at] == "`":
            end = _closing(text, at + 1, "`")
            self.at = at
            self._add_nested(end)
        elif text.startswith("$((", at):
            end = _closing(text, at + 2, ")") + 1
            self._add(text[at:end], end - at)
        elif text.startswith("$(", at):
            self.at += 1
            self._add_nested(_closing(text, self.at + 1, ")"))
        elif text.startswith("${", at):
            end = text.find("}", at)
            end = end + 1 if end >= 0 else len(text)
            self._add(text[at:end], end - at)
        else:
            self._add("$", 1)

    def _add_nested(self, end: int) -> None:
        """Read what stands between `at` and `end` as commands of its own; leave a mark in the word."""
        inner = split_commands(self.text[self.at + 1 : end], self.depth + 1)
        self.commands += [_rejoined(command, "$(") if i == 0 else command for i, command in enumerate(inner)]
        self._add("$(…)", end + 1 - self.at)

    def _begin_redirect(self) -> None:
        descriptor = ""
        if self.word is not None and not self.quoted and "".join(self.word).isdigit():
            descriptor, self.word = "".join(self.word), None
        self._end_word()
        kinds = ("<<<", "<<-", "<<", "<>", "<&", "<", "&>>", "&>", ">>", ">|", ">&", ">")
        kind = next(kind for kind in kinds if self.text.startswith(kind, self.at))
        self.at += len(kind)
        self.redirect = "in" if kind.startswith("<") or descriptor not in ("", "1") else "out"
        if kind in ("<<", "<<-"):
            self.redirect = kind

    def _end_word(self) -> None:
        if self.word is None:
            return
        word, self.word, self.quoted = "".join(self.word), None, False
        redirect, self.redirect = self.redirect, ""
        if redirect in ("<<", "<<-"):
            self.here_docs.append((word, redirect == "<<-"))
        elif redirect == "out":
            self.stdout_to = "" if word.isdigit() else word
        elif not redirect:
            self.words.append(word)

    def _operator(self, operator: str) -> None:
        if "[[" in self.words[:2] and "]]" not in self.words and operator in ("&&", "||", "(", ")"):
            self._end_word()  # `[[ -n $x && $y ]]` is one command
            self.at += len(operator)
            return
        self._end_command({"\n": ";", "|&": "|", ";;": ";", ";&": ";", ";;&": ";"}.get(operator, operator))
        self.at += len(operator)
        if operator == "\n":
            self._read_here_docs()

    def _end_command(self, operator: str) -> None:
        self._end_word()
        words, self.words = self.words, []
        while words and words[0] in _KEYWORDS:
            words.pop(0)
        if words or self.here_docs:
            self.commands.append(SimpleCommand(tuple(words), self.joined, self.stdout_to))
            self.joined = ";"
            if self.here_docs and self.here_doc_of is None:
                self.here_doc_of = len(self.commands) - 1
        self.stdout_to = self.redirect = ""
        if operator and operator not in "()" and self.commands:
            self.joined = operator if operator != ";" or self.joined in ("", ";") else self.joined

    def _read_here_docs(self) -> None:
        """The bodies of all here-documents begun on the line that has just ended."""
        for delimiter, tabs in self.here_docs:
            body: list[str] = []
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                line = self.text[self.at : end if end >= 0 else None]
                self.at += len(line) + 1
                line = line.lstrip("\t") if tabs else line
                if line == delimiter:
                    break
                body.append(line)
            if self.here_doc_of is not None:
                command = self.commands[self.here_doc_of]
                text = command.here_doc + "\n".join(body)
                self.commands[self.here_doc_of] = SimpleCommand(command.words, command.joined, command.stdout_to, text)
        self.here_docs, self.here_doc_of = [], None


def _rejoined(command: SimpleCommand, joined: str) -> SimpleCommand:
    return SimpleCommand(command.words, joined, command.stdout_to, command.here_doc)


def _closing(text: str, at: int, closer: str) -> int:
    """The index of the `)` or backtick that closes what began before `at`, quotes honoured; else the end."""
    n_open = 1
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == closer and (n_open := n_open - 1) == 0:
            return at
        elif char == "(" and closer == ")":
            n_open += 1
        elif char == "'" or (char == '"' and closer == ")"):
            at += 1
            while at < len(text) and text[at] != char:
                at += 2 if text[at] == "\\" and char == '"' else 1
        at += 1
    return len(text)
