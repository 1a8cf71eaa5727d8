"""
Filter expressions: which traces a search, or a group, is for.

    service("shop") { fault } AND annotation.customer = "x" AND !partial duration > 2

Boolean, number and string keywords, annotations, services, edges and groups. What is about root causes is refused by
name. Whatever the expression, matching takes time linear in it and in the trace.

Documented: X-Ray developer guide, filter expressions.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from lambent.domain.xray.filter_terms import (
    ANYWHERE,
    BOOLEANS,
    COMPARISONS,
    NUMBERS,
    TEXT_OPERATORS,
    TEXTS,
    InvalidExpression,
    Token,
    compares,
    holds,
    tokens_of,
)
from lambent.domain.xray.trace import Entity, ServiceId, Trace

EXPRESSION_MAX = 2_000
"""Characters. Documented: X-Ray API reference, GetTraceSummaries, as it was before the model lost the limit."""

_DEPTH_MAX = 50
"""Parentheses, braces and negations within each other. Assumed: a person writes a handful (test_filter_expression)."""

GroupFilters: TypeAlias = Mapping[str, "Filter"]
"""The filters of groups, by name and by ARN."""


class _Subject(NamedTuple):
    """What a term is asked about."""

    trace: Trace
    segment: Entity | None
    """Inside braces: one segment of the service, or at the end of the edge."""
    groups: GroupFilters


Filter: TypeAlias = Callable[[_Subject], bool]


_Fits: TypeAlias = Callable[[ServiceId], bool]
"""Says whether a service is one that a term names."""


class FilterExpression:
    """An expression, compiled."""

    __slots__ = ("_filter", "has_groups", "text")

    def __init__(self, text: str, filter_: Filter, *, has_groups: bool) -> None:
        self.text = text
        self._filter = filter_
        self.has_groups = has_groups
        """Whether it names groups."""

    def matches(self, trace: Trace, groups: "Mapping[str, FilterExpression] | None" = None) -> bool:
        """
        Say whether a trace is one that it is for.

        Args:
            groups: the groups' expressions by name and by ARN, which name no groups themselves.
        """
        return self._filter(_Subject(trace, None, {name: one._filter for name, one in (groups or {}).items()}))


def compile_expression(text: str) -> FilterExpression:
    """
    Compile an expression; an empty one is for every trace.

    Raises:
        InvalidExpression: it is none.
    """
    if len(text) > EXPRESSION_MAX:
        raise InvalidExpression(f"a filter expression has at most {EXPRESSION_MAX} characters")
    parser = _Parser(list(tokens_of(text)))
    filter_ = parser.whole()
    return FilterExpression(text, filter_, has_groups=parser.has_groups)


class Selector(NamedTuple):
    """Which segments statistics are about."""

    of_one: Filter
    is_edge: bool

    def select(self, trace: Trace) -> list[Entity]:
        """Return those of a trace."""
        return [one for one in trace.segments if self.of_one(_Subject(trace, one, {}))]


def compile_selector(text: str | None) -> Selector:
    """
    Compile the selector of GetTimeSeriesServiceStatistics, `service(...)` or `edge(...)`; None selects roots.

    Raises:
        InvalidExpression: it is none.
    """
    if text is None:
        return Selector(_is_root, is_edge=False)
    if len(text) > EXPRESSION_MAX:
        raise InvalidExpression(f"a selector has at most {EXPRESSION_MAX} characters")
    return Selector(*_Parser(list(tokens_of(text))).selected())


def _is_root(subject: _Subject) -> bool:
    return subject.segment is subject.trace.root


_OF_ROOT_CAUSES = frozenset({"first", "last", "index", "coverage"})


class _Parser:
    """One expression, from left to right."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._in_braces = False
        self.has_groups = False

    def whole(self) -> Filter:
        if self._next.kind == "end":
            return lambda subject: True
        filter_ = self._or()
        if self._next.kind != "end":
            raise self._wrong()
        return filter_

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _wrong(self) -> InvalidExpression:
        token = self._next
        what = "ends too early" if token.kind == "end" else f"has an unexpected '{token.value}'"
        return InvalidExpression(f"the filter expression {what} at position {token.place}")

    def _take(self, *values: str) -> str | None:
        """Step over a sign or word that is one of these, in small letters."""
        token = self._next
        found = token.value.lower()
        if token.kind in ("sign", "word") and found in values:
            self._at += 1
            return found
        return None

    def _expect(self, value: str) -> None:
        if self._take(value) is None:
            raise self._wrong()

    def _text(self) -> str:
        token = self._next
        if token.kind != "text":
            raise self._wrong()
        self._at += 1
        return token.value

    def _or(self) -> Filter:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise InvalidExpression("the filter expression is nested too deep")
        found = [self._and()]
        while self._take("or"):
            found.append(self._and())
        self._depth -= 1
        return found[0] if len(found) == 1 else lambda subject: any(one(subject) for one in found)

    def _and(self) -> Filter:
        found = [self._unary()]
        # Documented: what follows without a word between is as if there were an AND.
        while self._take("and") or self._begins_term():
            found.append(self._unary())
        return found[0] if len(found) == 1 else lambda subject: all(one(subject) for one in found)

    def _begins_term(self) -> bool:
        token = self._next
        if token.kind == "word":
            return token.value.lower() != "or"
        return token.kind == "sign" and token.value in ("!", "(")

    def _unary(self) -> Filter:
        is_negated = False
        while self._take("!"):
            is_negated = not is_negated
        if self._take("("):
            found = self._or()
            self._expect(")")
        else:
            found = self._term()
        return (lambda subject: not found(subject)) if is_negated else found

    def _term(self) -> Filter:
        token = self._next
        if token.kind != "word":
            raise self._wrong()
        self._at += 1
        word = token.value.lower()
        if word == "annotation" or word.startswith("annotation."):
            return self._annotation(token)
        if word in BOOLEANS:
            return self._boolean(word)
        if word in NUMBERS:
            return self._number(word)
        if word in TEXTS:
            return self._string(word)
        if word in ("service", "edge"):
            return self._service() if word == "service" else self._edge()
        if word in ("group.name", "group.arn"):
            return self._group()
        if word.startswith("rootcause.") or word in _OF_ROOT_CAUSES:
            raise InvalidExpression(
                f"'{token.value}': filters of root causes are not offered by this version of Lambent"
            )
        raise InvalidExpression(f"the filter expression has an unknown keyword '{token.value}' at {token.place}")

    def _boolean(self, word: str) -> Filter:
        is_wanted = self._wanted()
        holds = BOOLEANS[word]

        def decide(subject: _Subject) -> bool:
            trace, segment, _ = subject
            if segment is None and word in ANYWHERE:
                return any(holds(trace, one) for one in trace.segments) is is_wanted
            return holds(trace, segment or trace.root) is is_wanted

        return decide

    def _wanted(self) -> bool:
        """Read `= true`, `!= false` and the like; a keyword alone is wanted."""
        sign = self._take("=", "!=")
        if sign is None:
            return True
        value = self._take("true", "false")
        if value is None:
            raise self._wrong()
        return (value == "true") is (sign == "=")

    def _number(self, word: str) -> Filter:
        sign, wanted = self._comparison()
        value_of = NUMBERS[word]

        def decide(subject: _Subject) -> bool:
            trace, segment, _ = subject
            found = trace.duration_s if segment is None and word == "duration" else value_of(segment or trace.root)
            return found is not None and compares(found, sign, wanted)

        return decide

    def _comparison(self) -> tuple[str, float]:
        sign = self._take("!=", *COMPARISONS)
        token = self._next
        if sign is None or token.kind != "number":
            raise self._wrong()
        self._at += 1
        return sign, float(token.value)

    def _string(self, word: str) -> Filter:
        sign = self._take("!=", *TEXT_OPERATORS)
        if sign is None:
            raise self._wrong()
        wanted = self._text()
        texts_of = TEXTS[word]
        is_of_root = word.startswith("http.")

        def decide(subject: _Subject) -> bool:
            trace, segment, _ = subject
            if segment is None and is_of_root:
                segment = trace.root
            segments = trace.segments if segment is None else [segment]
            return holds([text for one in segments for text in texts_of(trace, one)], sign, wanted)

        return decide

    def _annotation(self, token: Token) -> Filter:
        # Documented: filters of services and edges hold no annotations.
        if self._in_braces:
            raise InvalidExpression("annotations cannot be asked for inside the braces of a service or an edge")
        key = token.value.partition(".")[2]
        if not key:
            self._expect("[")
            key_token = self._next
            if key_token.kind not in ("word", "text", "number"):
                raise self._wrong()
            self._at += 1
            key = key_token.value
            self._expect("]")
        sign = self._take("!=", *COMPARISONS, *TEXT_OPERATORS)
        if sign is None:
            # Documented: alone it is set. Assumed: and not false (test_filter_expression).
            return lambda subject: any(value is not False for _, value in subject.trace.annotations.get(key, ()))
        kind, wanted = self._annotation_value(sign)

        def decide(subject: _Subject) -> bool:
            found: list[Any] = [value for of, value in subject.trace.annotations.get(key, ()) if of is kind]
            if kind is str:
                return holds(found, sign, wanted)
            if sign == "!=":
                return bool(found) and wanted not in found
            return any(compares(value, sign, wanted) for value in found)

        return decide

    def _annotation_value(self, sign: str) -> tuple[type, Any]:
        token = self._next
        value = token.value
        if token.kind == "text" and (sign == "!=" or sign in TEXT_OPERATORS):
            kind: type = str
        elif token.kind == "number" and (sign == "!=" or sign in COMPARISONS):
            kind = float
        elif token.kind == "word" and value.lower() in ("true", "false") and sign in ("=", "!="):
            kind = bool
        else:
            raise self._wrong()
        self._at += 1
        return kind, value if kind is str else float(value) if kind is float else value.lower() == "true"

    def _service(self) -> Filter:
        """Read the rest of a term about a service; what it makes holds where it does of any segment."""
        return _of_any(self.service())

    def _edge(self) -> Filter:
        return _of_any(self.edge())

    def service(self) -> Filter:
        """Read what follows `service`; what it makes is asked of one segment."""
        self._expect("(")
        fits: _Fits = _any_service
        if self._take(")") is None:
            fits = self._service_id()
            self._expect(")")
        inner = self._braces()

        def decide(subject: _Subject) -> bool:
            trace, segment, _ = subject
            return segment is not None and fits(trace.service_of(segment)) and inner(subject)

        return decide

    def edge(self) -> Filter:
        """Read what follows `edge`; what it makes is asked of one segment, that of the one that was called."""
        self._expect("(")
        source: _Fits = _any_service
        target: _Fits = _any_service
        if self._take(")") is None:
            source = self._service_id()
            self._expect(",")
            target = self._service_id()
            self._expect(")")
        inner = self._braces()

        def decide(subject: _Subject) -> bool:
            trace, segment, _ = subject
            caller = None if segment is None else trace.caller_of(segment)
            return (
                segment is not None
                and caller is not None
                and source(trace.service_of(caller))
                and target(trace.service_of(segment))
                and inner(subject)
            )

        return decide

    def selected(self) -> tuple[Filter, bool]:
        """Read all of a selector; return what it is asked of one segment, and whether it is about edges."""
        word = self._take("service", "edge")
        if word is None:
            raise self._wrong()
        filter_ = self.service() if word == "service" else self.edge()
        if self._next.kind != "end":
            raise self._wrong()
        return filter_, word == "edge"

    def _service_id(self) -> _Fits:
        """Read a name, or `id(name: "x", type: "y", account.id: "z")`."""
        if self._take("id") is None:
            name = self._text()
            # Documented: an empty name stands for any.
            return lambda service: service.name == name if name else True
        self._expect("(")
        wanted: dict[str, str] = {}
        while self._take(")") is None:
            if wanted:
                self._expect(",")
            token = self._next
            field = token.value.lower().removesuffix(":")
            if token.kind != "word" or not token.value.endswith(":") or field not in ("name", "type", "account.id"):
                raise self._wrong()
            self._at += 1
            wanted[field] = self._text()
        return lambda service: all(
            {"name": service.name, "type": service.type, "account.id": service.account}[field] == value
            for field, value in wanted.items()
        )

    def _braces(self) -> Filter:
        if self._in_braces:
            raise InvalidExpression("a service or an edge cannot be asked for inside the braces of another")
        if self._take("{") is None or self._take("}") is not None:
            return lambda subject: True
        self._in_braces = True
        inner = self._or()
        self._in_braces = False
        self._expect("}")
        return inner

    def _group(self) -> Filter:
        sign = self._take("=", "!=")
        if sign is None or self._in_braces:
            raise self._wrong()
        name = self._text()
        self.has_groups = True

        def decide(subject: _Subject) -> bool:
            group = subject.groups.get(name)
            return (group is not None and group(subject)) is (sign == "=")

        return decide


def _of_any(of_one: Filter) -> Filter:
    return lambda subject: any(of_one(subject._replace(segment=one)) for one in subject.trace.segments)


def _any_service(_: ServiceId) -> bool:
    return True
