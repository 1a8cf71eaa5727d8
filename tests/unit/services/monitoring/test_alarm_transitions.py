"""Composite alarms follow those that they go by."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from unit.services.monitoring.alarm_bench import FUNCTION, SCOPE, Bench, opened, story

from lambent.services.monitoring import alarm_transitions as module


async def combine(bench: Bench, name: str, rule: str, **more: Any) -> None:
    await bench.call("PutCompositeAlarm", AlarmName=name, AlarmRule=rule, **more)


async def turn(bench: Bench, name: str, state: str) -> None:
    bench.clock.advance(1)
    await bench.call("SetAlarmState", AlarmName=name, StateValue=state, StateReason="to see")


@story
async def test_a_composite_alarm_has_the_state_of_its_rule(tmp_path: Path) -> None:
    """From when it is put; the reason names what has changed, and does not change with what does not matter."""
    async with opened(tmp_path) as bench:
        await bench.let_in()
        for name in ("a", "b"):
            await bench.put(name)
        await combine(bench, "both", "ALARM(a) OR ALARM(b)", AlarmActions=[FUNCTION], OKActions=[FUNCTION])
        assert await bench.state("both") == "OK"

        await turn(bench, "a", "ALARM")
        alarmed = await bench.shown("both")
        assert alarmed["StateValue"] == "ALARM"
        assert alarmed["StateReason"] == (
            "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:a transitioned to ALARM at Tuesday 25 November, 2025 "
            "02:11:01 UTC"
        )
        await turn(bench, "b", "ALARM")
        await turn(bench, "a", "OK")
        assert await bench.shown("both") == alarmed
        await turn(bench, "b", "OK")
        fine = await bench.shown("both")
        assert fine["StateValue"] == "OK"
        assert json.loads(fine["StateReasonData"]) == {
            "triggeringAlarms": [
                {
                    "arn": "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:b",
                    "state": {"value": "OK", "timestamp": "2025-11-25T02:11:04.000+0000"},
                }
            ]
        }
        await bench.act()
        assert [payload["alarmData"]["state"]["value"] for _, payload in bench.target.got] == ["OK", "ALARM", "OK"]
        assert bench.target.got[0][1]["alarmData"]["configuration"] == {"alarmRule": "ALARM(a) OR ALARM(b)"}


@story
async def test_a_metric_takes_composite_alarms_along(tmp_path: Path) -> None:
    """Over several steps, in the commit of the metric alarm."""
    async with opened(tmp_path) as bench:
        await bench.put()
        await combine(bench, "above", "ALARM(slow)")
        await combine(bench, "top", "NOT ALARM(above)")
        assert await bench.state("top") == "ALARM"
        await bench.measure(30.0)
        await bench.look()
        assert [await bench.state(name) for name in ("slow", "above", "top")] == ["ALARM", "ALARM", "OK"]


@story
async def test_each_alarm_changes_once(tmp_path: Path) -> None:
    """What goes by two that change with one is looked at when both have: no action tells of what never was."""
    async with opened(tmp_path) as bench:
        await bench.put()
        for name in ("left", "right"):
            await combine(bench, name, "ALARM(slow)")
        await combine(bench, "one", "ALARM(left) AND NOT ALARM(right)")
        await turn(bench, "slow", "ALARM")
        assert await bench.state("one") == "OK"
        assert len(await bench.history("one", HistoryItemType="StateUpdate")) == 1


@story
async def test_a_rule_that_is_put_anew_acts_at_once(tmp_path: Path) -> None:
    """And those above follow."""
    async with opened(tmp_path) as bench:
        await bench.put()
        await combine(bench, "rule", "ALARM(slow)")
        await combine(bench, "top", "ALARM(rule)")
        await combine(bench, "rule", "NOT ALARM(slow)")
        assert [await bench.state(name) for name in ("rule", "top")] == ["ALARM", "ALARM"]
        await combine(bench, "rule", "FALSE")
        assert [await bench.state(name) for name in ("rule", "top")] == ["OK", "OK"]
        # Nothing is followed any more that the rule does not name.
        await turn(bench, "rule", "ALARM")
        await turn(bench, "slow", "ALARM")
        assert await bench.state("rule") == "ALARM"


@story
async def test_circles_stand_still(tmp_path: Path) -> None:
    """Nothing in one is evaluated, and nothing above one; breaking it lets them go on."""
    async with opened(tmp_path) as bench:
        await bench.put()
        await combine(bench, "a", "ALARM(slow)")
        await combine(bench, "b", "ALARM(a)")
        await combine(bench, "top", "ALARM(b)")
        await combine(bench, "a", "ALARM(slow) OR ALARM(b)")
        await turn(bench, "slow", "ALARM")
        assert [await bench.state(name) for name in ("a", "b", "top")] == ["OK", "OK", "OK"]
        await turn(bench, "a", "ALARM")
        assert [await bench.state(name) for name in ("a", "b", "top")] == ["ALARM", "OK", "OK"]
        await combine(bench, "b", "TRUE")
        assert [await bench.state(name) for name in ("a", "b", "top")] == ["ALARM", "ALARM", "ALARM"]


@story
async def test_actions_that_are_off_do_nothing(tmp_path: Path) -> None:
    """The state changes all the same."""
    async with opened(tmp_path) as bench:
        await bench.let_in()
        await bench.put(AlarmActions=[FUNCTION], ActionsEnabled=False)
        await turn(bench, "slow", "ALARM")
        await turn(bench, "slow", "OK")
        await bench.call("EnableAlarmActions", AlarmNames=["slow", "nobody"])
        await turn(bench, "slow", "ALARM")
        await bench.call("DisableAlarmActions", AlarmNames=["slow"])
        await turn(bench, "slow", "OK")
        await turn(bench, "slow", "ALARM")
        await bench.act()
        assert len(bench.target.got) == 1
        assert len(await bench.history(HistoryItemType="StateUpdate")) == 5


@story
async def test_actions_beyond_those_that_may_wait_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, which is told."""
    monkeypatch.setattr(module, "PENDING_MAX", 1)
    async with opened(tmp_path) as bench:
        await bench.let_in()
        await bench.put(AlarmActions=[FUNCTION, f"{FUNCTION}:1", f"{FUNCTION}:2"])
        await turn(bench, "slow", "ALARM")
        assert await bench.store.pending_count() == 1
        given_up = await bench.history(HistoryItemType="Action")
        assert [text.split(" Received")[0][-3:] for text in given_up] == [":1.", ":2."]
        bench.transitions.pending = 1
        await turn(bench, "slow", "OK")
        await turn(bench, "slow", "ALARM")
        assert await bench.store.pending_count() == 1


@pytest.mark.parametrize("limit", ["_ABOVE_MAX", "_STEPS_MAX"])
@story
async def test_what_is_above_an_alarm_is_followed_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, limit: str
) -> None:
    """Of alarms, and of ways between them. Beyond it nothing is, rather than a part."""
    monkeypatch.setattr(module, limit, 1)
    async with opened(tmp_path) as bench:
        await bench.put()
        await combine(bench, "a", "ALARM(slow)")
        await turn(bench, "slow", "ALARM")
        assert await bench.state("a") == "ALARM"
        await combine(bench, "b", "ALARM(slow)")
        await turn(bench, "slow", "OK")
        assert await bench.state("a") == "ALARM"
        assert "reason=too many alarms go by it" in caplog.text
        async with bench.store.snapshot(SCOPE) as rows:
            found = await rows.get("slow")
        assert found is not None
        assert msgspec.json.encode(found.status.value) == b'"OK"'
