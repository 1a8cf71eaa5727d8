"""What people do with budgets, and what is refused by the member's name."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from unit.services.billing.budget_stage import ACCOUNT, SCOPE, Stage, opened, record

from lambent.domain.budget import BUDGETS_MAX
from lambent.domain.caller import Scope
from lambent.errors.families import ApiError
from lambent.services.billing.budget_access import (
    BudgetAccess,
    InvalidBudget,
    ListAsk,
    NameAsk,
    NoSuchBudget,
    PutAsk,
    RaiseAsk,
    TooManyBudgets,
)
from lambent.services.billing.budget_targets import InvalidTarget

CALLER: Any = SimpleNamespace(principal=SimpleNamespace(account=ACCOUNT), scope=SCOPE)


class Desk:
    """Budgets as people meet them."""

    def __init__(self, at: Stage) -> None:
        self.at = at
        self.access = BudgetAccess(
            at.budgets, at.store, at.notices, self, at.functions, at.prices, at.clock  # type: ignore[arg-type]
        )  # fmt: skip

    async def check(self, caller: Any, account: str, target: str) -> None:
        if "bad" in target:
            raise InvalidTarget(f"{target} is bad")

    async def put(self, **members: Any) -> Any:
        wanted = {"name": "b", "measure": "requests", "amount": "10", "period": "day", "warn": [50, 100]} | members
        return await self.access.put(CALLER, ACCOUNT, msgspec.convert(wanted, PutAsk, str_keys=True))

    async def more(self, **members: Any) -> Any:
        return await self.access.raise_(ACCOUNT, msgspec.convert({"name": "b"} | members, RaiseAsk))

    async def reset(self, name: str = "b") -> Any:
        return await self.access.reset(ACCOUNT, NameAsk(name=name))

    async def shown(self, **members: Any) -> Any:
        return await self.access.shown(ListAsk(account=ACCOUNT, **members))

    async def run_times(self, count: int) -> None:
        await self.at.run_times(count)
        await self.at.settled()


def told(folder: Path, story: Callable[[Desk], Awaitable[None]]) -> None:
    async def run() -> None:
        async with opened(folder) as at:
            await at.tag("f", {})
            await story(Desk(at))

    asyncio.run(run())


def test_putting_it_again_changes_nothing(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        first = await desk.put(function="f", throttle=True, targets=["https://a.example/"])
        await desk.run_times(6)
        again = await desk.put(function="f", throttle=True, targets=["https://a.example/"])
        assert again["created_at"] == first["created_at"]
        assert (again["now"]["used"], again["now"]["warned"]) == ("6", (50,))
        revision = desk.at.view().budget.revision
        await desk.put(function="f", throttle=True, targets=["https://a.example/"])
        assert desk.at.view().budget.revision == revision
        await desk.at.settled()
        assert desk.at.targets.percents() == [50]

    told(tmp_path, story)


def test_what_counts_otherwise_begins_anew(tmp_path: Path) -> None:
    """A higher amount makes due again what is not reached any more; another measure all."""

    async def story(desk: Desk) -> None:
        await desk.put(function="f", throttle=True, targets=["https://a.example/"])
        await desk.run_times(10)
        assert await desk.at.is_refused()
        changed = await desk.put(function="f", throttle=True, amount="15", targets=["https://a.example/"])
        assert changed["now"]["warned"] == (50,) and not await desk.at.is_refused()
        await desk.run_times(5)
        assert desk.at.targets.percents() == [50, 100, 100]
        lower = await desk.put(function="f", throttle=False, amount="1")
        assert lower["now"]["warned"] == (50, 100) and not await desk.at.is_refused()
        other = await desk.put(measure="gb_seconds", amount="1000")
        assert (other["now"]["used"], other["now"]["warned"], other["watches"]) == ("15", (), {})

    told(tmp_path, story)


def test_a_raise_is_for_this_period_or_for_good(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.put(function="f", throttle=True, targets=["https://a.example/"])
        await desk.run_times(10)
        assert await desk.at.is_refused()
        for _ in range(2):
            raised = await desk.more(to="12")
            assert (raised["amount"], raised["now"]["amount"], raised["now"]["is_raised"]) == ("10", "12", True)
        assert not await desk.at.is_refused()
        assert (await desk.more(by="3"))["now"]["amount"] == "15"
        await desk.run_times(5)
        assert await desk.at.is_refused() and desk.at.targets.percents() == [50, 100, 100]
        await desk.at.pass_time(86_400)
        assert desk.at.view().limit == 10
        assert (await desk.more(by="1", is_for_good=True))["amount"] == "11"
        await desk.at.pass_time(86_400)
        assert desk.at.view().limit == 11
        with pytest.raises(InvalidBudget, match="less than the 11"):
            await desk.more(to="5")

    told(tmp_path, story)


def test_a_raise_for_good_makes_none_for_good_that_was_for_a_period(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.put(function="f", throttle=True)
        assert (await desk.more(to="1000"))["now"]["amount"] == "1000"
        raised = await desk.more(by="3", is_for_good=True)
        assert (raised["amount"], raised["now"]["amount"], raised["now"]["is_raised"]) == ("13", "1003", True)
        for _ in range(2):
            raised = await desk.more(to="20", is_for_good=True)
            assert (raised["amount"], raised["now"]["amount"]) == ("20", "1003")
        with pytest.raises(InvalidBudget, match="less than the 20"):
            await desk.more(to="19", is_for_good=True)
        raised = await desk.more(to="2000", is_for_good=True)
        assert (raised["amount"], raised["now"]["amount"], raised["now"]["is_raised"]) == ("2000", "2000", False)

    told(tmp_path, story)


def test_a_reset_counts_from_now_on_and_until_the_period_ends(tmp_path: Path) -> None:
    """What ran and was not folded yet counts before it; a crash keeps it."""

    async def story(desk: Desk) -> None:
        await desk.put(function="f", throttle=True, targets=["https://a.example/"])
        await desk.run_times(9)
        desk.at.unfolded = [record(desk.at.clock.now())]
        reset = await desk.reset()
        assert (reset["now"]["used"], reset["now"]["not_counted"]) == ("0", "10")
        assert await desk.reset() == reset and not await desk.at.is_refused()
        await desk.run_times(4)
        after = await desk.at.crashed()
        assert after.view().used == 4
        await after.run_times(6)
        await after.settled()
        assert await after.is_refused() and after.targets.percents() == [50, 50, 100]
        await after.pass_time(86_400)
        assert after.view().used == 0
        await after.run_times(1)
        assert after.view().used == 1
        await after.end()

    told(tmp_path, story)


def test_what_waits_to_be_told_is_shown(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.put(function="f", targets=["https://a.example/s"])
        await desk.put(name="c")
        desk.at.targets.failing["https://a.example/s"] = "status 503"
        await desk.run_times(5)
        shown = await desk.shown()
        assert [one["name"] for one in shown] == ["b", "c"] and shown[1]["notices"] == []
        (notice,) = shown[0]["notices"]
        assert (notice["percent"], notice["tries"], notice["failure"]) == (50, 1, "status 503")
        assert 0 < notice["next_try_s"] <= 5
        assert [one["name"] for one in await desk.shown(name="c")] == ["c"]
        assert await desk.access.shown(ListAsk(account="999999999999")) == []
        assert len(await desk.access.shown(ListAsk(account="all"))) == 2

    told(tmp_path, story)


def test_deleting_twice_is_fine(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.put(throttle=True)
        await desk.run_times(10)
        assert await desk.at.is_refused("any")
        assert await desk.access.delete(ACCOUNT, NameAsk(name="b"))
        assert not await desk.access.delete(ACCOUNT, NameAsk(name="b"))
        assert not await desk.at.is_refused("any") and await desk.shown() == []
        for again in (desk.reset(), desk.more(to="5")):
            with pytest.raises(NoSuchBudget):
                await again

    told(tmp_path, story)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"amount": "0"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "Infinity"}, "amount"),
        ({"amount": "1e16"}, "amount"),
        ({"amount": "0.5"}, "amount"),
        ({"amount": "0.0000000001", "measure": "money"}, "amount"),
        # Arithmetic would make 0 of the one, and 1 of the other.
        ({"amount": "1e-999999999999999999"}, "amount"),
        ({"amount": "1e-999999999999999999", "measure": "money"}, "amount"),
        ({"amount": f"1.{'0' * 40}1"}, "amount"),
        ({"amount": f"1.{'0' * 40}1", "measure": "money"}, "amount"),
        ({"warn": [0]}, "warn"),
        ({"warn": [1_001]}, "warn"),
        ({"warn": list(range(1, 12))}, "warn"),
        ({"targets": ["https://a.example/"] * 6}, "targets"),
        ({"targets": ["bad"]}, "targets: bad is bad"),
        ({"function": "f", "tag": "a=b"}, "function, tag"),
        ({"function": "g"}, "function: account 111122223333 has no function g"),
        ({"function": "f", "region": "us-east-1"}, "function: account 111122223333 has no function f in us-east-1"),
        ({"function": "f", "region": "x" * 99}, "region"),
        ({"function": "f:1"}, "function"),
        ({"function": "a b"}, "function"),
        ({"function": "arn:aws:lambda:eu-west-1:999999999999:function:f"}, "function"),
        ({"function": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f", "region": "us-east-1"}, "region"),
        ({"region": "eu-west-1"}, "region"),
        ({"tag": "a"}, "tag"),
        ({"tag": "=b"}, "tag"),
        ({"tag": "k" * 129 + "="}, "tag"),
        ({"tag": "k=" + "v" * 257}, "tag"),
    ],
)
def test_what_cannot_be_is_refused_by_its_member(tmp_path: Path, members: dict[str, Any], said: str) -> None:
    async def story(desk: Desk) -> None:
        with pytest.raises(ApiError) as refused:
            await desk.put(**members)
        assert refused.value.status == 400 and refused.value.message.startswith(said)
        assert await desk.at.store.every() == []

    told(tmp_path, story)


@pytest.mark.parametrize("members", [{}, {"to": "5", "by": "5"}, {"by": "-1"}, {"to": "NaN"}, {"by": "1e15"}])
def test_a_raise_that_cannot_be(tmp_path: Path, members: dict[str, str]) -> None:
    async def story(desk: Desk) -> None:
        await desk.put()
        with pytest.raises(InvalidBudget):
            await desk.more(**members)
        assert desk.at.view().limit == 10

    told(tmp_path, story)


def test_an_account_has_so_many(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        for number in range(BUDGETS_MAX):
            await desk.put(name=f"b{number}")
        with pytest.raises(TooManyBudgets):
            await desk.put(name="more")
        await desk.put(name="b0", amount="20")
        assert len(desk.at.budgets.standing()) == BUDGETS_MAX

    told(tmp_path, story)


def test_a_function_that_has_gone_keeps_its_budget(tmp_path: Path) -> None:
    """It can be changed all the same."""

    async def story(desk: Desk) -> None:
        await desk.put(function="f")
        async with desk.at.functions.transaction(Scope(ACCOUNT, SCOPE.region)) as tx:
            (version,) = await desk.at.functions.some(9)
            await tx.delete_function(version.name)
        assert (await desk.put(function="f", amount="11"))["amount"] == "11"

    told(tmp_path, story)
