"""Budgets followed: sums that equal the store's, periods, clocks that jump, crashes, tags, what is told and refused."""

import asyncio
import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from unit.services.billing.budget_stage import ACCOUNT, DAY_S, SCOPE, SMALL, Stage, budget, record, told

from lambent.domain.budget import Budget, BudgetPeriod, BudgetView, Measure, Watched, period_start
from lambent.domain.caller import Scope
from lambent.domain.usage import UsageClass, UsageKey, UsageKind
from lambent.errors.families import DependencyError
from lambent.store.budgets_contract import BudgetRows
from lambent.store.usage_contract import Allocation, NewUsage, UsageQuestion, UsageRow
from lambent.testing.virtual_clock import PATIENCE_S

OTHER = Scope("444455556666", "eu-west-1")
ELSEWHERE = Scope(ACCOUNT, "us-east-1")


def test_a_budget_warns_and_refuses(tmp_path: Path) -> None:
    """Each percentage once; the function is refused with the last of ten, and no other function is."""

    async def story(at: Stage) -> None:
        await at.put(budget())
        assert at.budgets.is_urgent
        await at.run_times(4)
        await at.settled()
        assert at.targets.told == [] and not await at.is_refused()
        await at.run_times(1)
        await at.settled()
        assert at.targets.percents() == [50]
        await at.run_times(5)
        assert await at.is_refused() and not await at.is_refused("g") and not await at.is_refused("f", ELSEWHERE)
        assert not await at.is_refused("f", OTHER)
        await at.settled()
        await at.run_times(3)
        await at.settled()
        assert at.targets.percents() == [50, 100]
        _, said = at.targets.told[-1]
        assert (said["used"], said["amount"], said["is_throttled"]) == ("10", "10", True)
        assert said["period"] == {"kind": "day", "from": "2026-11-17T00:00:00Z", "to": "2026-11-18T00:00:00Z"}

    told(tmp_path, story)


def test_nothing_is_refused_where_nobody_asked_for_it(tmp_path: Path) -> None:
    """A budget that only tells is not urgent, and lets all run."""

    async def story(at: Stage) -> None:
        await at.put(budget(throttle=False))
        assert not at.budgets.is_urgent
        await at.run_times(20)
        await at.settled()
        assert at.targets.percents() == [50, 100] and not at.gate.stopped

    told(tmp_path, story)


def test_a_new_period_frees_at_midnight(tmp_path: Path) -> None:
    """To the second, without anything being folded; what was used counts no more, and is told anew."""

    async def story(at: Stage) -> None:
        await at.put(budget())
        await at.run_times(10)
        await at.settled()
        await at.pass_time(DAY_S / 2 - 0.5)
        assert await at.is_refused()
        at.clock.advance(0.5)
        await at.until(lambda: not at.gate.stopped)
        await at.settled()
        assert at.view().used == 0
        await at.run_times(5)
        await at.settled()
        assert at.targets.percents() == [50, 100, 50]

    told(tmp_path, story)


def test_what_began_before_midnight_counts_before_midnight(tmp_path: Path) -> None:
    """Its warning comes late and names its day; today is not used by it, nor refused."""

    async def story(at: Stage) -> None:
        await at.put(budget())
        await at.run_times(9)
        await at.settled()
        began = at.clock.now() + DAY_S / 2 - 1
        await at.pass_time(DAY_S / 2 + 60)
        await at.use(record(began))
        await at.settled()
        assert [said["period"]["from"][:10] for _, said in at.targets.told] == ["2026-11-17", "2026-11-17"]
        assert at.targets.percents() == [50, 100]
        assert at.view().used == 0 and not await at.is_refused()

    told(tmp_path, story)


def test_a_clock_that_jumps_over_midnight_and_back_tells_nothing_twice(tmp_path: Path) -> None:
    """Neither counts twice nor loses: what was used that day is used when the clock is in that day again."""

    async def story(at: Stage) -> None:
        await at.put(budget())
        await at.run_times(10)
        await at.settled()
        for jump in (DAY_S, -DAY_S, -3 * DAY_S, 3 * DAY_S, 400 * DAY_S, -400 * DAY_S):
            at.clock.set_wall(jump)
            await at.pass_time(1.0)
            is_that_day = period_start(BudgetPeriod.DAY, at.clock.now()) == period_start(
                BudgetPeriod.DAY, 1_794_916_800.0
            )
            assert await at.is_refused() is is_that_day
            assert at.view().used == (10 if is_that_day else 0)
        assert await at.is_refused()
        assert at.targets.percents() == [50, 100]

    told(tmp_path, story)


def test_a_fold_behind_a_jump_counts_where_its_invocations_began(tmp_path: Path) -> None:
    """The clock is in another day before anybody looked: the fold itself sees it."""

    async def story(at: Stage) -> None:
        await at.put(budget())
        await at.run_times(3)
        at.clock.set_wall(DAY_S)
        await at.run_times(2)
        await at.settled()
        assert at.view().used == 2
        at.clock.set_wall(-DAY_S)
        await at.run_times(1)
        await at.settled()
        assert at.view().used == 4

    told(tmp_path, story)


def test_a_crash_loses_nothing_and_tells_nothing_twice(tmp_path: Path) -> None:
    """What was told stays told; what was reached and not written down is found again; what was refused is at once."""

    async def story(at: Stage) -> None:
        await at.put(budget())
        await at.run_times(5)
        await at.settled()
        await at.end()
        # Folded by a server that did not live to follow it.
        await at.run_times(5)
        after = await at.crashed()
        assert await after.is_refused()
        await after.settled()
        again = await after.crashed()
        await again.settled()
        assert again.targets.percents() == [50, 100]
        await again.end()

    told(tmp_path, story)


def test_a_notice_outlives_the_server(tmp_path: Path) -> None:
    """Stored with the state that it was due; delivered by the next one, with its tries and its failure known."""

    async def story(at: Stage) -> None:
        await at.put(budget())
        at.targets.failing["https://example.com/told"] = "status 503"
        await at.run_times(5)
        await at.settled()
        ((pending),) = await at.store.pending(limit=9)
        assert (pending.notice.tries, pending.notice.failure) == (1, "status 503")
        at.targets.failing.clear()
        after = await at.crashed()
        await after.until(lambda: after.targets.percents() == [50])
        await after.settled()
        assert await after.store.pending_count() == 0
        await after.end()

    told(tmp_path, story)


def test_a_fold_that_fails_is_read_again(tmp_path: Path) -> None:
    """Whether its commit came through is the store's to say."""

    async def story(at: Stage) -> None:
        await at.put(budget())
        at.is_failing = True
        with pytest.raises(DependencyError):
            await at.run_times(4)
        at.is_failing = False
        await at.settled()
        assert at.view().used == 0
        # One whose commit came through, and whose caller heard otherwise.
        usage = NewUsage([record(at.clock.now()) for _ in range(6)])
        with pytest.raises(RuntimeError):
            async with at.budgets.folding(usage):
                position = await at.logs.position()
                await at.logs.fold([], [], ["x"], msgspec.structs.replace(position, segment=9), usage=usage)
                raise RuntimeError
        await at.settled()
        assert at.view().used == 6

    told(tmp_path, story)


class Slow:
    """Lets questions to the store of usage through one by one, and says whose they were."""

    def __init__(self, at: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str | None] = []
        self.leave = asyncio.Semaphore(0)
        self.is_waiting = False
        ask = at.usage.totals

        async def totals(question: UsageQuestion) -> Sequence[UsageRow]:
            self.asked.append(question.function)
            self.is_waiting = True
            await self.leave.acquire()
            self.is_waiting = False
            return await ask(question)

        monkeypatch.setattr(at.usage, "totals", totals)


@pytest.mark.parametrize("cause", ["a fold that failed", "midnight", "a function that nobody knew"])
def test_a_fold_waits_for_one_budget_however_many_are_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    """What functions write is folded meanwhile, and each budget counts it once."""

    async def story(at: Stage) -> None:
        for number in range(20):
            watched = Watched(tag_key="team", tag_value="red") if cause.startswith("a function") else Watched()
            await at.put(budget(f"b{number}", watched=watched, amount=Decimal(50)))
        await at.settled()
        slow = Slow(at, monkeypatch)
        if cause == "midnight":
            at.clock.advance(DAY_S)
        elif cause == "a fold that failed":
            at.is_failing = True
            with pytest.raises(DependencyError):
                await at.run_times(1)
            at.is_failing = False
        else:
            await at.tag("f", {"team": "red"})
            async with asyncio.timeout(PATIENCE_S):
                await at.run_times(1)
        for _ in range(3):
            await at.until(lambda: slow.is_waiting)
            asked = len(slow.asked)
            fold = asyncio.create_task(at.run_times(1))
            async with asyncio.timeout(PATIENCE_S):
                while not fold.done():
                    if slow.is_waiting:
                        slow.leave.release()
                    await asyncio.sleep(0.001)
            # Two for the day before and this one, and what the next one asks as soon as the fold is over.
            assert len(slow.asked) - asked <= 2
        for _ in range(100):
            slow.leave.release()
        await at.settled()
        before = 1 if cause.startswith("a function") else 0
        assert {view.used for view in at.budgets.standing()} == {Decimal(3 + before)}

    told(tmp_path, story)


def test_what_may_have_to_refuse_is_read_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(at: Stage) -> None:
        for name, throttle in (("a", False), ("b", True), ("c", False), ("d", True)):
            await at.put(budget(name, watched=Watched(name, SCOPE.region), throttle=throttle))
        slow = Slow(at, monkeypatch)
        at.clock.advance(DAY_S)
        for _ in range(100):
            slow.leave.release()
        await at.settled()
        assert list(dict.fromkeys(slow.asked)) == ["b", "d", "a", "c"]

    told(tmp_path, story)


def test_a_budget_that_goes_while_others_are_read_refuses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does one that became another, which is read as it is changed."""

    async def story(at: Stage) -> None:
        for name in ("a", "b", "c"):
            await at.put(budget(name, watched=Watched(name, SCOPE.region)))
            await at.run_times(10, name)
        assert await at.is_refused("b")
        slow = Slow(at, monkeypatch)
        at.is_failing = True
        with pytest.raises(DependencyError):
            await at.run_times(1)
        await at.until(lambda: slow.is_waiting)

        async def gone(old: Budget | None, view: BudgetView | None, rows: BudgetRows) -> None:
            return None

        going = asyncio.create_task(at.budgets.change(ACCOUNT, "b", gone))
        raising = asyncio.create_task(at.put(budget("c", watched=Watched("c", SCOPE.region), amount=Decimal(20))))
        await asyncio.sleep(0)
        for _ in range(100):
            slow.leave.release()
        await asyncio.gather(going, raising)
        await at.settled()
        assert [await at.is_refused(name) for name in ("a", "b", "c")] == [True, False, False]
        assert {view.budget.name for view in await at.budgets.views(ACCOUNT)} == {"a", "c"}

    told(tmp_path, story)


def test_a_count_that_is_cut_short_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is folded is folded, even where whoever folds is cancelled before it is counted."""

    async def story(at: Stage) -> None:
        await at.put(budget())

        async def cut_short(usage: NewUsage) -> None:
            raise asyncio.CancelledError

        with monkeypatch.context() as patched:
            patched.setattr(at.budgets, "_count", cut_short)
            with pytest.raises(asyncio.CancelledError):
                await at.run_times(4)
        await at.settled()
        assert at.view().used == 4

    told(tmp_path, story)


def test_tags_count_as_they_were_and_refuse_as_they_are(tmp_path: Path) -> None:
    """A function that gets the tag later brings nothing in of before, and is refused from then on."""

    async def story(at: Stage) -> None:
        await at.tag("f", {"team": "red"})
        await at.tag("g", {"team": "blue"})
        await at.put(budget(watched=Watched(tag_key="team", tag_value="red")))
        await at.run_times(4)
        await at.run_times(4, "g")
        await at.settled()
        assert at.view().used == 4
        await at.tag("g", {"team": "red"})
        await at.run_times(2, "g")
        await at.settled()
        assert at.view().used == 6
        await at.tag("f", {})
        await at.run_times(9)
        await at.settled()
        assert at.view().used == 6
        # Known by now: counted by the fold itself.
        await at.run_times(4, "g")
        assert at.view().used == 10
        assert await at.is_refused("g") and not await at.is_refused("f")
        await at.tag("f", {"team": "red"})
        assert await at.is_refused("f")
        await at.tag("g", {"team": "redder"})
        assert not await at.is_refused("g")

    told(tmp_path, story)


def test_a_function_that_is_gone_counts_by_the_tags_that_it_had(tmp_path: Path) -> None:
    """Its last invocations end after it was deleted."""

    async def story(at: Stage) -> None:
        await at.tag("f", {"team": "red"})
        await at.put(budget(watched=Watched(tag_key="team", tag_value="red")))
        await at.run_times(1)
        async with at.functions.transaction(SCOPE) as tx:
            (name,) = [version.name for version in await at.functions.some(9)]
            await tx.delete_function(name)
        await at.run_times(2)
        await at.run_times(3)
        await at.settled()
        assert at.view().used == 6

    told(tmp_path, story)


def test_an_account_is_all_its_regions_and_no_other_account(tmp_path: Path) -> None:
    async def story(at: Stage) -> None:
        await at.put(budget(watched=Watched()))
        now = at.clock.now()
        await at.use(record(now), record(now, "g", scope=ELSEWHERE), *(record(now, scope=OTHER) for _ in range(50)))
        assert at.view().used == 2
        await at.run_times(8)
        assert await at.is_refused("new") and await at.is_refused("f", ELSEWHERE)
        assert not await at.is_refused("f", OTHER)

    told(tmp_path, story)


def test_a_change_that_was_refused_changes_nothing(tmp_path: Path) -> None:
    async def story(at: Stage) -> None:
        await at.put(budget())
        await at.run_times(10)

        async def decide(old: Budget | None, view: BudgetView | None, rows: BudgetRows) -> Budget:
            raise ValueError

        with pytest.raises(ValueError):
            await at.budgets.change(ACCOUNT, "b", decide)
        await at.settled()
        assert await at.is_refused() and at.view().limit == 10

    told(tmp_path, story)


def test_a_budget_that_goes_frees_and_takes_its_notices_with_it(tmp_path: Path) -> None:
    async def story(at: Stage) -> None:
        await at.put(budget())
        at.targets.failing["https://example.com/told"] = "down"
        await at.run_times(10)
        await at.settled()
        assert await at.store.pending_count() == 2

        async def gone(old: Budget | None, view: BudgetView | None, rows: BudgetRows) -> None:
            assert old is not None

        await at.budgets.change(ACCOUNT, "b", gone)
        assert not at.gate.stopped and not at.budgets.is_urgent
        assert await at.store.pending_count() == 0

    told(tmp_path, story)


def test_a_target_that_is_taken_out_is_told_nothing_more(tmp_path: Path) -> None:
    """What waits for it goes with it, and with a budget of another name nothing does; the others are still told."""

    async def story(at: Stage) -> None:
        wrong, right = "https://example.com/told", "https://example.com/right"
        for url in (wrong, right):
            at.targets.failing[url] = "down"
        await at.put(budget(targets=(wrong, right)))
        await at.put(budget("other"))
        await at.run_times(10)
        await at.settled()
        assert await at.store.pending_count() == 6
        await at.put(budget(targets=(right,)))
        left = [(one.notice.budget, one.notice.target) for one in await at.store.pending(limit=10)]
        assert sorted(left) == [("b", right)] * 2 + [("other", wrong)] * 2
        await at.put(budget("other", amount=Decimal(20)))
        assert await at.store.pending_count() == 4

    told(tmp_path, story)


def test_a_store_that_fails_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was reached meanwhile is told once the store answers."""

    async def story(at: Stage) -> None:
        await at.put(budget())
        real, failures = at.store.transaction, 0

        def broken(account: str) -> object:
            nonlocal failures
            failures += 1
            raise DependencyError("locked", retryable=True)

        monkeypatch.setattr(at.store, "transaction", broken)
        await at.run_times(10)
        assert await at.is_refused()
        await at.until(lambda: failures > 0)
        monkeypatch.setattr(at.store, "transaction", real)
        at.clock.advance(5.0)
        await at.until(lambda: at.targets.percents() == [50, 100])

    told(tmp_path, story)


CLASSES = (
    SMALL,
    UsageClass(128, 2_048, "arm64", runtime="nodejs22.x"),
    UsageClass(1_769, 512, "x86_64", UsageKind.PROVISIONED.value, "java21"),
    UsageClass(512, 512, "x86_64", UsageKind.SNAP_START.value, "java21"),
)
WATCHED = (
    Watched(),
    Watched("f", SCOPE.region),
    Watched("g", ELSEWHERE.region),
    Watched(tag_key="team", tag_value="red"),
    Watched(tag_key="team", tag_value=""),
)


@pytest.mark.parametrize("seed", range(6))
def test_running_sums_are_the_stores(tmp_path: Path, seed: int) -> None:
    """Whatever is folded, tagged, jumped, crashed and reset in between, and whichever way it is measured."""
    chance = random.Random(seed)

    async def story(at: Stage) -> None:
        for number, watched in enumerate(WATCHED):
            for measure in Measure:
                period = chance.choice(list(BudgetPeriod))
                await at.put(
                    budget(f"b{number}{measure}", watched=watched, measure=measure, period=period, amount=Decimal(30))
                )
        for _ in range(25):
            step = chance.randrange(8)
            if step == 0:
                name, scope = chance.choice("fgh"), chance.choice((SCOPE, ELSEWHERE))
                await at.tag(name, {"team": chance.choice(("red", "", "blue"))}, scope)
            elif step == 1:
                at.clock.set_wall(chance.choice((-1, 1)) * chance.choice((3_600, DAY_S, 31 * DAY_S)))
            elif step == 2:
                at = await at.crashed()
            elif step == 3:
                at.clock.advance(chance.choice((1.0, 4_000.0, DAY_S / 2)))
            elif step == 4:
                at.is_failing = True
                with pytest.raises(DependencyError):
                    await at.run_times(2)
                at.is_failing = False
            else:
                records = [
                    record(
                        at.clock.now() - chance.choice((0, 0, 0, 60, DAY_S, 30 * DAY_S)),
                        chance.choice("fgh"),
                        billed_ms=chance.choice((1, 99, 900_000)),
                        scope=chance.choice((SCOPE, SCOPE, ELSEWHERE, OTHER)),
                        of=chance.choice(CLASSES),
                        streamed_bytes=chance.choice((0, 7 << 20)),
                        is_restored=chance.random() < 0.3,
                    )
                    for _ in range(chance.choice((1, 7, 250)))
                ]
                key = UsageKey(SCOPE, "f", "1", "", CLASSES[2])
                from_ms = int(at.clock.now() * 1000)
                await at.use(*records, allocations=[Allocation(key, from_ms - 300_000, from_ms, 3)])
        # A wall clock that jumped is looked at within a second.
        await at.pass_time(1.0)
        for watch in list(at.budgets._all()):
            for start_s, sums in watch.sums.items():
                assert await at.budgets._sums(watch.budget, start_s) == sums, (seed, watch.budget.name)
        await at.end()

    told(tmp_path, story)


def test_two_that_change_at_once_are_one_after_the_other(tmp_path: Path) -> None:
    """And folds in between count once."""

    async def story(at: Stage) -> None:
        at.unfolded = [record(at.clock.now()) for _ in range(3)]
        await asyncio.gather(
            *(at.put(budget(f"b{number}")) for number in range(5)), *(at.run_times(2) for _ in range(5))
        )
        assert {view.used for view in await at.budgets.views(ACCOUNT)} == {Decimal(13)}

    told(tmp_path, story)
