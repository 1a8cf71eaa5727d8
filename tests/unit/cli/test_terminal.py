"""What is printed for programs."""

import json

import pytest

from lambent.cli.terminal import print_json, print_json_line


def test_json_holds_no_orders_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """What a function logged may be full of them; a program that reads it gets it as it was."""
    value = {"message": "\x1b[2J\x9b2J\x7f über"}
    for show in (print_json, print_json_line):
        show(value)
        shown = capsys.readouterr().out
        assert "über" in shown
        assert all(character.isprintable() or character == "\n" for character in shown)
        assert json.loads(shown) == value
