"""What every store of log filters must do. A subclass needs a fixture `adapter`, as those of `store`."""

from collections.abc import Sequence

from lambent.domain.caller import Scope
from lambent.domain.log_filter import LogFilter, MetricFilter, SubscriptionFilter
from lambent.store.contract import LogPosition, NewLogEvent
from lambent.testing.conformance.store import OTHER_REGION, SCOPE, with_stores
from lambent.testing.stores import Stores

_FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:f"


def _metric(name: str, group: str = "g", scope: Scope = SCOPE, value: str = "1") -> MetricFilter:
    return MetricFilter(scope, group, name, 1, "ERROR", "M", "N", value, 0.0, (("D", "$.d"),), "Count")


def _subscription(name: str, group: str = "g", scope: Scope = SCOPE) -> SubscriptionFilter:
    return SubscriptionFilter(scope, group, name, 1, "é", _FUNCTION, "Random")


def _anything(_: Sequence[LogFilter]) -> None:
    pass


class _Refused(Exception):
    pass


async def _write(stores: Stores, *groups: str, scope: Scope = SCOPE) -> None:
    """Have groups come into being."""
    position = await stores.logs.position()
    events = [NewLogEvent(scope, group, "s", 1, 1, "x") for group in groups]
    await stores.logs.fold(events, [], [], LogPosition(position.segment, position.offset + 1))


class LogFilterStoreConformance:
    """The promises of `LogFilterStore`."""

    @with_stores
    async def test_filters_are_kept_as_they_were_put(self, stores: Stores) -> None:
        """Every member; of each kind by itself, though they share names."""
        await _write(stores, "g")
        assert await stores.log_filters.put(_metric("a"), _anything)
        assert await stores.log_filters.put(_subscription("a"), _anything)
        assert await stores.log_filters.list(MetricFilter, SCOPE, limit=9) == [_metric("a")]
        assert await stores.log_filters.list(SubscriptionFilter, SCOPE, limit=9) == [_subscription("a")]
        assert len(await stores.log_filters.every()) == 2

    @with_stores
    async def test_a_group_that_is_not_there_has_none(self, stores: Stores) -> None:
        """Nor has one of the name in another scope."""
        await _write(stores, "g", scope=OTHER_REGION)
        assert not await stores.log_filters.put(_metric("a"), _anything)
        assert await stores.log_filters.delete(MetricFilter, SCOPE, "g", "a") is None
        assert await stores.log_filters.put(_metric("a", scope=OTHER_REGION), _anything)
        assert await stores.log_filters.list(MetricFilter, SCOPE, limit=9) == []

    @with_stores
    async def test_one_of_the_same_name_is_replaced(self, stores: Stores) -> None:
        """And keeps when it was created."""
        await _write(stores, "g")
        await stores.log_filters.put(_metric("a"), _anything)
        later = MetricFilter(SCOPE, "g", "a", 99, "other", "M2", "N2", "2")
        await stores.log_filters.put(later, _anything)
        (found,) = await stores.log_filters.list(MetricFilter, SCOPE, limit=9)
        assert (found.created_ms, found.pattern, found.default, found.dimensions) == (1, "other", None, ())

    @with_stores
    async def test_a_check_sees_the_others_and_may_refuse(self, stores: Stores) -> None:
        """Those of both kinds in the group but the one that is replaced; then nothing has changed."""
        await _write(stores, "g", "other")
        await stores.log_filters.put(_metric("a"), _anything)
        await stores.log_filters.put(_subscription("a"), _anything)
        await stores.log_filters.put(_metric("b", "other"), _anything)
        seen: list[LogFilter] = []

        def refuse(others: Sequence[LogFilter]) -> None:
            seen.extend(others)
            raise _Refused

        for one in (_metric("a", value="2"), _metric("new")):
            try:
                await stores.log_filters.put(one, refuse)
            except _Refused:
                continue
            raise AssertionError("what a check raises comes through")
        assert seen == [_subscription("a"), _metric("a"), _subscription("a")]
        assert await stores.log_filters.list(MetricFilter, SCOPE, group="g", limit=9) == [_metric("a")]

    @with_stores
    async def test_filters_are_listed_by_name(self, stores: Stores) -> None:
        """Then by group; in pages, of one group, with a prefix in which every sign is itself."""
        await _write(stores, "g", "h")
        for group in ("h", "g"):
            for name in ("b", "a", "a%", "Z"):
                await stores.log_filters.put(_metric(name, group), _anything)
        found: list[tuple[str, str]] = []
        after = None
        while page := await stores.log_filters.list(MetricFilter, SCOPE, after=after, limit=3):
            found += [(one.name, one.group) for one in page]
            after = found[-1]
        assert found == [(name, group) for name in ("Z", "a", "a%", "b") for group in ("g", "h")]
        some = await stores.log_filters.list(MetricFilter, SCOPE, group="h", prefix="a%", limit=9)
        assert [(one.name, one.group) for one in some] == [("a%", "h")]
        await stores.log_filters.delete(MetricFilter, SCOPE, "h", "b")
        await stores.log_filters.put(_subscription("s", "h"), _anything)
        await _write(stores, "none")
        assert await stores.log_filters.metric_filter_counts(SCOPE, ["g", "h", "none", "?"]) == {"g": 4, "h": 3}
        assert await stores.log_filters.metric_filter_counts(SCOPE, []) == {}

    @with_stores
    async def test_a_filter_is_deleted_alone_or_with_its_group(self, stores: Stores) -> None:
        """What counts them tells."""
        await _write(stores, "g", "h")
        for group in ("g", "h"):
            await stores.log_filters.put(_metric("a", group), _anything)
            await stores.log_filters.put(_subscription("a", group), _anything)
        assert await stores.log_filters.delete(MetricFilter, SCOPE, "g", "a") is True
        assert await stores.log_filters.delete(MetricFilter, SCOPE, "g", "a") is False
        assert (await stores.log_filters.state())[:2] == (1, 2)
        await stores.logs.delete_group(SCOPE, "h")
        assert (await stores.log_filters.state())[:2] == (0, 1)

    @with_stores
    async def test_the_sequence_of_the_next_event_is_known(self, stores: Stores) -> None:
        """Those of a stretch follow it in order, whatever became of earlier ones."""
        await _write(stores, "g", "h")
        await stores.logs.delete_group(SCOPE, "h")
        base = (await stores.log_filters.state()).next_sequence
        position = await stores.logs.position()
        events = [NewLogEvent(SCOPE, "h" if number % 2 else "g", "s", 5, 5, str(number)) for number in range(2_500)]
        await stores.logs.fold(events, [], [], LogPosition(position.segment, position.offset + 1))
        stored = [one for group in ("g", "h") for one in await stores.logs.events(SCOPE, group, from_ms=5, limit=5_000)]
        assert {one.message: one.sequence - base for one in stored} == {str(number): number for number in range(2_500)}
        assert (await stores.log_filters.state()).next_sequence == base + 2_500
