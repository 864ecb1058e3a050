from __future__ import annotations

from claw.commands.base import View
from claw.commands.registry import Commands
from claw.tui.prompt.completion import MOST_SUGGESTIONS, Completer, matching

VIEW = View(mode="ask", known={"hosts": ("moonshot",), "models": ("kimi-k2.6", "kimi-k2"), "themes": ("paper",)})
FILES = ["README.md", "src/deep/parser.py", "src/parse.py", "tests/test_parse.py"]


def completer() -> Completer:
    return Completer(Commands, lambda: VIEW, lambda: FILES)


def test_commands_after_a_slash() -> None:
    suggestions = completer().suggest("/the")
    assert [each.text for each in suggestions] == ["/theme "]
    assert suggestions[0].n_typed == 4
    assert suggestions[0].is_whole  # its argument may be left out
    assert not completer().suggest("/mode")[0].is_whole


def test_arguments_of_a_command() -> None:
    assert [each.text for each in completer().suggest("/model k")] == ["kimi-k2.6", "kimi-k2"]
    assert [each.text for each in completer().suggest("/mode a")] == ["ask", "auto-edit"]
    assert completer().suggest("/mode ask") == []
    assert completer().suggest("/nothing a") == []


def test_files_after_an_at() -> None:
    found = completer().suggest("look at @parse")
    assert [each.text for each in found] == ["@src/parse.py ", "@src/deep/parser.py ", "@tests/test_parse.py "]
    assert found[0].n_typed == len("@parse")
    assert completer().suggest("mail a@parse") == []
    assert len(completer().suggest("@")) == len(FILES)


def test_letters_in_order_where_nothing_else_fits() -> None:
    assert matching(FILES, "sdp") == ["src/deep/parser.py"]
    assert matching(FILES, "zzz") == []


def test_no_more_than_can_be_looked_at() -> None:
    assert len(matching([f"a{number}" for number in range(1000)], "a")) == MOST_SUGGESTIONS
