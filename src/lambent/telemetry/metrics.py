"""
The figures of Lambent's own services, gathered by the minute and put into the store every few seconds.

In: a metric and a value, on the event loop. Out: points in the store. Never: a figure of invocations that ended, which
follow from their records (telemetry.ingestion), nor one that a client sent. A crash loses what was not put yet.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from lambent.clock import Clock
from lambent.domain.metric import Distribution, Metric, MetricPoint
from lambent.errors.families import DependencyError
from lambent.store.metrics_contract import MetricStore

PUT_EVERY_S: Final = 5.0
"""What a crash may lose."""

POINTS_MAX: Final = 50_000
"""Metrics times minutes that may wait for the store; further ones are dropped and counted."""

_PERIOD_S: Final = 60

_log = logging.getLogger("lambent.telemetry")


class Alike:
    """
    Metrics that always take the same values, which are gathered once for all of them.

    Kept by whoever adds to it: two of the same metrics are two, until they come into the store.
    """

    __slots__ = ("metrics",)

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = metrics


class Metrics:
    """
    Gathers figures. All methods are for the event loop.

    Args:
        store: None: figures are not kept, as in tests of parts that only give them.
    """

    def __init__(self, store: MetricStore | None, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: dict[tuple[Metric, int], Distribution] = {}
        self._alike: dict[tuple[Alike, int], Distribution] = {}
        self._alike_points = 0
        """That will be made of `_alike`."""
        self._putting: asyncio.Task[None] | None = None
        self.dropped_points = 0
        """Points that found no room, or that the store refused for good."""

    def add(self, metric: Metric, value: float, times: float = 1.0, *, at_s: float | None = None) -> None:
        """
        Take in a value.

        Args:
            times: how often it was measured.
            at_s: when, in seconds since the epoch; now when absent.
        """
        if self._store is None:
            return
        now = self._clock.now() if at_s is None else at_s
        key = (metric, int(now) // _PERIOD_S * _PERIOD_S)
        gathered = self._waiting.get(key)
        if gathered is None:
            if len(self._waiting) + self._alike_points >= POINTS_MAX:
                self.dropped_points += 1
                return
            gathered = self._waiting[key] = Distribution()
        gathered.add(value, times)

    def add_alike(self, alike: Alike, value: float, times: float = 1.0) -> None:
        """Take in a value of each of some metrics, measured now."""
        if self._store is None:
            return
        key = (alike, int(self._clock.now()) // _PERIOD_S * _PERIOD_S)
        gathered = self._alike.get(key)
        if gathered is None:
            if len(self._waiting) + self._alike_points >= POINTS_MAX:
                # What was gathered under several objects may be of the same metrics: told apart it is less.
                self._tell_apart()
                for metric in alike.metrics:
                    self.add(metric, value, times)
                return
            self._alike_points += len(alike.metrics)
            gathered = self._alike[key] = Distribution()
        gathered.add(value, times)

    async def settle(self) -> None:
        """
        Return once everything added before this call is in the store. Concurrent calls share the work.

        Raises:
            DependencyError: the store does not answer; what was added waits for the next time.
        """
        while self._putting is not None and not self._putting.done():
            await asyncio.shield(self._putting)
        if self._waiting or self._alike:
            self._putting = asyncio.get_running_loop().create_task(self._put(), name="metrics.put")
            await asyncio.shield(self._putting)

    async def run(self) -> None:
        """Put what was gathered into the store, for ever."""
        while True:
            await self._clock.sleep(PUT_EVERY_S)
            await self.settle()

    async def close(self) -> None:
        """Put what is left."""
        try:
            await self.settle()
        except DependencyError as error:
            _log.error("metrics.lost points=%d reason=%s", len(self._waiting), error)

    async def _put(self) -> None:
        assert self._store is not None
        self._tell_apart()
        points, self._waiting = self._waiting, {}
        try:
            await self._store.add([MetricPoint(metric, at_s, _PERIOD_S, d) for (metric, at_s), d in points.items()])
        except BaseException:
            for key, distribution in self._waiting.items():
                if key in points:
                    points[key].merge(distribution)
                elif len(points) < POINTS_MAX:
                    points[key] = distribution
                else:
                    self.dropped_points += 1
            self._waiting = points
            raise

    def _tell_apart(self) -> None:
        """Have what was gathered for several metrics wait for each."""
        alike, self._alike, self._alike_points = self._alike, {}, 0
        for (several, at_s), gathered in alike.items():
            for metric in several.metrics:
                self._waiting.setdefault((metric, at_s), Distribution()).merge(gathered)
