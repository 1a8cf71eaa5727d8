"""
Patterns of the policy language: `*` and `?`, and variables. Pure.

Matching takes time linear in the text, whatever the pattern: it may be what a stranger's function answered, full of
stars. Nothing of it becomes a regular expression.

Documented: IAM user guide, wildcards; policy elements: variables and tags.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

_ONE = "\0"
"""Stands for `?` in a piece. No policy may hold the character itself."""

_VARIABLE = re.compile(r"\$\{\s*([^}',]{1,512}?)\s*(?:,\s*'([^']{0,512})'\s*)?\}")
_CHARACTERS = {"*", "?", "$"}
"""Documented: `${*}`, `${?}` and `${$}` are these characters themselves."""


class _Piece(msgspec.Struct, frozen=True):
    """What stands between two stars."""

    text: str
    """With `_ONE` for each question mark."""
    masks: Mapping[str, int] | None = None
    """Of a text with question marks: for each character the places at which it may stand, as bits."""
    other: int = 0
    """The places at which any other character may stand."""

    def fits(self, text: str, at: int) -> bool:
        if self.masks is None:
            return text.startswith(self.text, at)
        return all(wanted in (_ONE, given) for wanted, given in zip(self.text, text[at:], strict=False))

    def find(self, text: str, at: int, end: int) -> int:
        """Return where it ends first; less than 0: it is nowhere."""
        if self.masks is None:
            found = text.find(self.text, at, end)
            return found if found < 0 else found + len(self.text)
        # Each bit is a place up to which the piece has matched so far (Baeza-Yates and Gonnet, shift-and).
        last, state = 1 << (len(self.text) - 1), 0
        for place in range(at, end):
            state = (state << 1 | 1) & self.masks.get(text[place], self.other)
            if state & last:
                return place + 1
        return -1


class Pattern(msgspec.Struct, frozen=True):
    """A pattern, compiled."""

    source: str
    pieces: tuple[_Piece, ...] = ()
    """What is between the stars; none where there are variables."""
    parts: tuple[tuple[str, str | None] | str, ...] = ()
    """Of a pattern with variables: texts, and keys with their defaults."""

    @property
    def exact(self) -> str | None:
        """The one text that it matches; None where it may match others."""
        if self.parts or len(self.pieces) != 1 or self.pieces[0].masks is not None:
            return None
        return self.pieces[0].text

    @property
    def variables(self) -> tuple[str, ...]:
        """The condition keys whose values it holds, in small letters."""
        return tuple(part[0] for part in self.parts if not isinstance(part, str))

    def matches(self, text: str, context: Mapping[str, Any] | None = None) -> bool:
        """
        Say whether all of a text matches.

        Args:
            context: values of variables. One that has none, or several, matches nothing.
        """
        pieces = self.pieces
        if self.parts:
            filled = self._filled(context or {})
            if filled is None:
                return False
            pieces = filled
        first = pieces[0]
        if len(pieces) == 1:
            return len(first.text) == len(text) and first.fits(text, 0)
        last = pieces[-1]
        at, end = len(first.text), len(text) - len(last.text)
        if at > end or not first.fits(text, 0) or not last.fits(text, end):
            return False
        for piece in pieces[1:-1]:
            # What is found first leaves the most for what follows: there is no need to look again.
            at = piece.find(text, at, end)
            if at < 0:
                return False
        return True

    def _filled(self, context: Mapping[str, Any]) -> tuple[_Piece, ...] | None:
        marked: list[str] = [""]
        for part in self.parts:
            if isinstance(part, str):
                head, *tail = part.split("*")
                marked[-1] += head.replace("?", _ONE)
                marked += [text.replace("?", _ONE) for text in tail]
                continue
            key, default = part
            value = key if key in _CHARACTERS else context.get(key, default)
            if not isinstance(value, str) or _ONE in value:
                return None
            # As it is: a star in a value is a star.
            marked[-1] += value
        return tuple(map(_piece, marked))


def compile_pattern(text: str, *, has_variables: bool = False) -> Pattern:
    """
    Compile a pattern.

    Args:
        has_variables: whether `${...}` means something in it.

    Raises:
        ValueError: it holds the character that no policy may.
    """
    if _ONE in text:
        raise ValueError("a NUL is in it")
    if has_variables and "${" in text:
        parts: list[tuple[str, str | None] | str] = []
        at = 0
        for found in _VARIABLE.finditer(text):
            parts += [text[at : found.start()], (found[1].lower(), found[2])]
            at = found.end()
        if at:
            return Pattern(text, (), (*parts, text[at:]))
    return Pattern(text, tuple(_piece(piece.replace("?", _ONE)) for piece in text.split("*")))


def _piece(text: str) -> _Piece:
    if _ONE not in text:
        return _Piece(text)
    other = sum(1 << place for place, character in enumerate(text) if character == _ONE)
    masks: dict[str, int] = {}
    for place, character in enumerate(text):
        if character != _ONE:
            masks[character] = masks.get(character, other) | 1 << place
    return _Piece(text, masks, other)


def any_matches(patterns: Sequence[Pattern], text: str, context: Mapping[str, Any] | None = None) -> bool:
    """Say whether one of several patterns matches."""
    return any(pattern.matches(text, context) for pattern in patterns)
