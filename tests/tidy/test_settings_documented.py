"""docs/settings.md and settings.py say the same."""

from pathlib import Path
from typing import Any

from lambent.settings import Option, options

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
TYPES: dict[Any, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    tuple[str, ...]: "list",
}

DEPENDS = {"data_dir": "`/var/lib/lambent` as root, else `~/.local/share/lambent`"}
"""Defaults that are not the same everywhere, in words."""


def _row(option: Option) -> str:
    cells = (f"`{option.flag}`", f"`{option.variable}`", TYPES.get(option.type, "path"), _default(option), option.help)
    return "| " + " | ".join(cells) + " |"


def _default(option: Option) -> str:
    if option.name in DEPENDS:
        return DEPENDS[option.name]
    if option.default in (None, ()):
        return ""
    if isinstance(option.default, bool):
        return str(option.default).lower()
    return f"{option.default:g}" if isinstance(option.default, float) else f"{option.default}"


def test_the_page_has_one_row_for_each_setting() -> None:
    """The rows of the page are the settings, in their order, with type, default and reason."""
    written = [line for line in PAGE.read_text().splitlines() if line.startswith("| `--")]
    assert written == [_row(option) for option in options()], (
        "docs/settings.md is to hold exactly the rows on the right"
    )
