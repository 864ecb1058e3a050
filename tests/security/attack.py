"""One hostile step: the calls that it takes, and how it is told from outside whether it came through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from tests.security.users import User
from tests.security.walls import Walls
from tests.security.world import LAST_WORDS, Calls, Outcome, World

Harm = Callable[["Step"], object]
Prepare = Callable[[World], object]
# The user takes all protection away. The keys that no flag gives free are put where claw does not expect them.
UNPROTECTED = ("--sandbox", "off", "--mode", "full-auto", "--network", "on")


class Step(NamedTuple):
    """What an attack's `harm` looks at: the whole run, and the results of its own calls."""

    outcome: Outcome
    results: Sequence[str]

    def path(self, text: str) -> str:
        for name, value in self.outcome.words.items():
            text = text.replace(f"@{name}@", value)
        return text


@dataclass(frozen=True)
class Attack:
    """`turns` are replies of the model, each with its calls; `@name@` in them is a word of the world.

    `unprotected` replaces `turns` in the run without protection, where the same harm needs another way;
    `always_held` says why no flag takes this protection away: then only the protected runs count.
    `only_root` attacks do no harm in any other hands. `gaps` names back-ends that cannot hold it, and why.
    """

    case: str
    name: str
    turns: tuple[Calls, ...]
    harm: Harm
    unprotected: tuple[Calls, ...] | None = None
    always_held: str = ""
    only_root: bool = False
    gaps: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.case} {self.name}"


class Run:
    """A run of several attacks, each in turns of its own, so that one cannot hide behind another's failure."""

    def __init__(self, world: World, attacks: Sequence[Attack], flags: Iterable[str], **environ: str) -> None:
        flags = tuple(flags)
        protected = flags != UNPROTECTED
        turns: list[Calls] = list(bash("echo so far so good"))
        self._slices: dict[str, slice] = {}
        n_calls = 1
        for attack in attacks:
            chosen = attack.turns if protected or attack.unprotected is None else attack.unprotected
            n_own = sum(map(len, chosen))
            self._slices[str(attack)] = slice(n_calls, n_calls + n_own)
            n_calls += n_own
            turns += chosen
        self.n_turns = len(turns)
        self.n_calls = n_calls
        self.user = world.user
        self.outcome = world.attack(turns, *flags, **environ)

    def step(self, attack: Attack) -> Step:
        return Step(self.outcome, self.outcome.results[self._slices[str(attack)]])

    def harm_of(self, attack: Attack) -> object:
        return attack.harm(self.step(attack))

    def assert_went_on(self) -> None:
        """A command still runs, every call was answered and logged, and the model had the last word."""
        outcome = self.outcome
        assert "Traceback" not in outcome.stderr
        assert outcome.results[0].strip() == "so far so good"
        assert len(outcome.of("tool_finished")) == self.n_calls, outcome.stderr
        assert all(outcome.results)
        assert outcome.strangers == []
        assert outcome.of("run_finished")[-1]["result"] == LAST_WORDS

    def assert_contained(self, *, but_outside: Iterable[str] = ()) -> None:
        """What holds whatever was tried: nothing outside changed, nothing heard, nothing sent, nobody left."""
        outcome = self.outcome
        allowed = set(but_outside)
        changed = {path: change for path, change in outcome.changed_outside.items() if path not in allowed}
        assert changed == {}
        assert outcome.heard == {}
        assert outcome.leaked == set()
        assert outcome.survivors == []
        assert outcome.bystander_lives


def bash(*commands: str, **arguments: Any) -> tuple[Calls, ...]:
    return tuple((("bash", {"command": command, **arguments}),) for command in commands)


def python(source: str) -> tuple[Calls, ...]:
    """A program in Python, as a command."""
    return bash(f"@python@ -I - <<'PYTHON'\n{source}\nPYTHON")


def tool(name: str, **arguments: Any) -> tuple[Calls, ...]:
    return (((name, arguments),),)


def said(text: str) -> Harm:
    """A result of the attack holds `text`: to be used with what the call itself does not spell out."""
    return lambda step: any(step.path(text) in result for result in step.results)


def touched(path: str) -> Harm:
    """This path, or something below it, is not as it was."""

    def harm(step: Step) -> bool:
        place = step.path(path)
        changed = {**step.outcome.changed_outside, **step.outcome.changed_inside}
        return any(each == place or each.startswith(place + "/") for each in changed)

    return harm


def showed(canary: str) -> Harm:
    """A result holds this canary, as it is, backwards or in hexadecimal."""
    mark = f"canary-{canary}-"
    forms = (mark, mark[::-1], mark.encode().hex())
    return lambda step: any(form in result for form in forms for result in step.results)


def run_protected(
    walls: Walls, attacks: Sequence[Attack], prepare: Prepare, *flags: str, config: str = "", **environ: str
) -> Run:
    """All of `attacks` that these walls can hold, in a world of their own."""
    held = [attack for attack in attacks if walls.backend not in attack.gaps]
    with World(walls.user, config=config) as world:
        prepare(world)
        world.user.own(world.root)
        return Run(world, held, (*walls.flags, *flags), **walls.environ, **environ)


def run_unprotected(user: User, attacks: Sequence[Attack], prepare: Prepare) -> Run:
    """What can be switched off is off, and the keys lie where claw does not look for any."""
    free = [attack for attack in attacks if not attack.always_held]
    with World(user) as world:
        prepare(world)
        world.user.own(world.root)
        return Run(world, free, UNPROTECTED, HOME="@root@/elsewhere")


def assert_held(run: Run, attack: Attack, walls: Walls) -> None:
    if reason := attack.gaps.get(walls.backend):
        pytest.skip(reason)
    assert not run.harm_of(attack), run.step(attack).results
    assert all(run.step(attack).results), "it was never tried"


def assert_harmful(run: Run, attack: Attack) -> None:
    """Without protection it comes through: else the test above would prove nothing."""
    if attack.always_held:
        pytest.skip(attack.always_held)
    if attack.only_root and run.user.name != "root":
        pytest.skip("only root can do harm with it")
    assert run.harm_of(attack), run.step(attack).results
