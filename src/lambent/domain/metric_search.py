"""
SEARCH of metric math: which metrics a text means.

Documented: CloudWatch user guide, CloudWatch search expression syntax, for the text and how it is split into tokens.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from lambent.domain.metric import Metric
from lambent.domain.metric_expression import InvalidExpression

TEXT_MAX = 1_024
"""Characters. Documented: as above."""
_DEPTH_MAX = 32
"""Of parentheses and NOT. Assumed: a text has 1,024 characters (test_metric_search)."""

Matches = Callable[[Metric], bool]

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W0-9_A-Za-z]+")
_LEXEME = re.compile(
    r"""\s*(?:(?P<text>"[^"]*")|(?P<sign>[()=])|(?P<word>[^\s"()={},]+))""",
    re.VERBOSE,
)


def tokens(text: str) -> list[str]:
    """Split a text where its kind of letter changes, at digits and at punctuation."""
    return _PART.findall(text)


def parse_search(text: str) -> Matches:
    """
    Return what says whether a metric is found.

    Raises:
        InvalidExpression: the text is none that can be searched for.
    """
    if len(text) > TEXT_MAX:
        raise InvalidExpression(f"SEARCH takes a text of at most {TEXT_MAX} characters")
    schema: Matches | None = None
    rest = text.strip()
    if rest.startswith("{"):
        inside, closing, rest = rest[1:].partition("}")
        if not closing:
            raise InvalidExpression("SEARCH lacks a closing brace")
        schema = _of_schema(_names(inside))
    terms = list(_lexemes(rest))
    if not terms:
        if schema is None:
            raise InvalidExpression("SEARCH has nothing to look for")
        return schema
    reader = _Reader(terms)
    wanted = reader.either(None)
    reader.end()
    if schema is None:
        return wanted
    is_of_schema = schema
    return lambda metric: is_of_schema(metric) and wanted(metric)


def terms_in(text: str) -> int:
    """Return how many terms a text has at most: what comparing a metric with it costs."""
    return 1 + len(_LEXEME.findall(text))


def _names(text: str) -> list[str]:
    """Split a namespace and names of dimensions at commas outside of quotes."""
    names = [one.strip() for one in re.findall(r'\s*(?:"[^"]*"|[^,"]+)\s*(?=,|$)', text)]
    return [name[1:-1] if name.startswith('"') else name for name in names if name]


def _of_schema(names: Sequence[str]) -> Matches:
    if not names:
        raise InvalidExpression("SEARCH has braces without a namespace")
    namespace, dimensions = names[0], set(names[1:])
    return lambda metric: (
        metric.namespace == namespace
        and len(metric.dimensions) == len(dimensions)
        and all(name in dimensions for name, _ in metric.dimensions)
    )


def _lexemes(text: str) -> Iterator[tuple[str, str]]:
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _LEXEME.match(text, position)
        if found is None:
            raise InvalidExpression(f"SEARCH cannot be read at character {position + 1} of its terms")
        kind = found.lastgroup
        assert kind is not None
        yield kind, found[kind]
        position = found.end()


class _Reader:
    """Reads terms from left to right; `designator` is the part of a metric that they are about."""

    def __init__(self, lexemes: Sequence[tuple[str, str]]) -> None:
        self._lexemes = lexemes
        self._next = 0
        self._depth = 0

    def _peek(self, ahead: int = 0) -> tuple[str, str]:
        place = self._next + ahead
        return self._lexemes[place] if place < len(self._lexemes) else ("end", "the end")

    def _takes(self, kind: str, token: str) -> bool:
        if self._peek() != (kind, token):
            return False
        self._next += 1
        return True

    def end(self) -> None:
        if self._next < len(self._lexemes):
            raise InvalidExpression(f"SEARCH has an unexpected {self._peek()[1]}")

    def either(self, designator: str | None) -> Matches:
        some = [self._all(designator)]
        while self._takes("word", "OR"):
            some.append(self._all(designator))
        return some[0] if len(some) == 1 else lambda metric: any(matches(metric) for matches in some)

    def _all(self, designator: str | None) -> Matches:
        every = [self._one(designator)]
        # Documented: terms that follow each other are joined by AND.
        while self._peek()[0] != "end" and self._peek() not in (("word", "OR"), ("sign", ")")):
            self._takes("word", "AND")
            every.append(self._one(designator))
        return every[0] if len(every) == 1 else lambda metric: all(matches(metric) for matches in every)

    def _one(self, designator: str | None) -> Matches:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise InvalidExpression("SEARCH is nested too deeply")
        try:
            if self._takes("word", "NOT"):
                unwanted = self._one(designator)
                return lambda metric: not unwanted(metric)
            if self._takes("sign", "("):
                inner = self.either(designator)
                if not self._takes("sign", ")"):
                    raise InvalidExpression("SEARCH lacks a closing parenthesis")
                return inner
            kind, token = self._peek()
            if kind not in ("word", "text") or token in ("AND", "OR"):
                raise InvalidExpression(f"SEARCH has an unexpected {token}")
            self._next += 1
            if designator is None and self._takes("sign", "="):
                return self._one(token.strip('"'))
            return _term(designator, token)
        finally:
            self._depth -= 1


def _term(designator: str | None, token: str) -> Matches:
    """Return what one term finds: quoted, a whole name; bare, tokens."""
    if token.startswith('"'):
        exact = token[1:-1]
        return lambda metric: exact in _parts(metric, designator)
    parts = tokens(token)
    if len(parts) <= 1:
        single = (parts[0] if parts else token).lower()
        return lambda metric: single in _single(_parts(metric, designator))
    whole = "".join(parts).lower()
    return lambda metric: any(
        _follows(parts, of := _tokens(part)) or whole == "".join(of).lower() for part in _parts(metric, designator)
    )


@lru_cache(maxsize=256)
def _single(texts: Sequence[str]) -> frozenset[str]:
    """
    Return what single tokens find: the parts, and the whole without punctuation; without case.

    The terms of a search are compared with one metric after the other: each is taken apart once.
    """
    return frozenset(one.lower() for text in texts for parts in (_tokens(text),) for one in (*parts, "".join(parts)))


@lru_cache(maxsize=1024)
def _tokens(text: str) -> Sequence[str]:
    return tuple(tokens(text))


def _follows(wanted: Sequence[str], parts: Sequence[str]) -> bool:
    """Say whether tokens stand one after the other. Documented: several are compared with case."""
    size = len(wanted)
    return any(list(parts[begin : begin + size]) == list(wanted) for begin in range(len(parts) - size + 1))


def _parts(metric: Metric, designator: str | None) -> Sequence[str]:
    """Return the texts of a metric that a term is about."""
    if designator is None:
        return (metric.namespace, metric.name, *(text for pair in metric.dimensions for text in pair))
    if designator == "MetricName":
        return (metric.name,)
    if designator == "Namespace":
        return (metric.namespace,)
    if designator == ":aws.AccountId":
        return (metric.scope.account,)
    return tuple(value for name, value in metric.dimensions if name == designator)


def differing_labels(metrics: Sequence[Metric]) -> list[str]:
    """
    Return a label for each metric that a search has found.

    Assumed: the parts by which they differ, in the order name, values of dimensions (test_metric_search).
    """
    columns: list[list[str]] = [[metric.namespace for metric in metrics], [metric.name for metric in metrics]]
    names = sorted({name for metric in metrics for name, _ in metric.dimensions})
    by_name = [dict(metric.dimensions) for metric in metrics]
    columns += [[dimensions.get(name, "") for dimensions in by_name] for name in names]
    differing = [column for column in columns if len(set(column)) > 1]
    if not differing:
        return [metric.name for metric in metrics]
    return [" ".join(part for part in row if part) for row in zip(*differing, strict=True)]
