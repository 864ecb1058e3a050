"""Which commands run tests, and how their runner's summary will look.

Only the program that a command starts counts, never a word in its arguments: `grep pytest x`, `pip install
pytest` and `git commit -m "run pytest"` run nothing. `pytest --collect-only` and its like run nothing either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from claw.agent.evidence.commandline import SimpleCommand, split_commands
from claw.agent.evidence.launchers import in_container, open_shells, program_of, without_launchers


class Runner(Struct, frozen=True):
    """`family` names the form of the summary (see `summaries`), empty where it may be any.

    `sure` is False for a command that may run tests among other work (`mvn package`, `python test_x.py`):
    it was a test run only if a summary is seen.
    """

    family: str = ""
    sure: bool = True


class TestRun(Struct, frozen=True):
    """One command of a line that runs tests; `index` is its place among the line's commands."""

    __test__ = False

    index: int
    runner: Runner


class Program(Struct, frozen=True):
    """How to tell a test run of one program.

    `verbs`: the subcommands that run tests, empty if it always does. `valued`: options whose value is the
    next word. `idle`: options with which nothing is run.
    """

    family: str = ""
    verbs: str = ""
    valued: str = ""
    idle: str = ""


_HELP = "--help -h --version"
_PYTEST = Program(
    "pytest",
    idle="-V --collect-only --collectonly --co --fixtures --fixtures-per-test --markers --setup-plan --cache-show",
)
_UNITTEST = Program("unittest")
_JS = Program("jest", idle="-v --listTests --showConfig --init --clearCache")
_GRADLE = Program("gradle", verbs="gradle", idle="--dry-run -m tasks")
_MAVEN = Program("maven", verbs="maven")

_PROGRAMS = {
    "pytest": _PYTEST,
    "py.test": _PYTEST,
    "unittest": _UNITTEST,
    "nose2": _UNITTEST,
    "nosetests": _UNITTEST,
    "trial": _UNITTEST,
    "tox": Program(
        verbs="session", idle="-l -a -av --listenvs --listenvs-all --notest --showconfig list config devenv"
    ),
    "nox": Program(verbs="session", idle="-l --list --list-sessions --install-only"),
    "jest": _JS,
    "vitest": Program("jest", idle="-v list init bench"),
    "mocha": Program("mocha", idle="-V --dry-run --list-reporters --list-interfaces"),
    "_mocha": Program("mocha", idle="-V --dry-run"),
    "ava": Program("ava"),
    "jasmine": Program("rspec", idle="init examples"),
    "karma": Program(verbs="start run"),
    "tap": Program("tap"),
    "tape": Program("tap"),
    "playwright": Program("playwright", verbs="test", idle="--list"),
    "cypress": Program(verbs="run"),
    "react-scripts": Program("jest", verbs="test"),
    "deno": Program("deno", verbs="test", idle="--no-run"),
    "bun": Program("bun", verbs="test"),
    "go": Program("go", verbs="test", valued="-C", idle="-c -list"),
    "gotestsum": Program("go"),
    "ginkgo": Program(idle="bootstrap generate"),
    "cargo": Program(
        "cargo", verbs="test t nextest", valued="--manifest-path -C --config --color", idle="--no-run --list list"
    ),
    "cargo-nextest": Program("cargo", idle="--no-run list"),
    "ctest": Program("ctest", idle="-N --show-only"),
    "mvn": _MAVEN,
    "mvnw": _MAVEN,
    "gradle": _GRADLE,
    "gradlew": _GRADLE,
    "ant": Program(verbs="named"),
    "sbt": Program(verbs="named"),
    "lein": Program(verbs="named"),
    "rspec": Program("rspec", idle="--init --dry-run --bisect -v"),
    "rails": Program("minitest", verbs="test test:all test:system"),
    "rake": Program(verbs="named", idle="-T -n -P --tasks --dry-run"),
    "phpunit": Program("phpunit", idle="--list-tests --list-suites --list-groups"),
    "paratest": Program("phpunit"),
    "pest": Program("pest"),
    "composer": Program("", verbs="named", valued="-d --working-dir"),
    "dotnet": Program("dotnet", verbs="test vstest", idle="-t --list-tests"),
    "swift": Program("swift", verbs="test", valued="--package-path", idle="list --list-tests -l"),
    "xcodebuild": Program("swift", verbs="test test-without-building"),
    "mix": Program("rspec", verbs="test"),
    "bazel": Program("bazel", verbs="test coverage"),
    "bazelisk": Program("bazel", verbs="test coverage"),
    "prove": Program("tap"),
    "bats": Program("tap"),
    "busted": Program(),
    "dart": Program(verbs="test"),
    "flutter": Program(verbs="test"),
    "stack": Program(verbs="test"),
    "cabal": Program(verbs="test"),
    "dune": Program(verbs="test runtest"),
    "meson": Program(verbs="test"),
    "zig": Program(verbs="test"),
    "rebar3": Program(verbs="eunit ct"),
    "hatch": Program("pytest", verbs="test"),
    "rye": Program("pytest", verbs="test"),
    "make": Program(
        verbs="named", valued="-C -f -j -l -I -o -W --directory --file", idle="-n -q -p --dry-run --question"
    ),
    "gmake": Program(verbs="named", valued="-C -f -j -l -I -o -W --directory --file", idle="-n -q --dry-run"),
    "ninja": Program(verbs="named", valued="-C -f -j -k -l", idle="-n -t"),
    "just": Program(
        verbs="named", valued="-f --justfile -d --working-directory", idle="-n --dry-run -l --list -s --show"
    ),
    "task": Program(verbs="named", valued="-d --dir -t --taskfile", idle="-n --dry -l --list -a --list-all"),
    "invoke": Program(verbs="named", idle="-l --list -D --dry"),
    "manage.py": Program("unittest", verbs="test"),
    "setup.py": Program("", verbs="test pytest"),
    "django-admin": Program("unittest", verbs="test"),
    "artisan": Program("pest", verbs="test"),
}
_TEST_NAME = r"(unit-?|e2e-?)?tests?|check|spec|(unit|e2e|integration)|tests?[-_:./].*|.*[-_:./]tests?"
_NO_TEST_NAME = (
    r".*\b(lint|fmt|format|type|types|typing|mypy|ruff|flake8|style|docs?|build|package|pre-commit|coverage)\b.*"
)
_TEST_SCRIPT = r"(test_.*|.*[._-](test|spec)|tests?)\.(py|rb|php|pl|[cm]?[jt]sx?)"
_TEST_SHELL_SCRIPT = r"(run[-_]?)?(all[-_]?|unit[-_]?)?tests?(\.(sh|bash|py|rb))?|test[-_].*\.sh"
_INTERPRETERS = r"(node|nodejs|ruby|php|perl|tsx|ts-node|sh|bash|dash|zsh|ksh)"
_PYTHON = r"(python|pypy)[0-9.]*[a-z]?|py"


def split_line(command: str) -> tuple[SimpleCommand, ...]:
    """The simple commands of a line, those inside `bash -c` and its like among them."""
    return tuple(open_shells(split_commands(command)))


def find_test_runs(commands: Sequence[SimpleCommand]) -> tuple[TestRun, ...]:
    """Those of `commands` that run tests. Never fails, whatever the words are."""
    found = ((i, runner_of(command.words)) for i, command in enumerate(commands))
    return tuple(TestRun(i, runner) for i, runner in found if runner is not None)


def runner_of(words: Sequence[str]) -> Runner | None:
    """The test runner that `words` start, launchers before it included; None if they run no tests."""
    words = without_launchers(words)
    direct = _runner(words)
    if direct is None:
        direct = next((runner for inner in in_container(words) if (runner := _runner(without_launchers(inner)))), None)
    return direct


def _runner(words: Sequence[str]) -> Runner | None:
    program = program_of(words)
    if re.fullmatch(_PYTHON, program) or re.fullmatch(r"\$.*python.*", program.casefold()):
        return _python(words)
    if program in ("coverage", "slipcover"):
        return _python(words[1:] if program == "coverage" else words) if "run" in words[:2] or "-m" in words else None
    if program in ("npm", "pnpm", "yarn", "bun", "composer", "deno") and (runner := _package_script(program, words)):
        return runner
    if program in ("node", "nodejs") and "--test" in words:
        return Runner("node")
    if program == "php" and len(words) > 1:
        return _runner(words[1:])
    if known := _PROGRAMS.get(program):
        return _known(known, words)
    return _script(program, words)


def _known(program: Program, words: Sequence[str]) -> Runner | None:
    arguments = words[1:]
    idle = {*_HELP.split(), *program.idle.split()}
    if any(word.split("=", 1)[0] in idle for word in arguments):
        return None
    operands = _operands(arguments, program.valued)
    match program.verbs:
        case "":
            return Runner(program.family)
        case "named":
            return Runner(program.family) if any(_names_tests(operand) for operand in operands) else None
        case "session":
            return (
                None if re.fullmatch(_NO_TEST_NAME, " ".join(_values(arguments, "-e -s --session --env"))) else Runner()
            )
        case "gradle":
            excluded = _values(arguments, "-x --exclude-task")
            tasks = [operand.rsplit(":", 1)[-1] for operand in operands if operand not in excluded]
            runs = any(re.fullmatch(r"check|test|\w*Test\w*|test\w*", task) for task in tasks)
            return Runner("gradle") if runs else Runner("gradle", sure=False) if "build" in tasks else None
        case "maven":
            if any(re.match(r"-D(skipTests|maven\.test\.skip)(?!=false)", word) for word in arguments):
                return None
            goals = {operand.rsplit(":", 1)[-1] for operand in operands}
            runs = bool(goals & {"test", "verify", "integration-test"})
            return Runner("maven", sure=runs) if runs or goals & {"package", "install", "deploy"} else None
        case verbs:
            verb = next((operand for operand in operands if not operand.startswith("+")), "")
            return Runner(program.family) if verb in verbs.split() else None


def _python(words: Sequence[str]) -> Runner | None:
    """`words` are an interpreter's, or those of `coverage run` from `run` on."""
    at = 1
    while at < len(words) and (word := words[at]).startswith("-"):
        if re.fullmatch(r"-[a-zA-Z]*m", word):
            return _python_module(words[at + 1 :])
        if re.fullmatch(r"-[a-zA-Z]*c", word):
            return _python_code(" ".join(words[at + 1 : at + 2]))
        if word in ("-h", "--help", "-V", "--version"):
            return None
        at += 2 if word in ("-X", "-W", "-Q", "--source", "--omit", "--include", "--rcfile", "--data-file") else 1
    return _runner(words[at:]) if words[at:] else None


def _python_module(words: Sequence[str]) -> Runner | None:
    module = words[0] if words else ""
    if module in ("coverage", "slipcover", "cProfile", "pdb", "trace", "twisted.trial", "django", "poetry", "uv"):
        name = {"twisted.trial": "trial", "django": "django-admin"}.get(module, module)
        if name in ("cProfile", "pdb", "trace"):
            return _python(("python", *words[1:]))
        return runner_of((name, *words[1:]))
    if module == "nose":
        module = "nosetests"
    return _known(_PROGRAMS[module], words) if module in _PROGRAMS and "." not in module else None


def _python_code(code: str) -> Runner | None:
    if re.search(r"\bpytest\.main\(", code):
        return Runner("pytest")
    return Runner("unittest") if re.search(r"\bunittest\.main\(|\bTextTestRunner\(", code) else None


def _package_script(program: str, words: Sequence[str]) -> Runner | None:
    """A script of package.json, composer.json or deno.json, or a program of `node_modules` that yarn starts."""
    valued = "--prefix -C --dir -w --workspace --filter -F --cwd -d --working-dir"
    operands = _operands(words[1:], valued)
    if {"--help", "-h", "--version"} & set(words[1:]):
        return None
    if program == "yarn" and operands[:1] == ["workspace"]:
        operands = operands[2:]
    if program == "yarn" and operands[:2] == ["workspaces", "foreach"]:
        operands = operands[2:]
    verb, name = (*operands, "", "")[:2]
    if verb in ("run", "run-script", "task"):
        return Runner() if _names_tests(name) else None
    if program == "npm":
        return Runner() if verb in ("test", "t", "tst", "install-test", "it", "cit") else None
    if program in ("pnpm", "yarn"):
        if _names_tests(verb) or (program == "pnpm" and verb == "t"):
            return Runner()
        return _runner(words[list(words).index(verb) :]) if verb in _PROGRAMS else None
    return None


def _script(program: str, words: Sequence[str]) -> Runner | None:
    """A file that is named as tests, run as a program or by its interpreter."""
    if re.fullmatch(_TEST_SHELL_SCRIPT, program) and ("/" in words[0] or "." in program):
        return Runner()
    if re.fullmatch(_TEST_SCRIPT, program):
        return Runner(sure=False)
    if re.fullmatch(_INTERPRETERS, program):
        file = next((word for word in words[1:] if not word.startswith("-")), "")
        return _script(program_of([file]), [file if "/" in file else "./" + file]) if file else None
    return None


def _names_tests(name: str) -> bool:
    return bool(re.fullmatch(_TEST_NAME, name)) and not re.fullmatch(_NO_TEST_NAME, name)


def _operands(arguments: Sequence[str], valued: str) -> list[str]:
    """The arguments that are neither options nor the values of those in `valued`, up to `--`."""
    operands: list[str] = []
    takes_value = frozenset(valued.split())
    skip = False
    for word in arguments:
        if word == "--":
            break
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in takes_value
        else:
            operands.append(word)
    return operands


def _values(arguments: Sequence[str], options: str) -> list[str]:
    """The values given to any of `options`: `-e a`, `--env=b`."""
    names = options.split()
    after = [value for option, value in pairwise(arguments) if option in names]
    return after + [word.split("=", 1)[1] for word in arguments if "=" in word and word.split("=", 1)[0] in names]
