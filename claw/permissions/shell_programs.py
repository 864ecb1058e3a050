"""What a command makes other programs do: wrappers, builtins, and options that run something.

*Source*: bash's and the programs' manuals. What is not listed is taken for a program that does its own work
only; a rule that allows it with `*` allows whatever its arguments make it do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from claw.permissions.shell_words import Word

UNKNOWN_WORDS = Word("…", None, is_one=False)
_UNKNOWN_WORD = Word("…", None)


class Finding(Struct, frozen=True):
    """`opaque`: why it may do what the line does not show. `inner` are commands that it starts, `script` a
    command line that it runs. `needs_rule` is False for what does no more than start those, or nothing.
    `moves`: what follows runs in another folder.
    """

    opaque: str = ""
    inner: tuple[tuple[Word, ...], ...] = ()
    script: str = ""
    needs_rule: bool = True
    moves: bool = False


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


RESERVED = _names("! [[ ]] { } (( if then elif else fi for while until do done case esac select function in coproc")
# Of bash itself, and without any effect outside of it.
_HARMLESS = frozenset({":", "true", "false", "pwd", "echo", "exit", "return", "break", "continue", "type"})
_CHANGES_SHELL = _names(
    ". source builtin alias unalias shopt enable hash trap bind complete compgen compopt fc history mapfile readarray "
    "read declare typeset local export readonly unset let getopts set printf test [ wait coproc caller help dirs "
    "shift umask ulimit suspend logout disown times"
)
_MOVES = frozenset({"cd", "pushd", "popd"})
# They exist to run something else, somewhere else, or as somebody else, or have a language of their own for it.
_RUNS_OTHERS = _names(
    "sudo doas su runuser pkexec ssh scp sftp rsync watch parallel script flock strace ltrace gdb lldb perf valgrind "
    "unshare nsenter bwrap firejail chroot systemd-run at batch crontab entr busybox toybox sh dash zsh ksh fish csh "
    "tcsh rbash expect socat nc ncat netcat screen tmux dbus-run-session runcon setpriv capsh setarch taskset chrt "
    "numactl cpulimit prlimit catchsegv proot fakeroot unbuffer rlwrap dtach nsjail start-stop-daemon ld.so "
    "run-parts xvfb-run tcpdump gnome-terminal xterm open xdg-open osascript launchctl"
)
_VERSION_OF_BASH = frozenset({"bash", "/bin/bash", "/usr/bin/bash"})
_BASH_C = re.compile(r"-[eu]*c")
_SET = re.compile(r"(?: [-+][eu]+| [-+][eu]*o pipefail)+")
_TEST_UNARY = _names("-a -b -c -d -e -f -g -h -k -n -p -r -s -u -w -x -z -G -L -N -O -S")
_TEST_BINARY = _names("= == != -nt -ot -ef")


class _Options(Struct, frozen=True):
    """How a wrapper's own arguments end. `flags` and `valued` match whole options; a valued one takes the next
    word, or has its value attached. `n_operands` stand before the command.
    """

    flags: re.Pattern[str] = re.compile(r"(?!)")
    valued: re.Pattern[str] = re.compile(r"(?!)")
    attached: re.Pattern[str] = re.compile(r"(?!)")
    n_operands: int = 0


_WRAPPERS = {
    "command": _Options(),
    "exec": _Options(),
    "nohup": _Options(),
    "time": _Options(re.compile("-p")),
    "nice": _Options(valued=re.compile("-n|--adjustment"), attached=re.compile(r"-n-?\d+|--adjustment=-?\d+")),
    "ionice": _Options(valued=re.compile("-c|-n"), attached=re.compile(r"-[cn]\d")),
    "setsid": _Options(re.compile("-w|--wait")),
    "stdbuf": _Options(valued=re.compile("-[ioe]"), attached=re.compile(r"-[ioe](?:L|\d+)")),
    "timeout": _Options(
        re.compile("--foreground|--preserve-status|-v|--verbose"),
        re.compile("-k|-s|--kill-after|--signal"),
        re.compile(r"-[ks]\w+|--(?:kill-after|signal)=\w+"),
        n_operands=1,
    ),
    "env": _Options(),
    "xargs": _Options(
        re.compile("-[0rtx]+|--null|--no-run-if-empty"), re.compile("-[nPLdI]"), re.compile(r"-[nPL]\d+|-[dI].+")
    ),
}


def examine(words: Sequence[Word], *, builtins: bool = True) -> Finding:
    """*Shapes*: the first word is known. `builtins` False: a wrapper starts it, so it is a program."""
    name = words[0].text or ""
    program = name.rpartition("/")[2]
    if builtins and "/" not in name and (found := _builtin(name, words)):
        return found
    if program in _WRAPPERS:
        return _wrapper(program, words)
    if name in _VERSION_OF_BASH:
        return _bash(words)
    if program in _RUNS_OTHERS or program == "bash":
        return Finding(f"{program} runs what it is given")
    if program == "find":
        return _find(words)
    if program == "git":
        return _git(words)
    return Finding()


def _builtin(name: str, words: Sequence[Word]) -> Finding | None:
    texts = [word.text for word in words[1:]]
    if name in _HARMLESS:
        return Finding(needs_rule=False)
    if name == "command" and texts[:1] in (["-v"], ["-V"]):
        return Finding(needs_rule=False)
    if name in _MOVES:
        return Finding(moves=True)
    if name == "eval":
        if any(text is None for text in texts):
            return Finding("eval runs what only the run decides")
        return Finding(script=" ".join(filter(None, texts)), needs_rule=False)
    if name == "printf" and texts and texts[0] is not None and not texts[0].startswith("-"):
        return Finding(needs_rule=False)
    if name == "set" and None not in texts and _SET.fullmatch("".join(f" {text}" for text in texts)):
        return Finding(needs_rule=False)
    if name in ("[", "test") and _is_plain_test(words[1 : -1 if name == "[" else None]):
        return Finding(needs_rule=False)
    return Finding(f"{name} changes the shell itself or runs what it is given") if name in _CHANGES_SHELL else None


def _is_plain_test(words: Sequence[Word]) -> bool:
    """Whether it looks at files or compares texts: `-v` and arithmetic can run commands."""
    if not all(word.is_one for word in words):
        return False
    texts = [word.text for word in words]
    if len(texts) > 1 and texts[0] == "!":
        del texts[0]
    return (len(texts) == 2 and texts[0] in _TEST_UNARY) or (len(texts) == 3 and texts[1] in _TEST_BINARY)


def _wrapper(program: str, words: Sequence[Word]) -> Finding:
    options, at, n_operands, replaced = _WRAPPERS[program], 1, 0, ""
    while at < len(words):
        text = words[at].text
        if text is None:
            return Finding(f"{program} with words that only the run decides")
        if text == "--" and not n_operands:
            at += 1
            break
        if not text.startswith("-"):
            if n_operands == options.n_operands:
                break
            n_operands += 1
        elif options.valued.fullmatch(text):
            at += 1
            replaced = (words[at].text or "") if text == "-I" and at < len(words) else replaced
        elif options.attached.fullmatch(text):
            replaced = text[2:] if text.startswith("-I") else replaced
        elif not options.flags.fullmatch(text):
            return Finding(f"{program} with the option {text}")
        at += 1
    inner = tuple(words[at:])
    if not inner:
        return Finding(needs_rule=False)
    first = inner[0].text
    if first is None or not first or "=" in first or first in RESERVED or first == "time":
        return Finding(f"{program} with something else than a plain command")
    if program == "xargs":
        if replaced:
            inner = tuple(_UNKNOWN_WORD if word.text is None or replaced in word.text else word for word in inner)
        else:
            inner = (*inner, UNKNOWN_WORDS)
        if inner[0].text is None:
            return Finding("xargs that reads the program's name")
    return Finding(inner=(inner,), needs_rule=False)


def is_run_by_bash(words: Sequence[Word]) -> bool:
    """Whether what this wrapper starts may be a builtin: `command` and the reserved word `time` alone."""
    return words[0].source in ("command", "time")


def _bash(words: Sequence[Word]) -> Finding:
    if len(words) > 2 and words[1].text and _BASH_C.fullmatch(words[1].text) and words[2].text is not None:
        return Finding(script=words[2].text, needs_rule=False)
    return Finding("bash runs what it is given")


def _find(words: Sequence[Word]) -> Finding:
    texts = [word.text for word in words]
    if None in texts:
        return Finding("find with words that only the run decides")
    inner: list[tuple[Word, ...]] = []
    at = 1
    while at < len(texts):
        text = texts[at] or ""
        at += 1
        if text in ("-delete", "-ok", "-okdir", "-files0-from") or text.startswith(("-fprint", "-fls")):
            return Finding(f"find with {text}")
        if text not in ("-exec", "-execdir"):
            continue
        start = at
        while at < len(texts) and texts[at] != ";" and not (texts[at] == "+" and texts[at - 1] == "{}"):
            at += 1
        command = tuple(
            _UNKNOWN_WORD if "{}" in (text or "") else word
            for word, text in zip(words[start:at], texts[start:at], strict=True)
        )
        if not command or not command[0].text or "/" in command[0].text:
            return Finding(f"find with {text} and no plain command")
        if texts[at : at + 1] == ["+"]:
            command = tuple(UNKNOWN_WORDS if word == _UNKNOWN_WORD else word for word in command)
        inner.append(command)
        at += 1
    return Finding(inner=tuple(inner))


_GIT_GLOBAL = frozenset({"--no-pager", "-P", "--no-optional-locks", "--literal-pathspecs", "--no-replace-objects"})
_GIT_RUNS = _names(
    "bisect submodule filter-branch difftool mergetool config daemon help instaweb web--browse gui citool shell svn p4 "
    "send-email credential hook for-each-repo maintenance archimport cvsserver quiltimport remote-ext remote-fd "
    "fast-import upload-pack receive-pack http-backend sh-setup alias init-db-hook"
)
# Options that name a program, a configuration or a file to write; git takes any unique beginning of them.
_GIT_LONG = (
    "--exec", "--exec-path", "--config", "--config-env", "--upload-pack", "--receive-pack", "--ext-diff", "--extcmd",
    "--open-files-in-pager", "--output", "--output-directory", "--template", "--textconv", "--tool", "--gpg-sign",
    "--git-dir", "--work-tree", "--edit-description", "--separate-git-dir", "--strategy", "--filters", "--remote",
    "--server-option", "--recurse-submodules", "--interactive",
)  # fmt: skip
_GIT_SHORT = {
    "rebase": ("-x", "-i"), "clone": ("-c", "-u"), "grep": ("-O",), "format-patch": ("-o",), "archive": ("-o",),
    "fetch-pack": ("-u",), "bundle": (), "merge": ("-s",), "pull": ("-s",),
}  # fmt: skip
_GIT_TEXT = frozenset({"-m", "--message", "-F", "--file"})


def _git(words: Sequence[Word]) -> Finding:
    at = 1
    while at < len(words) and words[at].text in _GIT_GLOBAL:
        at += 1
    if at == len(words):
        return Finding()
    command = words[at].text
    if command is None or (command.startswith("-") and command not in ("--version", "-v")):
        return Finding("git with options of its own can run any program")
    if command in _GIT_RUNS:
        return Finding(f"git {command} can run any program")
    short = _GIT_SHORT.get(command, ())
    previous: str | None = command
    ended = False
    for word in words[at + 1 :]:
        text = word.text
        if text is None:
            if not ended and not (previous in _GIT_TEXT and word.is_one):
                return Finding("git with words that only the run decides")
        elif "::" in text and previous not in _GIT_TEXT:
            return Finding(f"git with {text}: an address of this kind can run a program")
        elif not ended and (_may_be_long(text) or text.startswith(short)):
            return Finding(f"git {command} with {text} can run a program or write a file")
        ended = ended or text == "--"
        previous = text
    return Finding()


def _may_be_long(text: str) -> bool:
    name = text.partition("=")[0]
    return len(name) > 3 and name.startswith("--") and any(option.startswith(name) for option in _GIT_LONG)
