"""
A query made ready and run: events in, in any order, rows out.

A run holds what its answer needs and no more than `BYTES_MAX` of it: rows up to the limit, or groups.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, TypeAlias

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
from lambent.domain.insights.syntax import (
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
    conjuncts,
    parse_query,
)
from lambent.domain.insights.values import Moment, Value, order, text

ROWS_DEFAULT: Final = 10_000
"""Documented: StartQuery, limit."""

BYTES_MAX: Final = 64 << 20
"""Of what a run holds, as far as it can be told. Assumed: fits beside everything else (test_run)."""

GROUPS_MAX: Final = 100_000
"""Of one `stats`. Assumed: as many as rows (test_run)."""

_ROW_BYTES: Final = 600
_AGGREGATE_BYTES: Final = 300
"""Of objects around the texts. Measured with tracemalloc, rounded up."""

RowOfText: TypeAlias = tuple[tuple[str, str], ...]
"""The columns that have something in them, each with its name, in order."""


class TooLarge(Exception):
    """A run would hold more than it may; the message says of what."""


class _Room:
    """Counts what a run holds."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise TooLarge(f"the query holds more than {BYTES_MAX >> 20} MiB of rows: ask for fewer or shorter ones")

    def has(self, size: int) -> bool:
        return size <= self._left

    def give_back(self, size: int) -> None:
        self._left += size


class _Step:
    """One command at work: takes rows, and hands rows to the next one."""

    def __init__(self) -> None:
        self.next: _Step | None = None

    def take(self, row: Row) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """No more rows come: hand on what was held back."""
        self._next.finish()

    @property
    def _next(self) -> "_Step":
        assert self.next is not None
        return self.next


class _Filter(_Step):
    def __init__(self, condition: Callable[[Row], bool]) -> None:
        super().__init__()
        self._holds = condition

    def take(self, row: Row) -> None:
        if self._holds(row):
            self._next.take(row)


class _Make(_Step):
    """Gives a row further fields."""

    def __init__(self, make: Callable[[Row], None]) -> None:
        super().__init__()
        self._make = make

    def take(self, row: Row) -> None:
        self._make(row)
        self._next.take(row)


class _Count(_Step):
    """Counts what has passed all filters."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0

    def take(self, row: Row) -> None:
        self.rows += 1
        self._next.take(row)


class _First(_Step):
    """Lets the first rows through."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._left = rows

    def take(self, row: Row) -> None:
        if self._left:
            self._left -= 1
            self._next.take(row)


class _Ordered(_Step):
    """
    Holds rows until it can put them into order.

    Args:
        keys: each returns a row's place, and says whether the greatest comes first.
        rows: how many of them anybody wants; None: all.
        unlike: of rows that are alike in these, the first one in order is wanted; None: each.
    """

    def __init__(
        self,
        keys: Sequence[tuple[Callable[[Row], Any], bool]],
        room: _Room,
        rows: int | None,
        unlike: Sequence[Evaluate] | None,
    ) -> None:
        super().__init__()
        self._keys = keys
        self._room = room
        self._rows = rows
        self._unlike = unlike
        self._held: list[tuple[list[Any], Row, int]] = []
        # Sorting at twice as many costs little for each row.
        self._trim_at = None if rows is None else max(2 * rows, 1_000)
        self._first, self._is_descending = keys[0]
        self._bar: Any = None
        """The first key's place that a row has to reach, once there are as many as anybody wants."""

    def take(self, row: Row) -> None:
        first = self._first(row)
        if self._bar is not None and (first < self._bar if self._is_descending else first > self._bar):
            return
        places = [first, *[place(row) for place, _ in self._keys[1:]]]
        size = _size(row)
        if not self._room.has(size):
            self._trim()
        self._room.take(size)
        row.forget()
        self._held.append((places, row, size))
        if self._trim_at is not None and len(self._held) >= self._trim_at:
            self._trim()
        elif self._unlike is not None and len(self._held) >= self._dedup_at:
            self._trim()
            self._dedup_at = max(1_000, 2 * len(self._held))

    _dedup_at = 1_000

    def _trim(self) -> None:
        held = self._held
        for index in reversed(range(len(self._keys))):
            held.sort(key=lambda each: each[0][index], reverse=self._keys[index][1])
        if self._unlike is not None:
            held = _unlike(held, self._unlike, self._room)
        if self._rows is not None:
            for _, _, size in held[self._rows :]:
                self._room.give_back(size)
            held = held[: self._rows]
            if len(held) == self._rows:
                self._bar = held[-1][0][0]
        self._held = held

    def finish(self) -> None:
        self._trim()
        for _, row, size in self._held:
            self._room.give_back(size)
            self._next.take(row)
        self._held = []
        super().finish()


class _Unlike(_Step):
    """Lets the first of rows through that are alike."""

    def __init__(self, keys: Sequence[Evaluate], room: _Room) -> None:
        super().__init__()
        self._keys = keys
        self._room = room
        self._seen: set[tuple[str, ...]] = set()

    def take(self, row: Row) -> None:
        place = _likeness(row, self._keys)
        if place is not None:
            if place in self._seen:
                return
            self._room.take(_AGGREGATE_BYTES + sum(map(len, place)))
            self._seen.add(place)
        self._next.take(row)


class _Grouped(_Step):
    """Gathers rows into groups."""

    def __init__(
        self,
        keys: Sequence[tuple[str, Evaluate]],
        aggregations: Sequence[Callable[[], Aggregation]],
        results: Sequence[tuple[str, Evaluate]],
        room: _Room,
    ) -> None:
        super().__init__()
        self._keys = keys
        self._values = [value for _, value in keys]
        self._make = aggregations
        self._results = results
        self._room = room
        self._groups: dict[Any, list[Aggregation]] = {}

    def take(self, row: Row) -> None:
        place = tuple([_shown(value(row)) for value in self._values])
        group = self._groups.get(place)
        if group is None:
            group = self._open(place)
        for aggregation in group:
            aggregation.add(row)

    def _open(self, place: tuple[Value, ...]) -> list[Aggregation]:
        if len(self._groups) >= GROUPS_MAX:
            raise TooLarge(f"stats makes more than {GROUPS_MAX} groups: group by less, or filter more")
        self._room.take(_ROW_BYTES + _AGGREGATE_BYTES * len(self._make) + sum(len(text(key) or "") for key in place))
        group = self._groups[place] = [make() for make in self._make]
        return group

    def finish(self) -> None:
        # Documented: user guide, stats: without `by`, one row over everything, also over nothing.
        groups = self._groups or ({} if self._keys else {(): [make() for make in self._make]})
        # Assumed: in the order of their keys, the newest first (test_run).
        for place, group in sorted(groups.items(), key=lambda each: [_descent(key) for key in each[0]]):
            row = Row(_NO_LINE)
            row.made.update(zip((name for name, _ in self._keys), place, strict=True))
            row.made.update((_slot(index), aggregation.result()) for index, aggregation in enumerate(group))
            for name, result in self._results:
                row.made[name] = result(row)
            self._next.take(row)
        super().finish()


class _Shown(_Step):
    """The end: rows as text."""

    def __init__(self, columns: Sequence[tuple[str, Evaluate]], rows: int, room: _Room) -> None:
        super().__init__()
        self._columns = columns
        self._most = rows
        self._room = room
        self.rows: list[RowOfText] = []

    def take(self, row: Row) -> None:
        if len(self.rows) >= self._most:
            return
        cells = tuple((name, shown) for name, value in self._columns if (shown := text(value(row))) is not None)
        self._room.take(_ROW_BYTES + sum(len(shown) for _, shown in cells))
        self.rows.append(cells)

    def finish(self) -> None:
        pass


_NO_LINE: Final = Line(0, 0, "", "", "", 0)


def _slot(index: int) -> str:
    """Return the name of an aggregate's result, which no query can write."""
    return f"\0{index}"


def _size(row: Row) -> int:
    return _ROW_BYTES + len(row.line.message) + sum(len(text(value) or "") for value in row.made.values())


def _descent(key: Value) -> tuple[Any, ...]:
    return (2, -key) if isinstance(key, Moment) else order(key)


def _shown(value: Value) -> Value:
    """Return a key of a group: moments as they are, everything else as it shows, since what shows alike is alike."""
    return value if isinstance(value, Moment) else text(value)


def _likeness(row: Row, keys: Sequence[Evaluate]) -> tuple[str, ...] | None:
    """Return what makes rows alike; None: one of the fields is not there, and it is like no other. Documented."""
    place = [text(key(row)) for key in keys]
    return None if None in place else tuple(each for each in place if each is not None)


def _unlike(
    held: list[tuple[list[Any], Row, int]], keys: Sequence[Evaluate], room: _Room
) -> list[tuple[list[Any], Row, int]]:
    seen: set[tuple[str, ...]] = set()
    left = []
    for each in held:
        place = _likeness(each[1], keys)
        if place is not None and place in seen:
            room.give_back(each[2])
            continue
        if place is not None:
            seen.add(place)
        left.append(each)
    return left


# A query made ready -------------------------------------------------------------------------------------------------


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
        self._room = _Room(BYTES_MAX)
        self._counted = _Count()
        limits = [command.rows for command in commands if isinstance(command, Limit)]
        self._rows = limits[-1] if limits else rows
        plan = _Plan(commands, Names(now_s), self._room, self._rows, self._counted)
        self._shown = _Shown(plan.columns, self._rows, self._room)
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

    def __init__(self, commands: Sequence[Command], names: Names, room: _Room, rows: int, counted: _Step) -> None:
        self._names = names
        self._room = room
        self._rows = rows
        self.steps: list[_Step] = []
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
            self.steps.append(_Filter(compile_condition(command.condition, self._names)))
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
                _First(command.rows) if isinstance(command, Limit) else _Unlike(self._ready(command.keys), self._room)
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
        self.steps.append(_Ordered(places, self._room, rows, unlike))
        self._is_ordered = True


def _placing(value: Evaluate) -> Callable[[Row], Any]:
    return lambda row: order(value(row))


def _making(item: Item, names: Names) -> tuple[_Step | None, Names]:
    """Return the step that makes what an item asks for, if it has to be made, and the names from there on."""
    value = compile_expression(item.expression, names)
    is_field = isinstance(item.expression, Field) and not item.is_named
    if is_field or (isinstance(item.expression, Call) and item.expression.text in names.made and not item.is_named):
        return None, names
    name = item.name

    def make(row: Row) -> None:
        row.made[name] = value(row)

    return _Make(make), names.with_made(name)


def _parsing(command: ParseGlob | ParseRegex, names: Names) -> _Step:
    subject = compile_expression(command.subject, names)
    wanted = command.names
    if isinstance(command, ParseRegex):
        search = command.regex.compiled.search

        def make_of_groups(row: Row) -> None:
            shown = text(subject(row))
            found = None if shown is None else search(shown)
            row.made.update(dict.fromkeys(wanted) if found is None else found.groupdict())

        return _Make(make_of_groups)
    literals = command.literals

    def make_of_glob(row: Row) -> None:
        shown = text(subject(row))
        parts = None if shown is None else match_glob(shown, literals)
        row.made.update(dict.fromkeys(wanted) if parts is None else zip(wanted, parts, strict=True))

    return _Make(make_of_glob)


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


def _grouping(stats: Stats, names: Names, room: _Room) -> tuple[_Step, Names]:
    keys = [(item.name, compile_expression(item.expression, names)) for item in stats.keys]
    aggregations: list[Callable[[], Aggregation]] = []
    before = Names(names.now_s, frozenset(name for name, _ in keys), is_of_events=False)
    results: list[tuple[str, Evaluate]] = []
    named: set[str] = {name for name, _ in keys}

    def aggregate(call: Call) -> Evaluate:
        make = compile_aggregation(call, lambda index: compile_expression(call.arguments[index], names))
        aggregations.append(make)
        slot = _slot(len(aggregations) - 1)
        return lambda row: row.made.get(slot)

    for item in stats.items:
        read = fields_in(item.expression)
        if not calls_aggregate(item.expression) and not (read and read <= named):
            raise MalformedQuery("stats takes functions that aggregate, such as count(*)", item.start, item.end)
        results.append((item.name, compile_expression(item.expression, before, aggregate)))
        named.add(item.name)
        before = before.with_made(item.name)
    return _Grouped(keys, aggregations, results, room), before
