"""
Patterns of the policy language: `*` and `?`, and variables; and of ARNs. Pure.

Matching takes time linear in the text, whatever the pattern: it may be what a stranger's function answered, full of
stars. Nothing of it becomes a regular expression.

Documented: IAM user guide, wildcards; policy elements: variables and tags.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

_CHARACTERS = frozenset("*?$")
"""Documented: `${*}`, `${?}` and `${$}` are these characters themselves."""

_SIGNS = re.compile(r"[*?]")

_MASKED_MAX = 64
"""Characters of a piece that keeps its masks. Those of a longer one are made each time that it is looked for."""

_Signs: TypeAlias = Sequence[str | None]
"""Characters; None for a question mark, which is any."""

_Masks: TypeAlias = tuple[Mapping[str, int], int]
"""For each character the places at which it may stand, as bits; and those of any other one."""


class _Piece:
    """What stands between two stars."""

    __slots__ = ("_masks", "_signs", "size", "text")

    def __init__(self, signs: _Signs) -> None:
        self.size = len(signs)
        self.text = "".join(sign for sign in signs if sign is not None)
        self._signs = None if len(self.text) == self.size else signs
        self._masks: _Masks | None = None

    @property
    def is_exact(self) -> bool:
        return self._signs is None

    def fits(self, text: str, at: int) -> bool:
        """Say whether it stands in a text at some place, which leaves room for it."""
        if self._signs is None:
            return text.startswith(self.text, at)
        given = text[at : at + self.size]
        return all(sign in (None, character) for sign, character in zip(self._signs, given, strict=True))

    def find(self, text: str, at: int, end: int) -> int:
        """Return where it ends first; less than 0: it is nowhere."""
        if self._signs is None:
            found = text.find(self.text, at, end)
            return found if found < 0 else found + self.size
        if self.size > end - at:
            return -1
        masks, other = self._masks or self._masked()
        # Each bit is a place up to which the piece has matched so far (Baeza-Yates and Gonnet, shift-and).
        last, state = 1 << (self.size - 1), 0
        for place in range(at, end):
            state = (state << 1 | 1) & masks.get(text[place], other)
            if state & last:
                return place + 1
        return -1

    def _masked(self) -> _Masks:
        assert self._signs is not None
        masks = _masks(self._signs)
        if self.size <= _MASKED_MAX:
            self._masks = masks
        return masks


def _masks(signs: _Signs) -> _Masks:
    other = sum(1 << place for place, sign in enumerate(signs) if sign is None)
    masks: dict[str, int] = {}
    for place, sign in enumerate(signs):
        if sign is not None:
            masks[sign] = masks.get(sign, other) | 1 << place
    return masks, other


class _Variable(msgspec.Struct, frozen=True):
    """A condition key, or a character, whose value stands in a pattern."""

    key: str
    """In small letters."""
    default: str | None

    def value(self, context: Mapping[str, Any]) -> str | None:
        """Return what it stands for. None where it has no value, or several."""
        found = self.key if self.key in _CHARACTERS else context.get(self.key, self.default)
        return found if isinstance(found, str) else None


class Pattern(msgspec.Struct, frozen=True):
    """A pattern, compiled."""

    source: str
    pieces: tuple[_Piece, ...] = ()
    """What is between the stars; none where there are variables."""
    parts: tuple[_Variable | str, ...] = ()
    """Of a pattern with variables: these, and the texts between them."""

    @property
    def is_exact(self) -> bool:
        """Whether there is but one text that it matches."""
        return len(self.pieces) == 1 and self.pieces[0].is_exact

    @property
    def head(self) -> str:
        """What all that it matches begins with."""
        text = self.parts[0] if self.parts else self.source
        assert isinstance(text, str), "the first part is a text"
        return _SIGNS.split(text, maxsplit=1)[0]

    @property
    def variables(self) -> tuple[str, ...]:
        """The condition keys whose values it holds, in small letters."""
        return tuple(part.key for part in self.parts if isinstance(part, _Variable) and part.key not in _CHARACTERS)

    def text(self, context: Mapping[str, Any], chars_max: int) -> str | None:
        """
        Return it with its variables filled in, where stars are but stars.

        None: one has no value, or several; or it would be longer than `chars_max`, for a policy can name a long value
        many times.
        """
        if not self.parts:
            return self.source
        filled = self._filled(context, chars_max)
        return None if filled is None else "".join(text for text, _ in filled)

    def matches(self, text: str, context: Mapping[str, Any] = {}) -> bool:
        """
        Say whether all of a text matches.

        Args:
            context: values of variables. One that has none, or several, matches nothing.
        """
        pieces = self.pieces
        if self.parts:
            # A star is a character that nothing in the text need be: so there may be as many more.
            filled = self._filled(context, len(text) + len(self.source))
            if filled is None:
                return False
            pieces = _pieces(filled)
        first = pieces[0]
        if len(pieces) == 1:
            return first.size == len(text) and first.fits(text, 0)
        last = pieces[-1]
        at, end = first.size, len(text) - last.size
        if at > end or not first.fits(text, 0) or not last.fits(text, end):
            return False
        for piece in pieces[1:-1]:
            # What is found first leaves the most for what follows: there is no need to look again.
            at = piece.find(text, at, end)
            if at < 0:
                return False
        return True

    def _filled(self, context: Mapping[str, Any], chars_max: int) -> list[tuple[str, bool]] | None:
        """Return its parts as texts, each with whether its stars mean something: those of a value do not."""
        filled: list[tuple[str, bool]] = []
        for part in self.parts:
            text = part if isinstance(part, str) else part.value(context)
            chars_max -= 0 if text is None else len(text)
            if text is None or chars_max < 0:
                return None
            filled.append((text, isinstance(part, str)))
        return filled


def _pieces(filled: Iterable[tuple[str, bool]]) -> tuple[_Piece, ...]:
    found: list[list[str | None]] = [[]]
    for text, is_pattern in filled:
        if not is_pattern:
            found[-1] += text
            continue
        head, *tail = text.split("*")
        found[-1] += _signs(head)
        found += map(_signs, tail)
    return tuple(map(_Piece, found))


def _signs(text: str) -> list[str | None]:
    return [None if character == "?" else character for character in text]


def compile_pattern(text: str, *, has_variables: bool = False) -> Pattern:
    """
    Compile a pattern.

    Args:
        has_variables: whether `${...}` means something in it.
    """
    if has_variables and "${" in text:
        parts = _variables(text)
        if any(isinstance(part, _Variable) for part in parts):
            return Pattern(text, (), tuple(parts))
    return Pattern(text, _pieces([(text, True)]))


def _variables(text: str) -> list[_Variable | str]:
    """Take a text apart. What only looks like a variable is text."""
    parts: list[_Variable | str] = []
    done = at = 0
    while (begin := text.find("${", at)) >= 0 and (end := text.find("}", begin)) >= 0:
        at = end + 1
        key, comma, default = (part.strip() for part in text[begin + 2 : end].partition(","))
        is_quoted = len(default) >= 2 and default[0] == default[-1] == "'"
        if key and (is_quoted or not comma):
            parts += [text[done:begin], _Variable(key.lower(), default[1:-1] if comma else None)]
            done = at
    return [*parts, text[done:]]


class ArnPattern(msgspec.Struct, frozen=True):
    """A pattern of ARNs, which is matched part by part, so that a star does not cross the first five colons."""

    parts: tuple[Pattern, ...]
    """Five and the rest; one for what is no ARN; fewer than six where it is open."""
    is_arn: bool
    exact: str | None = None
    """The one text that it matches; None where it may match others, or nothing."""
    is_open: bool = False
    """Whether it ends early with a star, which stands for all that is missing."""

    @property
    def head(self) -> str:
        """What all that it matches begins with."""
        heads = []
        for part in self.parts:
            heads.append(part.head)
            if not part.is_exact:
                break
        return ":".join(heads)

    @property
    def variables(self) -> tuple[str, ...]:
        """The condition keys whose values it holds, in small letters."""
        return self.parts[-1].variables

    def is_of_service(self, service: str) -> bool:
        """Say whether a service's ARNs may be among those that it matches."""
        return not self.is_arn or len(self.parts) < 3 or self.parts[2].matches(service)

    def matches(self, text: str, context: Mapping[str, Any] = {}) -> bool:
        """Say whether all of a text matches. `context` has the values of variables."""
        if self.exact is not None:
            return text == self.exact
        if not self.is_arn:
            return self.parts[0].matches(text, context)
        if len(self.parts) < 6 and not self.is_open:
            return False
        given = text.split(":", 5)
        if len(given) != 6:
            return False
        return all(part.matches(one, context) for part, one in zip(self.parts, given, strict=False))


def compile_arn_pattern(text: str, *, has_variables: bool = False) -> ArnPattern:
    """
    Compile a pattern of ARNs; `*` alone is one of everything.

    Args:
        has_variables: whether `${...}` means something behind the fifth colon. Documented: IAM user guide, tags as
            variables: nowhere else.
    """
    parts = text.split(":", 5)
    is_arn = parts[0] == "arn" and len(parts) > 1
    # Behind the fifth colon alone there are variables, and in what is no ARN.
    compiled = tuple(
        compile_pattern(part, has_variables=has_variables and number == 5)
        for number, part in (enumerate(parts) if is_arn else [(5, text)])
    )
    exact = text if len(compiled) in {1, 6} and all(part.is_exact for part in compiled) else None
    return ArnPattern(compiled, is_arn, exact, is_open=is_arn and len(parts) < 6 and text.endswith("*"))
