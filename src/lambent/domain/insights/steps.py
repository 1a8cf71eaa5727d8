"""
The steps that rows go through: each takes a row at a time, and hands on what it lets through.

What a step holds, it takes room for; there is only so much.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from lambent.domain.insights.expressions import Evaluate
from lambent.domain.insights.fields import Line, Row
from lambent.domain.insights.stats import Aggregation
from lambent.domain.insights.values import Moment, Value, order, text

BYTES_MAX: Final = 64 << 20
"""Of what a run holds, as far as it can be told. Assumed: fits beside everything else (test_run)."""

GROUPS_MAX: Final = 100_000
"""Of one `stats`. Assumed: as many as rows (test_run)."""

_ROW_BYTES: Final = 800
_AGGREGATE_BYTES: Final = 300
"""Of objects around the texts. Measured with tracemalloc, rounded up."""

RowOfText: TypeAlias = tuple[tuple[str, str], ...]
"""The columns that have something in them, each with its name, in order."""


class TooLarge(Exception):
    """A run would hold more than it may; the message says of what."""


class Room:
    """Counts what a run holds."""

    def __init__(self) -> None:
        self._left = BYTES_MAX

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise TooLarge(f"the query holds more than {BYTES_MAX >> 20} MiB of rows: ask for fewer or shorter ones")

    def has(self, size: int) -> bool:
        return size <= self._left

    def give_back(self, size: int) -> None:
        self._left += size


class Step:
    """One command at work: takes rows, and hands rows to the next one."""

    def __init__(self) -> None:
        self.next: Step | None = None

    def take(self, row: Row) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """No more rows come: hand on what was held back."""
        self._next.finish()

    @property
    def _next(self) -> "Step":
        assert self.next is not None
        return self.next


class FilterStep(Step):
    def __init__(self, condition: Callable[[Row], bool]) -> None:
        super().__init__()
        self._holds = condition

    def take(self, row: Row) -> None:
        if self._holds(row):
            self._next.take(row)


class MakeStep(Step):
    """Gives a row further fields."""

    def __init__(self, make: Callable[[Row], None]) -> None:
        super().__init__()
        self._make = make

    def take(self, row: Row) -> None:
        self._make(row)
        self._next.take(row)


class CountStep(Step):
    """Counts what has passed all filters."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0

    def take(self, row: Row) -> None:
        self.rows += 1
        self._next.take(row)


class FirstStep(Step):
    """Lets the first rows through."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._left = rows

    def take(self, row: Row) -> None:
        if self._left:
            self._left -= 1
            self._next.take(row)


class OrderedStep(Step):
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
        room: Room,
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


class UnlikeStep(Step):
    """Lets the first of rows through that are alike."""

    def __init__(self, keys: Sequence[Evaluate], room: Room) -> None:
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


class GroupedStep(Step):
    """Gathers rows into groups."""

    def __init__(
        self,
        keys: Sequence[tuple[str, Evaluate]],
        aggregations: Sequence[Callable[[], Aggregation]],
        results: Sequence[tuple[str, Evaluate]],
        room: Room,
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
            row.made.update((slot(index), aggregation.result()) for index, aggregation in enumerate(group))
            for name, result in self._results:
                row.made[name] = result(row)
            self._next.take(row)
        super().finish()


class ShownStep(Step):
    """The end: rows as text."""

    def __init__(self, columns: Sequence[tuple[str, Evaluate]], rows: int, room: Room) -> None:
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


def slot(index: int) -> str:
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
    held: list[tuple[list[Any], Row, int]], keys: Sequence[Evaluate], room: Room
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
