"""
A query made ready and run: events in, in any order, rows out.

A run holds what its answer needs and no more than `BYTES_MAX` of it: rows up to the limit, or groups.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

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
    Regex,
    Sort,
    SortKey,
    Stats,
)
from lambent.domain.insights.expressions import (
    Evaluate,
    Names,
    calls_aggregate,
    compile_condition,
    compile_expression,
    fields_in,
)
from lambent.domain.insights.fields import SYSTEM, Line, Row, place_of
from lambent.domain.insights.stats import Aggregation, compile_aggregation
from lambent.domain.insights.steps import (
    CountStep,
    FilterStep,
    FirstStep,
    GroupedStep,
    MakeStep,
    OrderedStep,
    Room,
    RowOfText,
    ShownStep,
    Step,
    UnlikeStep,
    slot,
)
from lambent.domain.insights.syntax import conjuncts, parse_query
from lambent.domain.insights.values import order, text

ROWS_DEFAULT: Final = 10_000
"""Documented: StartQuery, limit."""


class Query:
    """
    A query that can be run.

    Args:
        source: its text.

    Raises:
        MalformedQuery: it is none.
    """

    def __init__(self, source: str) -> None:
        self._commands = parse_query(source)
        # What only shows when it is put together is a fault of the text all the same.
        self.run(now_s=0)

    @property
    def literals(self) -> tuple[str, ...]:
        """Texts that the message of each event holds which the query does not drop."""
        found: list[str] = []
        made: set[str] = set()
        for command in self._commands:
            if isinstance(command, Filter):
                for condition in conjuncts(command.condition):
                    found += _literal(condition) if "@message" not in made else ()
            elif isinstance(command, Stats | Limit | Dedup):
                break
            elif isinstance(command, Fields):
                made.update(item.name for item in command.items if item.is_named)
            elif isinstance(command, ParseGlob | ParseRegex):
                made.update(command.names)
        return tuple(found)

    def run(self, now_s: int, rows: int | None = None) -> "Run":
        """
        Begin a run.

        Args:
            now_s: what `now()` returns.
            rows: how many are wanted where the query has no `limit`; None: the default.
        """
        return Run(self._commands, now_s, rows or ROWS_DEFAULT)


def _literal(condition: Any) -> tuple[str, ...]:
    if not isinstance(condition, Operation) or condition.operator not in {"like", "="}:
        return ()
    subject, sought = condition.operands
    if subject != Field("@message"):
        return ()
    if isinstance(sought, Regex):
        return (sought.literal,) if sought.literal else ()
    # A number is also equal to what only looks like it.
    if isinstance(sought, Constant) and isinstance(sought.value, str) and condition.operator == "like":
        return (sought.value,) if sought.value else ()
    return ()


class Run:
    """One run of a query, on one thread at a time; `stop` and the counts are anybody's."""

    def __init__(self, commands: Sequence[Command], now_s: int, rows: int) -> None:
        self.scanned = 0
        """Events that were taken."""
        self.scanned_bytes = 0
        self._is_stopped = False
        self._room = Room()
        self._counted = CountStep()
        limits = [command.rows for command in commands if isinstance(command, Limit)]
        self._rows = limits[-1] if limits else rows
        plan = _Plan(commands, Names(now_s), self._room, self._rows, self._counted)
        self._shown = ShownStep(plan.columns, self._rows, self._room)
        steps = [*plan.steps, self._shown]
        for step, following in pairwise(steps):
            step.next = following
        self._first = steps[0]

    @property
    def matched(self) -> int:
        """Events that passed all filters."""
        return self._counted.rows

    def stop(self) -> None:
        """Have `take` take no more: the run is of no more use."""
        self._is_stopped = True

    def take(self, lines: Iterable[Line]) -> None:
        """
        Take events.

        Raises:
            TooLarge: the run would hold more than it may; it is of no more use.
        """
        take = self._first.take
        scanned = size = 0
        for line in lines:
            if self._is_stopped:
                break
            scanned += 1
            message = line.message
            size += len(message) if message.isascii() else len(message.encode(errors="replace"))
            take(Row(line))
        self.scanned += scanned
        self.scanned_bytes += size

    def finish(self) -> list[RowOfText]:
        """Return the rows: all events were taken. Raises TooLarge as `take` does."""
        self._first.finish()
        return self._shown.rows


class _Plan:
    """
    Puts the steps of a query together, command by command.

    Args:
        rows: how many anybody wants at the end.
        counted: the step that counts what has passed all filters.
    """

    def __init__(self, commands: Sequence[Command], names: Names, room: Room, rows: int, counted: Step) -> None:
        self._names = names
        self._room = room
        self._rows = rows
        self.steps: list[Step] = []
        self._columns: dict[str, Evaluate] = {}
        self._displayed: dict[str, Evaluate] | None = None
        self._is_ordered = False
        """Until something puts rows into order they are in none; where order counts, it is that of time."""
        last_filter = max((at for at, each in enumerate(commands) if isinstance(each, Filter)), default=-1)
        first_stats = next((at for at, each in enumerate(commands) if isinstance(each, Stats)), len(commands))
        for at, command in enumerate(commands):
            if at == min(last_filter + 1, first_stats):
                self.steps.append(counted)
            self._add(command, commands[at + 1 :])
        if counted not in self.steps:
            self.steps.append(counted)
        if not self._is_ordered:
            self._order((), ())

    @property
    def columns(self) -> list[tuple[str, Evaluate]]:
        """What is shown, in order."""
        columns = self._columns if self._displayed is None else self._displayed
        if not self._names.is_of_events:
            return list(columns.items())
        if not columns:
            columns = {name: SYSTEM[name] for name in ("@timestamp", "@message")}
        # Documented: GetQueryResults: rows that are events have it.
        return list({**columns, "@ptr": SYSTEM["@ptr"]}.items())

    def _add(self, command: Command, rest: Sequence[Command]) -> None:
        if isinstance(command, Filter):
            self.steps.append(FilterStep(compile_condition(command.condition, self._names)))
        elif isinstance(command, Fields):
            self._columns |= self._made(command.items)
        elif isinstance(command, Display):
            self._displayed = self._made(command.items)
        elif isinstance(command, ParseGlob | ParseRegex):
            self.steps.append(_parsing(command, self._names))
            self._names = self._names.with_made(*command.names)
            # Assumed: what was parsed is shown (test_run).
            self._columns |= {name: self._names.field(name) for name in command.names}
        elif isinstance(command, Stats):
            step, self._names = _grouping(command, self._names, self._room)
            self.steps.append(step)
            self._columns = {item.name: self._names.field(item.name) for item in (*command.keys, *command.items)}
            self._displayed, self._is_ordered = None, True
        elif isinstance(command, Sort):
            self._order(command.keys, rest)
        else:
            if not self._is_ordered:
                self._order((), (command, *rest))
            self.steps.append(
                FirstStep(command.rows)
                if isinstance(command, Limit)
                else UnlikeStep(self._ready(command.keys), self._room)
            )

    def _made(self, items: Sequence[Item]) -> dict[str, Evaluate]:
        """Have the rows made what items ask for; return what reads it."""
        columns = {}
        for item in items:
            step, self._names = _making(item, self._names)
            self.steps += [step] if step else []
            columns[item.name] = self._names.field(item.name)
        return columns

    def _ready(self, expressions: Sequence[Expression]) -> list[Evaluate]:
        return [compile_expression(each, self._names) for each in expressions]

    def _order(self, keys: Sequence[SortKey], rest: Sequence[Command]) -> None:
        """
        Put rows into order, unless what follows makes it pointless.

        Args:
            keys: those of a `sort`; what is alike in them, and everything without any, is in order of time.
            rest: the commands that follow.
        """
        values = self._ready([key.expression for key in keys])
        following = next(
            (each for each in rest if not isinstance(each, Fields | Display | ParseGlob | ParseRegex)), None
        )
        if isinstance(following, Stats | Sort):
            return
        rows: int | None = None
        if following is None:
            rows = self._rows
        elif isinstance(following, Limit):
            rows = following.rows
        unlike = self._ready(rest[0].keys) if rest and isinstance(rest[0], Dedup) else None
        places: list[tuple[Callable[[Row], Any], bool]] = [
            (_placing(value), key.is_descending) for value, key in zip(values, keys, strict=True)
        ]
        # Documented: user guide: the newest first.
        places += [(place_of, True)] if self._names.is_of_events else []
        self.steps.append(OrderedStep(places, self._room, rows, unlike))
        self._is_ordered = True


def _placing(value: Evaluate) -> Callable[[Row], Any]:
    return lambda row: order(value(row))


def _making(item: Item, names: Names) -> tuple[Step | None, Names]:
    """Return the step that makes what an item asks for, if it has to be made, and the names from there on."""
    value = compile_expression(item.expression, names)
    is_field = isinstance(item.expression, Field) and not item.is_named
    if is_field or (isinstance(item.expression, Call) and item.expression.text in names.made and not item.is_named):
        return None, names
    name = item.name

    def make(row: Row) -> None:
        row.made[name] = value(row)

    return MakeStep(make), names.with_made(name)


def _parsing(command: ParseGlob | ParseRegex, names: Names) -> Step:
    subject = compile_expression(command.subject, names)
    wanted = command.names
    if isinstance(command, ParseRegex):
        search = command.regex.compiled.search

        def make_of_groups(row: Row) -> None:
            shown = text(subject(row))
            found = None if shown is None else search(shown)
            row.made.update(dict.fromkeys(wanted) if found is None else found.groupdict())

        return MakeStep(make_of_groups)
    literals = command.literals

    def make_of_glob(row: Row) -> None:
        shown = text(subject(row))
        parts = None if shown is None else match_glob(shown, literals)
        row.made.update(dict.fromkeys(wanted) if parts is None else zip(wanted, parts, strict=True))

    return MakeStep(make_of_glob)


def match_glob(shown: str, literals: Sequence[str]) -> list[str] | None:
    """
    Return what the wildcards between texts match, each as little as it can; None: it does not match.

    Assumed: the first text may stand anywhere, the last wildcard takes what is left of the message without the line
    break at its end (test_run).
    """
    at = shown.find(literals[0])
    if at < 0:
        return None
    at += len(literals[0])
    parts: list[str] = []
    for literal in literals[1:]:
        end = shown.find(literal, at) if literal else len(shown.removesuffix("\n"))
        if end < at:
            return None if end < 0 else [*parts, ""]
        parts.append(shown[at:end])
        at = end + len(literal)
    return parts


def _grouping(stats: Stats, names: Names, room: Room) -> tuple[Step, Names]:
    keys = [(item.name, compile_expression(item.expression, names)) for item in stats.keys]
    aggregations: list[Callable[[], Aggregation]] = []
    before = Names(names.now_s, frozenset(name for name, _ in keys), is_of_events=False)
    results: list[tuple[str, Evaluate]] = []
    named: set[str] = {name for name, _ in keys}

    def aggregate(call: Call) -> Evaluate:
        make = compile_aggregation(call, lambda index: compile_expression(call.arguments[index], names), room.take)
        aggregations.append(make)
        name = slot(len(aggregations) - 1)
        return lambda row: row.made.get(name)

    for item in stats.items:
        read = fields_in(item.expression)
        if not calls_aggregate(item.expression) and not (read and read <= named):
            raise MalformedQuery("stats takes functions that aggregate, such as count(*)", item.start, item.end)
        results.append((item.name, compile_expression(item.expression, before, aggregate)))
        named.add(item.name)
        before = before.with_made(item.name)
    return GroupedStep(keys, aggregations, results, room), before
