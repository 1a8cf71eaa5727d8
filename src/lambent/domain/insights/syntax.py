"""
A query's text, taken apart: commands between pipes, and the expressions in them.

    query   = command *("|" command)
    command = ("fields" | "display") item *("," item)
            | "filter" expression
            | "parse" [expression] (string "as" name *("," name) | regex)
            | "stats" item *("," item) ["by" item *("," item)]
            | "sort" ["by"] expression ["asc" | "desc"] *("," ...)
            | "limit" number
            | "dedup" name *("," name)
    item    = expression ["as" name]

Pure. What is wrong is told with its place in the text. Regular expressions are for RE2, which takes linear time.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import msgspec

from lambent.domain.insights.commands import (
    Call,
    Command,
    Constant,
    Dedup,
    Display,
    Expression,
    Field,
    Fields,
    Filter,
    Item,
    Limit,
    MalformedQuery,
    Operation,
    ParseGlob,
    ParseRegex,
    Period,
    Regex,
    Sort,
    SortKey,
    Stats,
)

DEPTH_MAX: Final = 50
"""Of expressions within expressions. Assumed: nobody means more (test_syntax)."""

STATS_MAX: Final = 2
"""Documented: user guide, stats: a query has two of them at most."""


_REFUSED: Final = frozenset(
    [
        "addtotals",
        "anomaly",
        "diff",
        "filterindex",
        "join",
        "lookup",
        "pattern",
        "search",
        "source",
        "subquery",
        "unmask",
        "unnest",
    ]
)
"""Commands that the language has and this one has not."""

ROWS_MAX: Final = 100_000
"""Documented: StartQuery, limit."""


def parse_query(source: str) -> tuple[Command, ...]:
    """
    Take a query apart.

    Raises:
        MalformedQuery: it is none, or has what is not offered.
    """
    return _Parser(source).query()


def compile_regex(pattern: str, start: int, end: int) -> Regex:
    """
    Make a pattern ready.

    Args:
        start, end: where it stands in the query.

    Raises:
        MalformedQuery: RE2 does not take it.
    """
    # Heavy for a server that never runs a query.
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _TRIAL_BYTES
    try:
        # Of what is too large this tells in milliseconds; with what searching takes it would be many seconds, in which
        # no other thread comes to its turn.
        re2.compile(pattern, options)
        options.max_mem = _REGEX_BYTES_MAX
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        said = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise MalformedQuery(f"invalid regular expression: {said}", start, end) from None
    is_literal = bool(pattern) and not re.search(r"[\\^$.|?*+()\[\]{}]", pattern)
    return Regex(pattern, compiled, pattern if is_literal else None)


_TRIAL_BYTES: Final = 1 << 18
"""What RE2 may use to find out whether a pattern is too large."""

_REGEX_BYTES_MAX: Final = 1 << 22
"""What RE2 may use for one pattern: half of what it takes by itself."""

# Tokens -------------------------------------------------------------------------------------------------------------

_BLANK: Final = re.compile(r"(?:\s+|#[^\n]*)*")
_TOKEN: Final = re.compile(
    r"(?P<period>\d+[A-Za-z]+(?![\w.]))"
    r"|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?(?!\w))"
    r"|(?P<name>(?:[@A-Za-z_][@\w]*|`[^`\n]+`)(?:\.(?:[@\w]+|`[^`\n]+`))*)"
    r'|(?P<string>"(?:[^"\\]|\\.)*"'
    r"|'(?:[^'\\]|\\.)*')"
    r"|(?P<operator>=~|!=|<=|>=|[=<>+\-*/^%(),|!\[\]])",
    re.ASCII | re.DOTALL,
)
_REGEX: Final = re.compile(r"/((?:[^/\\\[]|\\.|\[(?:[^\]\\]|\\.)*\])+)/", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}
_UNITS: Final = {
    **dict.fromkeys(("ms", "msec"), "ms"),
    **dict.fromkeys(("s", "sec", "second"), "s"),
    **dict.fromkeys(("m", "min", "minute"), "m"),
    **dict.fromkeys(("h", "hr", "hour"), "h"),
    **dict.fromkeys(("d", "day"), "d"),
    **dict.fromkeys(("w", "week"), "w"),
    **dict.fromkeys(("mo", "mon", "month"), "mo"),
    **dict.fromkeys(("q", "qtr", "quarter"), "q"),
    **dict.fromkeys(("y", "yr", "year"), "y"),
}
"""Documented: user guide, stats, and that each of more than one letter may be in the plural."""
_PERIOD_MAX: Final = 10_000
_RESERVED: Final = frozenset(["and", "as", "asc", "by", "desc", "in", "like", "not", "or"])


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "name" and self.text.lower() in words

    def is_operator(self, *operators: str) -> bool:
        return self.kind == "operator" and self.text in operators


class _Parser:
    """Takes one text apart, token by token."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._token = self._read(0)
        self._done = 0
        """Where the last token that was taken ends."""
        self._depth = 0

    # Tokens

    def _read(self, at: int) -> _Token:
        blank = _BLANK.match(self._source, at)
        assert blank is not None
        start = blank.end()
        if start == len(self._source):
            return _Token("end", "", start, start)
        found = _TOKEN.match(self._source, start)
        if found is None:
            # A slash begins a regular expression only where one is wanted, so here it was an operator's turn.
            return _Token("unknown", self._source[start], start, start + 1)
        assert found.lastgroup is not None
        return _Token(found.lastgroup, found[0], start, found.end())

    def _take(self) -> _Token:
        token = self._token
        self._done = token.end
        self._token = self._read(token.end)
        return token

    def _take_word(self, *words: str) -> bool:
        if not self._token.is_word(*words):
            return False
        self._take()
        return True

    def _take_operator(self, *operators: str) -> str:
        return self._take().text if self._token.is_operator(*operators) else ""

    def _expect_operator(self, operator: str) -> None:
        if not self._take_operator(operator):
            self._unexpected()

    def _unexpected(self) -> NoReturn:
        token = self._token
        if token.kind == "end":
            raise MalformedQuery("unexpected end of the query", token.start, token.end)
        line = self._source.count("\n", 0, token.start) + 1
        position = token.start - self._source.rfind("\n", 0, token.start)
        # Assumed: the text (test_syntax). Documented: that the error has the place.
        said = f"unexpected symbol found {token.text[:100]} at line {line} and position {position}"
        raise MalformedQuery(said, token.start, token.end)

    # Commands

    def query(self) -> tuple[Command, ...]:
        commands = [self._command()]
        while self._take_operator("|"):
            commands.append(self._command())
        if self._token.kind != "end":
            self._unexpected()
        stats = [command for command in commands if isinstance(command, Stats)]
        if len(stats) > STATS_MAX:
            raise MalformedQuery(f"a query has at most {STATS_MAX} stats commands", 0, len(self._source))
        return tuple(commands)

    def _command(self) -> Command:
        token = self._token
        name = token.text.lower() if token.kind == "name" else ""
        if name in _REFUSED:
            raise MalformedQuery(
                f"the command {token.text} is not offered by this version of Lambent", token.start, token.end
            )
        readers: dict[str, Callable[[], Command]] = {
            "fields": lambda: Fields(self._items()),
            "display": lambda: Display(self._items()),
            "filter": lambda: Filter(self._expression()),
            "parse": self._parse,
            "stats": self._stats,
            "sort": lambda: Sort(self._sort_keys()),
            "limit": self._limit,
            "dedup": lambda: Dedup(self._fields()),
        }
        read = readers.get(name)
        if read is None:
            self._unexpected()
        self._take()
        return read()

    def _items(self) -> tuple[Item, ...]:
        items = [self._item()]
        while self._take_operator(","):
            items.append(self._item())
        return tuple(items)

    def _item(self) -> Item:
        start = self._token.start
        expression = self._expression()
        end = self._done
        if self._take_word("as"):
            return Item(expression, self._name(), True, start, end)
        name = expression.name if isinstance(expression, Field) else self._source[start:end]
        return Item(expression, name, False, start, end)

    def _name(self) -> str:
        token = self._token
        if token.kind == "string":
            # Observed: queries in the wild quote the names that they give.
            return self._string(self._take())
        if token.kind != "name" or token.text.lower() in _RESERVED:
            self._unexpected()
        return self._take().text.replace("`", "")

    def _fields(self) -> tuple[Expression, ...]:
        fields: list[Expression] = [Field(self._name())]
        while self._take_operator(","):
            fields.append(Field(self._name()))
        return tuple(fields)

    def _stats(self) -> Stats:
        items = self._items()
        return Stats(items, self._items() if self._take_word("by") else ())

    def _sort_keys(self) -> tuple[SortKey, ...]:
        keys = []
        # Documented: the samples that the console and Grafana offer for Lambda: `sort by @billedDuration desc`.
        self._take_word("by")
        while True:
            expression = self._expression()
            is_descending = self._take_word("desc")
            if not is_descending:
                self._take_word("asc")
            keys.append(SortKey(expression, is_descending))
            if not self._take_operator(","):
                return tuple(keys)

    def _limit(self) -> Limit:
        token = self._token
        if token.kind != "number" or not token.text.isdigit():
            self._unexpected()
        if not 1 <= int(token.text[:9]) <= ROWS_MAX:
            raise MalformedQuery(f"limit is a number from 1 to {ROWS_MAX}", token.start, token.end)
        return Limit(int(self._take().text))

    def _parse(self) -> Command:
        subject: Expression = Field("@message")
        if self._token.kind != "string" and self._regex_here() is None:
            subject = self._operand()
        start = self._token.start
        if self._token.kind == "string":
            literals = self._glob(self._take())
            if not self._take_word("as"):
                self._unexpected()
            names = [self._name()]
            while self._take_operator(","):
                names.append(self._name())
            if len(names) != len(literals) - 1:
                said = f"{len(literals) - 1} wildcards, and {len(names)} names for what they match"
                raise MalformedQuery(said, start, self._done)
            return ParseGlob(subject, literals, tuple(names))
        regex = self._take_regex()
        groups = regex.compiled.groupindex
        if not groups:
            raise MalformedQuery("the regular expression names no group: (?<name>...)", start, self._done)
        if self._token.is_word("multi"):
            raise MalformedQuery(
                "parse ... multi is not offered by this version of Lambent", self._token.start, self._token.end
            )
        return ParseRegex(subject, regex, tuple(sorted(groups, key=lambda name: groups[name])))

    def _glob(self, token: _Token) -> tuple[str, ...]:
        """Return the texts around the wildcards; `\\*` is an asterisk."""
        literals = [""]
        inside = token.text[1:-1]
        at = 0
        while at < len(inside):
            character = inside[at]
            if character == "\\" and at + 1 < len(inside):
                at += 1
                literals[-1] += _unescaped(inside[at], "*")
            elif character == "*":
                literals.append("")
            else:
                literals[-1] += character
            at += 1
        if len(literals) == 1:
            raise MalformedQuery("the pattern has no wildcard: *", token.start, token.end)
        if "" in literals[1:-1]:
            raise MalformedQuery("two wildcards with nothing between them", token.start, token.end)
        return tuple(literals)

    # Expressions

    def _expression(self, least: int = 0) -> Expression:
        """
        Read what binds at least as tightly as `least`.

        or 1, and 2, not 3, comparisons 4, + - 5, * / % 6, - and ! of one operand 7, ^ 8 (from the right).
        """
        start = self._token.start
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise MalformedQuery(_TOO_DEEP, start, self._token.end)
        left = self._operand()
        while True:
            operator = self._operator()
            binds = _BINDS.get(operator, 0)
            if not binds or binds < least:
                break
            left = self._applied(operator, binds, left)
        self._depth -= 1
        # Operators in a row make a tower as well.
        if not self._depth and _height(left) > DEPTH_MAX:
            raise MalformedQuery(_TOO_DEEP, start, self._done)
        return left

    def _operator(self) -> str:
        """Return the operator that comes next, without taking it; nothing: there is none."""
        token = self._token
        if token.kind == "operator":
            return token.text
        if token.is_word("and", "or", "in", "like"):
            return token.text.lower()
        if token.is_word("not"):
            following = self._read(token.end)
            if following.is_word("in", "like"):
                return f"not {following.text.lower()}"
        return ""

    def _applied(self, operator: str, binds: int, left: Expression) -> Expression:
        self._take()
        if operator.startswith("not "):
            self._take()
            positive = self._matched(operator.removeprefix("not "), left)
            return Operation("not", (positive,))
        if operator in {"in", "like", "=~"}:
            return self._matched(operator, left)
        right = self._expression(binds if operator == "^" else binds + 1)
        if operator in {"and", "or"} and isinstance(left, Operation) and left.operator == operator:
            # In a row, not in a tower: conditions may be many.
            return Operation(operator, (*left.operands, right))
        return Operation(operator, (left, right))

    def _matched(self, operator: str, left: Expression) -> Expression:
        if operator == "in":
            closing = {"[": "]", "(": ")"}.get(self._take_operator("[", "("))
            if closing is None:
                self._unexpected()
            choices = [left, self._expression()]
            while self._take_operator(","):
                choices.append(self._expression())
            self._expect_operator(closing)
            return Operation("in", tuple(choices))
        if self._regex_here() is not None:
            return Operation("like", (left, self._take_regex()))
        if operator == "=~" and self._token.kind == "string":
            token = self._take()
            return Operation("like", (left, compile_regex(self._string(token), token.start, token.end)))
        return Operation("like", (left, self._expression(_BINDS["like"] + 1)))

    def _operand(self) -> Expression:
        token = self._token
        if token.kind == "number":
            text = self._take().text
            if text.isdigit():
                return Constant(int(text) if len(text) < 19 else float(text))
            return Constant(float(text))
        if token.kind == "string":
            return Constant(self._string(self._take()))
        if token.kind == "period":
            return self._period(self._take())
        if self._take_operator("("):
            inner = self._expression()
            self._expect_operator(")")
            return inner
        if self._take_operator("-"):
            return Operation("negative", (self._expression(7),))
        if self._take_operator("+"):
            return self._expression(7)
        if self._take_operator("!"):
            # Observed: queries that programs send: `filter !ispresent(errorMessage)`.
            return Operation("not", (self._expression(7),))
        if token.kind != "name":
            self._unexpected()
        if self._take_word("not"):
            return Operation("not", (self._expression(3),))
        if token.text.lower() in _RESERVED:
            self._unexpected()
        self._take()
        if self._token.is_operator("(") and "`" not in token.text:
            return self._call(token)
        if token.text.lower() in {"true", "false"}:
            return Constant(token.text.lower() == "true")
        return Field(token.text.replace("`", ""))

    def _call(self, name: _Token) -> Call:
        self._expect_operator("(")
        arguments: list[Expression] = []
        if self._token.is_operator("*"):
            # count(*) is count().
            self._take()
        elif not self._token.is_operator(")"):
            arguments.append(self._expression())
            while self._take_operator(","):
                arguments.append(self._expression())
        self._expect_operator(")")
        text = self._source[name.start : self._done]
        return Call(name.text.lower(), tuple(arguments), text, name.start, self._done)

    def _period(self, token: _Token) -> Period:
        found = re.fullmatch(r"(\d+)([A-Za-z]+)", token.text)
        assert found is not None
        unit = found[2].lower()
        known = _UNITS.get(unit) or (len(unit) > 2 and unit.endswith("s") and _UNITS.get(unit[:-1]))
        if not known or not 1 <= int(found[1][:9]) <= _PERIOD_MAX:
            raise MalformedQuery(f"{token.text[:100]} is no period such as 5m", token.start, token.end)
        return Period(int(found[1]), known)

    def _string(self, token: _Token) -> str:
        return re.sub(r"\\(.)", lambda found: _unescaped(found[1], ""), token.text[1:-1], flags=re.DOTALL)

    def _regex_here(self) -> "re.Match[str] | None":
        """Return the regular expression that stands where the next token does."""
        return _REGEX.match(self._source, self._token.start)

    def _take_regex(self) -> Regex:
        found = self._regex_here()
        if found is None:
            self._unexpected()
        regex = compile_regex(found[1].replace("\\/", "/"), *found.span())
        self._done = found.end()
        self._token = self._read(found.end())
        return regex


_TOO_DEEP: Final = "expressions are nested too deeply"


def _height(expression: Expression) -> int:
    """Return how many expressions lie within each other, without descending into them one by one."""
    height, level = 0, [expression]
    while level:
        height += 1
        level = [inner for each in level for inner in _inside(each)]
    return height


def _inside(expression: Expression) -> "tuple[Expression, ...]":
    if isinstance(expression, Operation):
        return expression.operands
    return expression.arguments if isinstance(expression, Call) else ()


_BINDS: Final = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(("=", "!=", "<", "<=", ">", ">=", "in", "not in", "like", "not like", "=~"), 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/", "%"), 6),
    "^": 8,
}


def _unescaped(character: str, also: str) -> str:
    """Return what a backslash and a character stand for; a backslash that escapes nothing stays."""
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character in "\"'\\" + also else f"\\{character}"


def conjuncts(condition: Expression) -> Sequence[Expression]:
    """Return the conditions that all have to hold."""
    if isinstance(condition, Operation) and condition.operator == "and":
        return [each for operand in condition.operands for each in conjuncts(operand)]
    return [condition]
