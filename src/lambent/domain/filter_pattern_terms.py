"""
What the kinds of filter patterns share: text with stars, numbers, regular expressions, and how a pattern is read. Pure.

Nothing here takes longer than linear time in a message: stars do not backtrack, and neither does the engine.
"""

from collections.abc import Callable
from typing import TypeAlias

Test: TypeAlias = Callable[[str], bool]
"""Says whether a text is one that the pattern wants."""

REGEXES_MAX = 2
"""Documented: CloudWatch Logs user guide, filter pattern syntax. There it is said of patterns of every place."""

_PROGRAM_MAX = 2_000
"""Instructions of a regular expression. Assumed: what people write has some dozens (test_filter_pattern_terms)."""

_TRIAL_BYTES = 1 << 17
"""What RE2 may use to find out whether an expression is too large: some thousand instructions."""

_SEARCH_BYTES = 1 << 20
"""
And to search with one that is not. By itself it takes eight times as much, and there may be some for each log group.
"""

_PROGRAM_SMALL = 50
"""Up to so many instructions the door of the engine is used that is fast where all goes well, and slow at the worst."""

_STEPS_MAX = 100_000_000
"""
Instructions times characters of a text: a second or so at the worst. Of a longer text the beginning is looked at: an
expression of the usual size sees all of the longest event. Assumed (test_filter_pattern_terms).
"""

_REGEX_SIGNS = frozenset(":_#=@/;,-^$?[]{}|*+. ")
"""
Documented: the same page, beside letters, digits and the backslash. The blank is in an example there. What a backslash
may stand before is below.
"""

_REGEX_ESCAPES = frozenset("dDsSwW")

_INVALID = "Invalid filter pattern"


class InvalidPattern(Exception):
    """
    The pattern is none. The message is AWS's.

    Args:
        message: None: the one that AWS has where it says nothing more.
    """

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or _INVALID)
        self.is_specific = message is not None


def bad_characters(term: str) -> InvalidPattern:
    """Return the refusal of characters that a term cannot hold. Observed: many reports of people who met it."""
    return InvalidPattern(f"Invalid character(s) in term '{term}'")


class Reader:
    """A pattern's text, read from left to right."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text = text
        self.at = start
        self.end = end
        self.regexes = 0

    def skip_blanks(self) -> None:
        while self.at < self.end and self.text[self.at].isspace():
            self.at += 1

    def is_done(self) -> bool:
        """Say whether all is read."""
        return self.at >= self.end

    def peek(self) -> str:
        """Return the next character; nothing at the end."""
        return self.text[self.at] if self.at < self.end else ""

    def takes(self, sign: str) -> bool:
        """Pass a sign if it comes next."""
        if self.at + len(sign) <= self.end and self.text.startswith(sign, self.at):
            self.at += len(sign)
            return True
        return False

    def demand(self, sign: str) -> None:
        """
        Raises:
            InvalidPattern: something else comes next.
        """
        if not self.takes(sign):
            raise InvalidPattern

    def word(self, is_part: Callable[[str], bool]) -> str:
        """Read as long as characters are part of it."""
        start = self.at
        while self.at < self.end and is_part(self.text[self.at]):
            self.at += 1
        return self.text[start : self.at]

    def quoted(self) -> str:
        r"""
        Read what stands in quotation marks, the first of which comes next. `\"` and `\\` are the characters themselves.

        Assumed: the escapes; a published setup has the backslash doubled (test_filter_pattern_terms).
        """
        self.demand('"')
        parts = []
        while (sign := self.peek()) != '"':
            if not sign:
                raise InvalidPattern
            self.at += 1
            if sign == "\\" and self.peek() in {'"', "\\"} and not self.is_done():
                sign = self.peek()
                self.at += 1
            parts.append(sign)
        self.at += 1
        return "".join(parts)

    def regex(self) -> Test:
        """
        Read what stands between per cent signs, the first of which comes next.

        Raises:
            InvalidPattern: it is no regular expression of this language, or one too many.
        """
        self.demand("%")
        end = self.text.find("%", self.at, self.end)
        if end < 0:
            raise InvalidPattern
        source = self.text[self.at : end]
        self.at = end + 1
        self.regexes += 1
        if self.regexes > REGEXES_MAX:
            raise InvalidPattern
        return compile_regex(source)

    def operator(self) -> str:
        """Read a comparison; nothing where none comes next."""
        for sign in ("!=", "<=", ">=", "=", "<", ">"):
            if self.takes(sign):
                return sign
        return ""


def is_word(character: str) -> bool:
    """Say whether a character needs no quotation marks. Documented: letters, digits and the underscore."""
    return character.isalnum() or character == "_"


def is_name(character: str) -> bool:
    """Say whether a character may stand in the name of a property. Documented: the hyphen as well."""
    return is_word(character) or character == "-"


def is_value(character: str) -> bool:
    """
    Say whether a character may stand in a value without quotation marks.

    Observed: in patterns that people run, addresses and names of services with dots. Documented: stars, signs of
    numbers.
    """
    return is_name(character) or character in "*.+"


def number(text: str) -> int | float | None:
    """Return the number that a text is as AWS's documentation writes them; None for any other text."""
    if not text.isascii() or "_" in text or text[-1:].isspace() or text[:1].isspace():
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    # "nan" and "infinity" are words here.
    return value if text[-1:].isdigit() or text[-1:] == "." else None


def wildcard(text: str) -> Test:
    """
    Return a test for a text in which `*` stands for anything.

    Observed: on AWS what follows a star has to end a value where it stands in it first, so that `*11` misses `1111`
    (a suite of patterns that somebody ran there). That is a fault of theirs that nobody can want: it is not copied.
    """
    if "*" not in text:
        return text.__eq__
    first, *between = text.split("*")
    last = between.pop()
    if not (first or last or any(between)):
        return _anything

    def test(given: str) -> bool:
        if len(given) < len(first) + len(last) or not (given.startswith(first) and given.endswith(last)):
            return False
        at, end = len(first), len(given) - len(last)
        # What is found first leaves the most for what follows: there is no need to look again.
        for part in between:
            at = given.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    return test


def _anything(_: str) -> bool:
    return True


def compile_regex(source: str) -> Test:
    """
    Make a regular expression ready to search a text.

    Raises:
        InvalidPattern: it holds what this language has not, or is too large.
    """
    _check_regex(source)
    # At first use: most servers see no regular expression.
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _TRIAL_BYTES
    try:
        # Of what is too large this tells in milliseconds; with what searching takes it would be many seconds.
        re2.compile(source, options)
        options.max_mem = _SEARCH_BYTES
        compiled = re2.compile(source, options)
    except re2.error:
        raise InvalidPattern from None
    size = compiled.programsize
    if size > _PROGRAM_MAX:
        raise InvalidPattern
    matches: Callable[[bytes], object] = compiled.search
    if size <= _PROGRAM_SMALL:
        # Says yes or no and nothing of where.
        found = re2.Set.SearchSet(options)
        found.Add(source)
        found.Compile()
        matches = found.Match
    chars_max = _STEPS_MAX // size

    def test(text: str) -> bool:
        if len(text) > chars_max:
            text = text[:chars_max]
        # A line's own end is none of its characters: else no `$` would fit what a function prints.
        elif text.endswith("\n"):
            text = text[:-1]
        return bool(matches(text.encode(errors="replace")))

    return test


def _check_regex(source: str) -> None:
    at = 0
    if not source:
        raise InvalidPattern
    while at < len(source):
        character = source[at]
        if character == "\\":
            following = source[at + 1 : at + 2]
            if following == "x":
                if len(source[at + 2 : at + 4].strip()) != 2 or not all(
                    one in "0123456789abcdefABCDEF" for one in source[at + 2 : at + 4]
                ):
                    raise InvalidPattern
                at += 4
                continue
            if following not in _REGEX_ESCAPES and following not in _REGEX_SIGNS and following != "\\":
                raise InvalidPattern
            at += 2
            continue
        if not (character.isascii() and character.isalnum()) and character not in _REGEX_SIGNS:
            raise bad_characters(character)
        at += 1
