"""
Points of one series packed into blocks: columns, each in as few bytes as its values need, compressed. Pure.

A block is two texts of bytes, so that who asks for no percentiles reads no bins. The numbers of a column are written as
whole numbers where they are decimal fractions of few digits, as times and counts are, and the first bytes of all
numbers before the second ones. Bins are written one after the other, each with its counts through time: what is alike
stands together. LZMA makes a fifth less of that than zlib does, in four times the time, in which it holds no lock.
Hours are read a year at a time, and so are written for that: the bins of a point stand together, deflated.
"""

import functools
import sys
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any, Final

import msgspec

from lambent.domain.metric import Distribution, bin_of

SPANS_S: Final = {60: 86_400, 300: 5 * 86_400, 3_600: 60 * 86_400}
"""What time a block of each resolution holds: 1,440 points."""

_LEVEL: Final = 6
_WINDOW_BYTES: Final = 1 << 16
"""That LZMA looks back: more takes memory, and blocks do not become smaller by it."""
_DIGITS_MAX: Final = 4
"""Behind the point, of numbers that are written as whole ones: milliseconds have two or three."""
_TOLERANCE: Final = 1e-12
"""What a number may differ from its decimal fraction, relatively: less than sums of such are off themselves."""
_WHOLE_MAX: Final = float(1 << 53)

Point = tuple[int, Distribution]
"""When a period begins, and what was measured in it."""

_encode = msgspec.msgpack.Encoder().encode
_decode_basics = msgspec.msgpack.Decoder(tuple[int, bytes, tuple[tuple[int, str, bytes], ...]]).decode
_decode_bins = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode
_decode_row = msgspec.msgpack.Decoder(tuple[int, tuple[int, ...], tuple[float, ...]]).decode

if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("metric blocks are written as little-endian machines have numbers")


def pack(points: Sequence[Point], period_s: int) -> tuple[bytes, bytes | None]:
    """
    Pack points that are in order, no two of one time.

    Returns:
        all but the bins, and the bins; None where no point has any.
    """
    first_s = points[0][0]
    times = _narrow([(at_s - first_s) // period_s for at_s, _ in points])
    columns: list[tuple[int, str, bytes]] = []
    for name in ("count", "total", "minimum", "maximum"):
        columns.append(_numbers([getattr(values, name) for _, values in points]))
    basics = zlib.compress(_encode((first_s, _encode(times), columns)), _LEVEL)
    if period_s == _BY_POINT_S:
        return basics, _packed_by_point(points)
    by_bin: dict[int, tuple[list[int], list[float]]] = {}
    for place, (_, values) in enumerate(points):
        for number, count in _told(values).items():
            places, counts = by_bin.setdefault(number, ([], []))
            places.append(place)
            counts.append(count)
    if not by_bin:
        # A point that counts something, and of which no bins are written or told, has unknown ones.
        return basics, None
    numbers = sorted(by_bin)
    streams = (
        _narrow([number + _SHIFT for number in numbers]),
        _narrow([len(by_bin[number][0]) for number in numbers]),
        _narrow([gap for number in numbers for gap in _gaps(by_bin[number][0])]),
        _counts([count for number in numbers for count in by_bin[number][1]]),
    )
    return basics, _compressed(_encode(streams))


def _told(values: Distribution) -> dict[int, float]:
    """Return the bins that have to be written: of values that are all one, the extremes tell them."""
    return {} if values.minimum == values.maximum >= 0 else values.bins or {}


def _packed_by_point(points: Sequence[Point]) -> bytes | None:
    """Write each point's bins one after the other."""
    firsts: list[int] = []
    sizes: list[int] = []
    gaps: list[int] = []
    counts: list[float] = []
    for _, values in points:
        bins = _told(values)
        numbers = sorted(bins)
        sizes.append(len(numbers))
        if numbers:
            firsts.append(numbers[0] + _SHIFT)
            gaps.extend(after - before for before, after in pairwise(numbers))
            counts.extend(map(bins.__getitem__, numbers))
    if not counts:
        return None
    streams = (_narrow(firsts), _narrow(sizes), _narrow(gaps), _counts(counts))
    return b"p" + zlib.compress(_encode(streams), _LEVEL)


class PackedDistribution(Distribution):
    """What was measured, with bins as they lie in a block: a percentile of a year needs few of them as they are."""

    __slots__ = ("_counts", "_first", "_gaps", "_made")

    def __init__(self, count: float, total: float, minimum: float, maximum: float, bins: tuple[int, Any, Any]) -> None:
        # Not by the parent's, which would set bins: a year has ten thousand of these.
        self.count = count
        self.total = total
        self.minimum = minimum
        self.maximum = maximum
        self._first, self._gaps, self._counts = bins
        self._made: dict[int, float] | None = None

    @property
    def has_bins(self) -> bool:
        return self._counts is not None or bool(self._made)

    @property
    def bins(self) -> dict[int, float] | None:
        if self._counts is not None:
            numbers = accumulate(chain((self._first,), self._gaps))
            self._made = dict(zip(numbers, map(float, self._counts), strict=True))
            self._counts = None
        return self._made

    @bins.setter
    def bins(self, bins: dict[int, float] | None) -> None:
        self._made, self._counts = bins, None

    def bin_of_rank(self, rank: float) -> int:
        if self._counts is None:
            return super().bin_of_rank(rank)
        counts = self._counts
        # From above first: most percentiles that are asked for lie there.
        left = self.count - rank
        above = bisect_right(list(accumulate(counts[: -_HIGHEST - 1 : -1])), left)
        if above < min(len(counts), _HIGHEST):
            before = len(counts) - 1 - above
        else:
            before = min(bisect_left(list(accumulate(counts)), rank), len(counts) - 1)
        return int(self._first + sum(self._gaps[:before]))


def _gaps(places: Sequence[int]) -> Iterator[int]:
    """Return by how much each place lies behind the one after the place before it."""
    return (place - before - 1 for before, place in pairwise(chain((-1,), places)))


_BY_POINT_S: Final = 3_600
"""The resolution whose points have their bins together."""

_HIGHEST: Final = 32
"""Bins that are looked at from above before all are."""

_SHIFT: Final = 50_000
"""Added to the numbers of bins, the least of which is that of 0, so that none is negative."""


def unpack(basics: bytes, bins: bytes | None, period_s: int) -> Iterator[Point]:
    """Yield what was packed. Without its bins, points of various values have none: None."""
    first_s, times, columns = _decode_basics(zlib.decompress(basics))
    steps = _read(*msgspec.msgpack.decode(times, type=tuple[str, bytes]))
    counts, totals, minima, maxima = (_read_numbers(*column) for column in columns)
    if bins is not None and bins[:1] == b"p":
        of_points: Sequence[Any] = _bins_by_point(bins)
        kind: type[Distribution] = PackedDistribution
    else:
        of_points, kind = _bins(bins, len(counts)), Distribution
    for step, count, total, minimum, maximum, own in zip(steps, counts, totals, minima, maxima, of_points, strict=True):
        at_s = first_s + step * period_s
        if own is not None:
            yield at_s, kind(count, total, minimum, maximum, own)
        elif minimum == maximum >= 0 and count:
            yield at_s, Distribution(count, total, minimum, maximum, {bin_of(minimum): count})
        else:
            yield at_s, Distribution(count, total, minimum, maximum)


def _bins_by_point(packed: bytes) -> list[tuple[int, Any, Any] | None]:
    """Return of each point its first bin, the gaps to the next ones, and their counts."""
    firsts, sizes, gaps, counts = (_read(*stream) for stream in _decode_bins(zlib.decompress(packed[1:])))
    found: list[tuple[int, Any, Any] | None] = []
    place = number = 0
    for size in sizes:
        if not size:
            found.append(None)
            continue
        # Each point has one gap fewer than bins.
        begin = place - number
        found.append((firsts[number] - _SHIFT, gaps[begin : begin + size - 1], counts[place : place + size]))
        place += size
        number += 1
    return found


def _bins(packed: bytes | None, points: int) -> Sequence[dict[int, float] | None]:
    if packed is None:
        return [None] * points
    numbers, sizes, gaps, counts = (_read(*stream) for stream in _decode_bins(_decompressed(packed)))
    found: list[dict[int, float]] = [{} for _ in range(points)]
    begin = 0
    for shifted, size in zip(numbers, sizes, strict=True):
        number, end, place = shifted - _SHIFT, begin + size, -1
        for gap, count in zip(gaps[begin:end], counts[begin:end], strict=True):
            place += gap + 1
            found[place][number] = float(count)
        begin = end
    return [bins or None for bins in found]


@functools.cache
def _lzma() -> tuple[Any, list[dict[str, int]]] | None:
    """Return the library and its settings; None on an interpreter that was built without."""
    try:
        import lzma
    except ImportError:  # pragma: no cover
        return None
    return lzma, [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0, "dict_size": _WINDOW_BYTES}]


def _compressed(written: bytes) -> bytes:
    found = _lzma()
    if found is None:  # pragma: no cover
        return b"z" + zlib.compress(written, _LEVEL)
    lzma, filters = found
    return b"x" + bytes(lzma.compress(written, format=lzma.FORMAT_RAW, filters=filters))


def _decompressed(packed: bytes) -> bytes:
    if packed[:1] == b"z":
        return zlib.decompress(packed[1:])
    found = _lzma()
    assert found is not None, "this Python was built without LZMA, with which metrics were packed"
    lzma, filters = found
    return bytes(lzma.decompress(packed[1:], format=lzma.FORMAT_RAW, filters=filters))


def pack_bins(bins: dict[int, float] | None) -> bytes | None:
    """Write the bins of one point."""
    if not bins:
        return None
    numbers = sorted(bins)
    gaps = [after - before for before, after in pairwise(numbers)]
    counts = [int(count) if count == int(count) else count for count in map(bins.__getitem__, numbers)]
    return _encode((numbers[0], gaps, counts))


def unpack_bins(packed: bytes | None) -> dict[int, float] | None:
    """Read the bins of one point."""
    if packed is None:
        return None
    first, gaps, counts = _decode_row(packed)
    return dict(zip(accumulate(chain((first,), gaps)), counts, strict=True))


def _numbers(values: Sequence[float]) -> tuple[int, str, bytes]:
    """Write numbers: how many digits stand behind the point, and how they are written; -1: as they are."""
    for digits in range(_DIGITS_MAX + 1):
        scale = 10.0**digits
        whole = []
        for value in values:
            scaled = value * scale
            near = round(scaled) if abs(scaled) < _WHOLE_MAX else 0
            if abs(scaled - near) > _TOLERANCE * abs(scaled):
                break
            whole.append(near)
        else:
            return (digits, *_narrow(whole))
    return (-1, "d", _shuffled(array("d", values)))


def _read_numbers(digits: int, kind: str, written: bytes) -> Sequence[float]:
    numbers = _read(kind, written)
    if digits == -1:
        return numbers
    scale = 10.0**digits
    return [number / scale for number in numbers]


def _counts(values: Sequence[float]) -> tuple[str, bytes]:
    digits, kind, written = _numbers(values)
    return (kind, written) if digits == 0 else ("d", _shuffled(array("d", values)))


def _narrow(values: Sequence[int]) -> tuple[str, bytes]:
    """Write whole numbers in the narrowest kind that holds them all."""
    least, most = min(values, default=0), max(values, default=0)
    for kind, low, high in (
        ("B", 0, 0xFF),
        ("H", 0, 0xFFFF),
        ("I", 0, 0xFFFF_FFFF),
        ("q", -(1 << 63), (1 << 63) - 1),
    ):
        if low <= least and most <= high:
            return kind, _shuffled(array(kind, values))
    raise AssertionError("a number of 64 bits")


def _shuffled(values: "array[Any]") -> bytes:
    """Return the first bytes of all numbers, then the second ones, and so on."""
    raw, size = values.tobytes(), values.itemsize
    return raw if size == 1 else b"".join(raw[place::size] for place in range(size))


def _read(kind: str, written: bytes) -> "array[Any]":
    values = array(kind)
    size = values.itemsize
    if size > 1:
        raw = bytearray(len(written))
        count = len(written) // size
        for place in range(size):
            raw[place::size] = written[place * count : (place + 1) * count]
        values.frombytes(raw)
    else:
        values.frombytes(written)
    return values
