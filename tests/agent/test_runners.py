"""Which command lines run tests, and which only speak of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.agent.evidence.commandline import SimpleCommand, split_commands
from claw.agent.evidence.runners import Runner, find_test_runs, split_line

# The command, and the form that the summary will have; empty where it may be any.
RUNS = [
    ("pytest", "pytest"),
    ("py.test -q", "pytest"),
    ("cd x && A=1 timeout 60 python3 -m pytest -x", "pytest"),
    (".venv/bin/python -m unittest discover -s tests", "unittest"),
    ("env -u X B=2 uv run --with pytest python -m unittest", "unittest"),
    ("uv run -m pytest", "pytest"),
    ("sudo -u bob nice -n 5 pytest", "pytest"),
    ('bash -lc "cd x && pytest -q | tail -1"', "pytest"),
    ("coverage run --source=x -m unittest", "unittest"),
    ("python -m coverage run -m pytest", "pytest"),
    ("coverage run manage.py test", "unittest"),
    ("python manage.py test app", "unittest"),
    ("./manage.py test", "unittest"),
    ("python setup.py test", ""),
    ("npm test", ""),
    ("npm t", ""),
    ("npm run test:unit", ""),
    ("npm --prefix web test", ""),
    ("yarn test", ""),
    ("yarn jest", "jest"),
    ("pnpm -r test", ""),
    ("pnpm exec vitest run", "jest"),
    ("npx jest --ci", "jest"),
    ("bun test", "bun"),
    ("bunx vitest", "jest"),
    ("node --test", "node"),
    ("npx playwright test", "playwright"),
    ("deno test -A", "deno"),
    ("deno task test", ""),
    ("go test ./...", "go"),
    ("gotestsum", "go"),
    ("cargo +nightly test", "cargo"),
    ("cargo nextest run", "cargo"),
    ("make -C build test", ""),
    ("make check", ""),
    ("ctest --output-on-failure", "ctest"),
    ("mvn -q test", "maven"),
    ("./mvnw verify", "maven"),
    ("mvn package", "maven"),
    ("./gradlew :app:test", "gradle"),
    ("gradle build", "gradle"),
    ("bundle exec rspec", "rspec"),
    ("vendor/bin/phpunit", "phpunit"),
    ("dotnet test", "dotnet"),
    ("swift test", "swift"),
    ("mix test", "rspec"),
    ("rake test", ""),
    ("bazel test //...", "bazel"),
    ("tox -e py311", ""),
    ("nox -s tests", ""),
    ("hatch test", "pytest"),
    ("hatch run pytest", "pytest"),
    ("poetry run pytest", "pytest"),
    ("pipenv run python -m pytest", "pytest"),
    ("docker compose exec app pytest -q", "pytest"),
    ("docker run --rm img npm test", ""),
    ("./run_tests.sh", ""),
    ("bash run_tests.sh", ""),
    ("python tests/test_x.py", ""),
    ("if pytest; then echo; fi", "pytest"),
    ("$PYTHON -m pytest", "pytest"),
    ('"$VENV/bin/pytest"', "pytest"),
    ('python -c "import pytest; pytest.main()"', "pytest"),
    ("ls | xargs pytest", "pytest"),
    ("time pytest", "pytest"),
    ("php artisan test", "pest"),
    ("python -um pytest", "pytest"),
    ("out=$(pytest)", "pytest"),
    ("just test", ""),
    ("command pytest", "pytest"),
]

NOT_RUNS = [
    "grep pytest x",
    "echo pytest",
    "pip install pytest",
    'git commit -m "fix pytest"',
    "cat test.log",
    "pytest --version",
    "pytest --collect-only -q",
    "python -m pytest --help",
    "command -v pytest",
    "which pytest",
    "npm install jest",
    "npm run build",
    "npm run lint",
    "make",
    "make -n test",
    "make clean",
    "cargo test --no-run",
    "cargo build",
    "go build ./...",
    "go test -list .",
    "mvn -DskipTests test",
    "gradle test -x test",
    "tox -e lint",
    "nox -s lint",
    "cat > a.sh <<'E'\npytest\nE",
    "# pytest",
    "python x.py",
    "uv run --with pytest python x.py",
    "uv add pytest",
    "docker run pytest",
    'bash -c "echo pytest"',
    "node server.js",
    "deno run x.ts",
    "python -m pip install pytest",
    "test -f x",
    "[ -f x ]",
    "ls tests",
    "cat tests/test_x.py",
    "python -c \"print('pytest')\"",
    "rm -rf tests",
    "cd tests",
    "vim test_x.py",
    "sed -i s/a/b/ test_x.py",
    "ruff check tests",
    "dotnet build",
    "make lint",
    "",
    "   \n\t",
    "'unbalanced pytest",
    "for x in pytest; do echo $x; done",
    "tail -f pytest",
    "man pytest",
    "make -C test",
    "docker run pytest",
    "npm run prepare",
    "nextest",
    "time",
    "env",
    "sudo -l",
    "timeout 60",
    "xargs",
    "bash",
    "bash -c",
    "bash pytest.log",
    "uv",
    "python",
    "python -m",
    "python -m pytest_cov.embed",
    "git add tests && git commit -m 'npm test'",
    "git stash; git log --grep='go test'",
    "printf '%s\\n' 'cargo test' >> README.md",
    "go vet ./test",
    "cargo doc",
    "[[ -n $x && pytest ]]",
]

MAYBE_RUNS = ["mvn package", "gradle build", "python tests/test_x.py", "node src/app.test.js", "ruby test/test_all.rb"]


@pytest.mark.parametrize(("command", "family"), RUNS)
def test_a_command_that_runs_tests(command: str, family: str) -> None:
    assert [run.runner.family for run in find_test_runs(split_line(command))] == [family]


@pytest.mark.parametrize("command", NOT_RUNS)
def test_a_command_that_runs_no_tests(command: str) -> None:
    assert find_test_runs(split_line(command)) == ()


@pytest.mark.parametrize("command", MAYBE_RUNS)
def test_a_command_that_may_run_tests_is_not_sure(command: str) -> None:
    assert [run.runner.sure for run in find_test_runs(split_line(command))] == [False]


def test_every_run_of_a_line_is_found_at_its_place() -> None:
    runs = find_test_runs(
        split_line("cd web && npm test; cd .. ; echo $(pytest -q) | tail -1; bash -c 'true; go test'")
    )
    assert [(run.index, run.runner) for run in runs] == [(1, Runner()), (3, Runner("pytest")), (7, Runner("go"))]


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        (
            "cd x && A=1 pytest -q 2>&1 | tail -1; echo 'a;b' > out.txt",
            (
                SimpleCommand(("cd", "x")),
                SimpleCommand(("A=1", "pytest", "-q"), "&&"),
                SimpleCommand(("tail", "-1"), "|"),
                SimpleCommand(("echo", "a;b"), ";", "out.txt"),
            ),
        ),
        (
            "cat > a.py <<'EOF'\npytest; x\nEOF\npytest a.py # not this",
            (SimpleCommand(("cat",), "", "a.py", "pytest; x"), SimpleCommand(("pytest", "a.py"), ";")),
        ),
        (
            'out=$(pytest -q 2>&1)\necho "$out"',
            (
                SimpleCommand(("pytest", "-q"), "$("),
                SimpleCommand(("out=$(…)",)),
                SimpleCommand(("echo", "$out"), ";"),
            ),
        ),
        (
            "if ! pytest; then echo 'it'\\''s bad'; fi | tail",
            (SimpleCommand(("pytest",)), SimpleCommand(("echo", "it's bad"), ";"), SimpleCommand(("tail",), "|")),
        ),
        (
            'pytest \\\n  -q &&\n  echo "a\\"b" \'\' &> log',
            (SimpleCommand(("pytest", "-q")), SimpleCommand(("echo", 'a"b', ""), "&&", "log")),
        ),
        ("cat <<< pytest", (SimpleCommand(("cat",)),)),
        (
            "diff <(pytest) `date`",
            (SimpleCommand(("pytest",), "$("), SimpleCommand(("date",), "$("), SimpleCommand(("diff", "$(…)", "$(…)"))),
        ),
        ("echo $((1 + (2))) ${x:-a b} $'c\\'d'", (SimpleCommand(("echo", "$((1 + (2)))", "${x:-a b}", "c'd")),)),
    ],
)
def test_a_line_is_taken_apart(line: str, commands: tuple[SimpleCommand, ...]) -> None:
    assert split_commands(line) == commands


SHELL_PIECES = st.sampled_from(
    ["pytest", "bash -c ", "eval ", "<<EOF\n", "EOF\n", "$(", "`", ")", "(", "'", '"', "\\", "\n", "|", "&&", ";", "#",
     ">", "2>&1", "<", "${", "}", "$((", " ", "uv run ", "python -m ", "timeout ", "-", "env A=1 ", "\0", "é", "npm "]
)  # fmt: skip


@given(st.one_of(st.text(max_size=200), st.lists(SHELL_PIECES, max_size=40).map("".join)))
def test_any_text_is_read_without_failing(text: str) -> None:
    find_test_runs(split_line(text))


def test_hostile_lines_are_read_in_bounded_time() -> None:
    for piece in ("$(", "`", "'", "<<E\n", "((", "bash -c '", "eval ", "sudo ", "a\n", "timeout 1 "):
        find_test_runs(split_line(piece * (200_000 // len(piece))))
