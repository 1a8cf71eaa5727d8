"""What is to be done because of alarms is done once at least, or given up, and told in their history."""

import asyncio
from pathlib import Path

import pytest
from unit.services.monitoring.alarm_bench import FUNCTION, SCOPE, opened, story

from lambent.destinations.contract import Message
from lambent.domain.destination import Target
from lambent.errors.families import DependencyError
from lambent.store.alarms import StoredAlarms
from lambent.telemetry.deliveries import Delivery

GONE = f"{FUNCTION[:-4]}gone"
OTHERS = f"{FUNCTION[:-4]}others"


@story
async def test_a_function_gets_each_transition_once(tmp_path: Path) -> None:
    """Into states that have actions, and none while the state stays."""
    async with opened(tmp_path) as bench:
        await bench.let_in()
        await bench.put(AlarmActions=[f"{FUNCTION}"], OKActions=[FUNCTION], TreatMissingData="notBreaching")
        for values in (30.0, 30.0, 1.0, 1.0):
            await bench.measure(values)
            await bench.look()
            await bench.act()
            bench.clock.advance(60)
        states = [payload["alarmData"]["state"]["value"] for _, payload in bench.target.got]
        assert states == ["ALARM", "OK"]
        assert bench.target.got[1][1]["alarmData"]["previousState"]["value"] == "ALARM"
        assert await bench.history("slow", HistoryItemType="Action") == [f"Successfully executed action {FUNCTION}"] * 2
        assert bench.counts.all()[SCOPE, FUNCTION][Delivery.DELIVERED] == 2


@story
async def test_functions_that_do_not_let_alarms_in_get_nothing(tmp_path: Path) -> None:
    """Nor do those that are not there; the history says so."""
    async with opened(tmp_path) as bench:
        await bench.let_in("mend", alarm="another")
        await bench.let_in("others", service="s3.amazonaws.com")
        await bench.let_in("gone")
        await bench.put(AlarmActions=[FUNCTION, OTHERS, GONE])
        await bench.call("SetAlarmState", AlarmName="slow", StateValue="ALARM", StateReason="to see")
        await bench.act()
        assert bench.target.got == []
        refused = "CloudWatch Alarms is not authorized to perform: lambda:InvokeFunction on the resource"
        assert sorted(await bench.history(HistoryItemType="Action")) == sorted(
            [
                f'Failed to execute action {FUNCTION}. Received error: "{refused} {FUNCTION}"'[:255],
                f'Failed to execute action {OTHERS}. Received error: "{refused} {OTHERS}"'[:255],
                f'Failed to execute action {GONE}. Received error: "there is no such function"',
            ]
        )
        assert bench.counts.all()[SCOPE, GONE][Delivery.GIVEN_UP] == 1


@story
async def test_what_cannot_be_done_now_is_done_later(tmp_path: Path) -> None:
    """A queue that is full, or a defect, is tried again; what is of another alarm is done meanwhile."""
    async with opened(tmp_path) as bench:
        await bench.let_in()
        await bench.put(AlarmActions=[FUNCTION])
        bench.target.failure = DependencyError("too many events wait for the function", retryable=True)
        async with bench.acting():
            await bench.call("SetAlarmState", AlarmName="slow", StateValue="ALARM", StateReason="to see")
            await bench.until(lambda: bench.counts.all().get((SCOPE, FUNCTION), {}).get(Delivery.FAILED), step_s=1.0)
            bench.target.failure = ValueError("a defect")
            await bench.until(lambda: bench.counts.all()[SCOPE, FUNCTION][Delivery.FAILED] >= 3, step_s=1.0)
            bench.target.failure = None
            await bench.until(lambda: bench.target.got, step_s=1.0)
        assert await bench.store.pending_count() in (0, 1)
        await bench.act()
        assert len(await bench.history(HistoryItemType="Action")) == 1


@story
async def test_the_order_is_kept_where_something_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For one target of an alarm; what is for another one does not wait. Over more than is read at once."""
    monkeypatch.setattr("lambent.services.monitoring.alarm_actions._AT_ONCE", 2)
    async with opened(tmp_path) as bench:
        await bench.let_in()
        await bench.let_in("others")
        await bench.put(AlarmActions=[FUNCTION, OTHERS], OKActions=[FUNCTION, OTHERS])
        for number, state in enumerate(("ALARM", "OK", "ALARM")):
            await bench.call("SetAlarmState", AlarmName="slow", StateValue=state, StateReason=str(number))
        deliver, failures = bench.target.deliver, [1]

        async def failing(target: Target, message: Message) -> None:
            if failures and target.resource == "function:mend":
                failures.pop()
                raise DependencyError("too many events wait for the function", retryable=True)
            await deliver(target, message)

        bench.target.deliver = failing  # type: ignore[method-assign]
        async with bench.acting():
            await bench.until(lambda: len(bench.target.got) == 3)
            assert {resource for resource, _ in bench.target.got} == {"function:others"}
            await bench.until(lambda: len(bench.target.got) == 6, step_s=1.0)
        reasons = [payload["alarmData"]["state"]["reason"] for _, payload in bench.target.got]
        assert reasons == ["0", "1", "2", "0", "1", "2"]


@story
async def test_what_cannot_be_done_for_long_is_given_up(tmp_path: Path) -> None:
    """After an hour, which its alarm's history tells."""
    async with opened(tmp_path) as bench:
        await bench.let_in()
        await bench.put(AlarmActions=[FUNCTION])
        bench.target.failure = DependencyError("too many events wait for the function", retryable=True)
        await bench.call("SetAlarmState", AlarmName="slow", StateValue="ALARM", StateReason="to see")
        begin = bench.clock.now()
        async with bench.acting():
            await bench.until(lambda: bench.counts.all().get((SCOPE, FUNCTION), {}).get(Delivery.GIVEN_UP), step_s=60.0)
        assert bench.clock.now() - begin >= 3_600
        await bench.act()
        (told,) = await bench.history(HistoryItemType="Action")
        assert told.endswith('Received error: "too many events wait for the function"')
        assert bench.target.got == []


@story
async def test_what_was_done_and_not_written_down_is_done_again(tmp_path: Path) -> None:
    """A server that dies between the two: twice for the function, once for the history."""
    async with opened(tmp_path) as bench:
        await bench.let_in()
        await bench.put(AlarmActions=[FUNCTION])
        await bench.call("SetAlarmState", AlarmName="slow", StateValue="ALARM", StateReason="to see")
        finish = StoredAlarms.finish

        async def dying(rows: StoredAlarms, number: int) -> bool:
            raise DependencyError("the disk is gone", retryable=True)

        StoredAlarms.finish = dying  # type: ignore[method-assign]
        try:
            with pytest.raises(DependencyError):
                await bench.actions.run()
        finally:
            StoredAlarms.finish = finish  # type: ignore[method-assign]
        assert len(bench.target.got) == 1
        assert await bench.history(HistoryItemType="Action") == []
    async with opened(tmp_path) as bench:
        await bench.act()
        assert len(bench.target.got) == 1
        assert await bench.history(HistoryItemType="Action") == [f"Successfully executed action {FUNCTION}"]


@story
async def test_an_action_outlives_its_alarm(tmp_path: Path) -> None:
    """What was to be done when the alarm was deleted is done."""
    async with opened(tmp_path) as bench:
        await bench.let_in()
        await bench.put(AlarmActions=[FUNCTION])
        await bench.call("SetAlarmState", AlarmName="slow", StateValue="ALARM", StateReason="to see")
        await bench.call("DeleteAlarms", AlarmNames=["slow"])
        await bench.act()
        assert len(bench.target.got) == 1
        assert await bench.history("slow", HistoryItemType="Action") == [f"Successfully executed action {FUNCTION}"]


@story
async def test_nothing_to_do_takes_no_time(tmp_path: Path) -> None:
    """Without actions no timer is set."""
    async with opened(tmp_path) as bench, bench.acting():
        await asyncio.sleep(0.01)
        assert bench.clock.timer_count == 0
