"""
The filter pattern language of CloudWatch Logs: which log events are meant, and what is taken out of them. Pure.

A pattern is of one of three kinds, which its first character tells: `{` for JSON (filter_pattern_json.py), `[` for
columns between blanks (filter_pattern_columns.py), anything else for terms. Whatever the pattern, matching takes time
linear in the message.

Documented: CloudWatch Logs user guide, filter pattern syntax, unless a line says otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol, TypeAlias

from lambent.domain.filter_pattern_columns import parse_columns
from lambent.domain.filter_pattern_json import parse_json
from lambent.domain.filter_pattern_terms import InvalidPattern, Reader, Test, bad_characters, is_word

__all__ = ["PATTERN_CHARS_MAX", "FilterPattern", "InvalidPattern", "Values", "parse"]

PATTERN_CHARS_MAX = 1024

Values: TypeAlias = Mapping[str, str]
"""What a pattern takes out of a message: `$name` or `$3` for a column, `$.path` for a property of JSON."""


class FilterPattern(Protocol):
    """A parsed pattern."""

    @property
    def literals(self) -> tuple[str, ...]:
        """What each message that matches surely holds. A message, or many in one piece, can be searched for it fast."""

    @property
    def plain_literals(self) -> tuple[str, ...]:
        r"""
        The same for a message without a backslash, which may be more: JSON may write each letter as `\\u0041`.
        """

    @property
    def regexes(self) -> int:
        """How many regular expressions are in it."""

    def matches(self, message: str) -> bool:
        """Say whether a message is meant."""

    def extract(self, message: str) -> Values | None:
        """Return what the pattern takes out of a message; None for one that does not match."""

    def reader(self, references: Sequence[str]) -> Callable[[str], Values | None]:
        """
        Return what takes the values of more references out of messages, as the value of a metric filter names them.

        It returns None for a message that does not match, and leaves out what a message has not.

        Raises:
            InvalidPattern: a reference is none, or is to what no message of this kind has.
        """


def parse(text: str) -> FilterPattern:
    """
    Read a pattern. Blanks alone, and nothing at all, are one that every message matches.

    Raises:
        InvalidPattern: it is none.
    """
    if len(text) > PATTERN_CHARS_MAX:
        raise InvalidPattern
    trimmed = text.strip()
    for opening, closing, parse_kind in (("{", "}", parse_json), ("[", "]", parse_columns)):
        if trimmed.startswith(opening):
            if not trimmed.endswith(closing):
                # Observed: the message, in reports.
                raise InvalidPattern(f"If a filter pattern starts with '{opening}' it must end with '{closing}'")
            return parse_kind(trimmed)
    return _parse_terms(trimmed)


class _Terms:
    """Terms that all have to occur, of which any has to, and which must not."""

    plain_literals: tuple[str, ...]

    def __init__(
        self,
        wanted: Sequence[str],
        optional: Sequence[str],
        unwanted: Sequence[str],
        tests: Sequence["_RegexTerm"],
        regexes: int,
    ) -> None:
        self.regexes = regexes
        self.literals = tuple(dict.fromkeys(wanted)) or (tuple(optional) if len(optional) == 1 and not tests else ())
        self.plain_literals = self.literals
        self._wanted = tuple(wanted)
        self._optional = tuple(optional)
        self._unwanted = tuple(unwanted)
        self._required_tests = tuple(one.test for one in tests if one.sign == "")
        self._optional_tests = tuple(one.test for one in tests if one.sign == "?")
        self._unwanted_tests = tuple(one.test for one in tests if one.sign == "-")

    def matches(self, message: str) -> bool:
        # Plain loops: a generator costs more than looking for a term does.
        for term in self._wanted:
            if term not in message:
                return False
        for term in self._unwanted:
            if term in message:
                return False
        for test in self._required_tests:
            if not test(message):
                return False
        for test in self._unwanted_tests:
            if test(message):
                return False
        if not self._optional and not self._optional_tests:
            return True
        for term in self._optional:
            if term in message:
                return True
        return any(test(message) for test in self._optional_tests)

    def extract(self, message: str) -> Values | None:
        return {} if self.matches(message) else None

    def reader(self, references: Sequence[str]) -> Callable[[str], Values | None]:
        if references:
            raise InvalidPattern
        return self.extract


class _OneTerm:
    """One term, which is what is asked most."""

    regexes: ClassVar[int] = 0

    __slots__ = ("_term", "literals", "plain_literals")

    def __init__(self, term: str) -> None:
        self._term = term
        self.literals = self.plain_literals = (term,)

    def matches(self, message: str) -> bool:
        return self._term in message

    def extract(self, message: str) -> Values | None:
        return {} if self._term in message else None

    def reader(self, references: Sequence[str]) -> Callable[[str], Values | None]:
        if references:
            raise InvalidPattern
        return self.extract


class _RegexTerm:
    __slots__ = ("sign", "test")

    def __init__(self, sign: str, test: Test) -> None:
        self.sign = sign
        self.test = test


def _parse_terms(text: str) -> FilterPattern:
    reader = Reader(text, 0, len(text))
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    tests: list[_RegexTerm] = []
    while True:
        reader.skip_blanks()
        if reader.is_done():
            break
        sign = "?" if reader.takes("?") else "-" if reader.takes("-") else ""
        if reader.peek() == "%":
            tests.append(_RegexTerm(sign, reader.regex()))
            continue
        is_quoted = reader.peek() == '"'
        term = reader.quoted() if is_quoted else reader.word(is_word)
        if not term and not is_quoted:
            if reader.is_done() or reader.peek().isspace():
                raise InvalidPattern
            raise bad_characters(reader.peek())
        if term.strip():
            terms[sign].append(term)
        elif sign != "-":
            # Documented: a blank in quotation marks is in every event.
            terms[sign].append("")
    wanted, optional, unwanted = terms[""], terms["?"], terms["-"]
    if wanted or unwanted or any(one.sign != "?" for one in tests):
        # Documented: with other terms beside them, those with question marks count for nothing.
        optional, tests = [], [one for one in tests if one.sign != "?"]
    wanted = [term for term in wanted if term]
    if len(wanted) == 1 and not unwanted and not tests:
        return _OneTerm(wanted[0])
    return _Terms(wanted, optional, unwanted, tests, reader.regexes)
