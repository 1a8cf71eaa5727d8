"""What budgets tell: pauses, lanes that hold up nobody else, and what is given up."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from unit.services.billing.budget_stage import ACCOUNT, Stage, budget, told

from lambent.domain.caller import Scope
from lambent.services.billing import budget_notices as module
from lambent.services.billing.budget_notices import LANES_OF_ACCOUNT_MAX, TRIES_MAX, pause_s
from lambent.store.budgets_contract import NewNotice, PendingNotice
from lambent.telemetry.deliveries import Delivery


async def order(at: Stage, *targets: str, account: str = ACCOUNT, percent: int = 50) -> None:
    async with at.store.transaction(account) as rows:
        notice = NewNotice(account, "b", "", "n", percent, 0, at.clock.now(), f'{{"id":"n","percent":{percent}}}')
        await rows.order([msgspec.structs.replace(notice, target=target) for target in targets])


async def tries(at: Stage) -> list[int]:
    return [one.notice.tries for one in await at.store.pending(limit=999)]


def test_pauses_grow_to_ten_minutes_and_there_are_tries_for_a_day() -> None:
    assert [pause_s(number) for number in (1, 2, 3, 8, 9, TRIES_MAX)] == [5, 10, 20, 600, 600, 600]
    assert 86_400 <= sum(map(pause_s, range(1, TRIES_MAX))) <= 100_000


def test_what_fails_is_tried_again_and_then_told_once(tmp_path: Path) -> None:
    """The last failure and the number of tries are kept; the counts say how it went."""

    async def story(at: Stage) -> None:
        at.targets.failing["https://a.example/secret"] = "status 500"
        await order(at, "https://a.example/secret")
        await at.settled()
        assert await tries(at) == [1] and at.notices.waiting == 1
        ((one),) = await at.store.pending(limit=9)
        assert 4 < at.notices.next_try_s(one.notice) <= 5
        at.clock.advance(4.9)
        await at.settled()
        assert await tries(at) == [1]
        at.clock.advance(0.2)
        await at.until(lambda: at.deliveries.all()[Scope(ACCOUNT, ""), "https://a.example"][Delivery.FAILED] == 2)
        await at.settled()
        at.targets.failing.clear()
        at.clock.advance(10.0)
        await at.until(lambda: at.targets.percents() == [50])
        await at.settled()
        counts = at.deliveries.all()[Scope(ACCOUNT, ""), "https://a.example"]
        assert (counts[Delivery.DELIVERED], counts[Delivery.FAILED]) == (1, 2)
        assert await tries(at) == []

    told(tmp_path, story)


def test_one_target_hears_in_order_and_the_others_do_not_wait_for_it(tmp_path: Path) -> None:
    async def story(at: Stage) -> None:
        at.targets.failing["https://down.example/"] = "no"
        await order(at, "https://down.example/", "https://up.example/", percent=50)
        await order(at, "https://down.example/", "https://up.example/", percent=80)
        await at.settled()
        assert at.targets.percents() == [50, 80]
        at.targets.failing.clear()
        at.clock.advance(5.0)
        await at.until(lambda: at.targets.percents() == [50, 80, 50, 80])

    told(tmp_path, story)


def test_targets_that_hang_hold_up_no_other_account(tmp_path: Path) -> None:
    """Nor more than some of its own lanes."""

    async def story(at: Stage) -> None:
        hanging = [f"https://hang{number}.example/" for number in range(50)]
        at.targets.hanging.update(hanging)
        await order(at, *hanging)
        await at.until(lambda: len(at.notices._at_work) == LANES_OF_ACCOUNT_MAX)
        await order(at, "https://up.example/", account="444455556666")
        await at.until(lambda: at.targets.percents() == [50])
        assert sum(account == ACCOUNT for account, _ in at.notices._at_work) == LANES_OF_ACCOUNT_MAX

    told(tmp_path, story)


def test_what_is_delivered_while_it_is_read_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target is done with between the reading and what is begun because of it."""

    async def story(at: Stage) -> None:
        may_end = asyncio.Event()
        real_deliver, real_pending = at.targets.deliver, at.store.pending

        async def slow(target: str, body: bytes, notice_id: str) -> None:
            await may_end.wait()
            await real_deliver(target, body, notice_id)

        async def overtaken(*, after: int = 0, limit: int) -> Sequence[PendingNotice]:
            found = await real_pending(after=after, limit=limit)
            may_end.set()
            while at.notices._at_work:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.001)
            return found

        monkeypatch.setattr(at.targets, "deliver", slow)
        await order(at, "https://a.example/")
        await at.until(lambda: bool(at.notices._at_work))
        monkeypatch.setattr(at.store, "pending", overtaken)
        at.notices._wake.set()
        await at.until(lambda: at.targets.percents() != [])
        monkeypatch.setattr(at.store, "pending", real_pending)
        # Whatever follows from the reading has begun when this is told.
        await order(at, "https://b.example/")
        await at.until(lambda: any(target == "https://b.example/" for target, _ in at.targets.told))
        await at.settled()
        assert sorted(target for target, _ in at.targets.told) == ["https://a.example/", "https://b.example/"]

    told(tmp_path, story)


def test_it_is_given_up_after_so_many_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And then the next one has its turn."""
    monkeypatch.setattr(module, "TRIES_MAX", 2)

    async def story(at: Stage) -> None:
        at.targets.failing["https://a.example/"] = "no"
        await order(at, "https://a.example/")
        await at.settled()
        at.clock.advance(5.0)
        await at.until(lambda: at.deliveries.all()[Scope(ACCOUNT, ""), "https://a.example"][Delivery.GIVEN_UP] == 1)
        await at.settled()
        assert await tries(at) == []

    told(tmp_path, story)


def test_what_is_ours_to_mend_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(at: Stage) -> None:
        real = at.targets.deliver

        async def broken(target: str, body: bytes, notice_id: str) -> None:
            if "bad" in target:
                raise KeyError(target)
            await real(target, body, notice_id)

        monkeypatch.setattr(at.targets, "deliver", broken)
        await order(at, "https://bad.example/", "https://up.example/")
        await at.until(lambda: at.targets.percents() == [50])
        monkeypatch.setattr(at.targets, "deliver", real)
        at.clock.advance(5.0)
        await at.until(lambda: at.targets.percents() == [50, 50])

    told(tmp_path, story)


def test_the_body_says_what_was_reached(tmp_path: Path) -> None:
    async def story(at: Stage) -> None:
        await at.put(budget(targets=("https://a.example/", "arn:aws:sqs:eu-west-1:111122223333:q")))
        await at.run_times(6)
        await at.settled()
        assert sorted(target for target, _ in at.targets.told) == [
            "arn:aws:sqs:eu-west-1:111122223333:q", "https://a.example/",
        ]  # fmt: skip
        (_, one), (_, other) = at.targets.told
        assert (
            one
            == other
            == {
                "type": "BudgetReached",
                "id": f"{ACCOUNT}/b/2026-11-17/0/50",
                "account": ACCOUNT,
                "budget": "b",
                "watches": {"function": "f", "region": "eu-west-1"},
                "measure": "requests",
                "currency": None,
                "period": {"kind": "day", "from": "2026-11-17T00:00:00Z", "to": "2026-11-18T00:00:00Z"},
                "percent": 50,
                "used": "6",
                "amount": "10",
                "is_throttled": False,
                "at": "2026-11-17T12:00:00Z",
            }
        )

    told(tmp_path, story)
