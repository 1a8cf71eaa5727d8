"""StartLiveTail, on a clock that the test moves."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from unit.services.logs.reading import Reading

from lambent.errors.families import ApiError
from lambent.services.logs import live_tail as module
from lambent.services.logs.live_tail import LiveTails

ARN = "arn:aws:logs:eu-west-1:111122223333:log-group:"


def play(story: Callable[[Reading, LiveTails], Awaitable[None]]) -> None:
    async def run() -> None:
        reading = Reading()
        tails = LiveTails(reading.store, reading.fold, reading.follow, reading.clock)
        reading.has(tails)
        reading.write("before")
        reading.write("before", group="h")
        await story(reading, tails)

    asyncio.run(run())


async def start(reading: Reading, **request: Any) -> Any:
    answer = await reading.call("StartLiveTail", **{"logGroupIdentifiers": [f"{ARN}g"], **request})
    return answer["responseStream"]


async def update(reading: Reading, session: Any) -> Any:
    """Let a second pass; return what the session tells then."""
    told = asyncio.ensure_future(anext(session))
    await asyncio.sleep(0)
    reading.clock.advance(module.UPDATE_EVERY_S)
    return await told


def messages(told: Any) -> list[str]:
    return [result["message"] for result in told["sessionUpdate"]["sessionResults"]]


def test_a_session_tells_of_what_comes_each_second() -> None:
    """First of itself, then of what was stored since; of nothing as well, and of nothing that was there before."""

    async def story(reading: Reading, _: LiveTails) -> None:
        session = await start(reading, logEventFilterPattern="")
        first = (await anext(session))["sessionStart"]
        assert len(first.pop("sessionId")) == 36
        assert first == {
            "requestId": "00000000-0000-4000-8000-000000000000",
            "logGroupIdentifiers": [f"{ARN}g"],
            "logStreamNames": [],
            "logStreamNamePrefixes": [],
            "logEventFilterPattern": "",
        }
        assert await update(reading, session) == {
            "sessionUpdate": {"sessionMetadata": {"sampled": False}, "sessionResults": []}
        }
        reading.write("x\n", 5)
        reading.write("y", 6, group="h")
        await reading.fold()
        (result,) = (await update(reading, session))["sessionUpdate"]["sessionResults"]
        assert result.pop("ingestionTime") == result["timestamp"] + 5
        assert result.pop("timestamp") > 0
        assert result == {"logStreamName": "s", "logGroupIdentifier": "111122223333:g", "message": "x\n"}
        assert messages(await update(reading, session)) == []

    play(story)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({}, ["ERROR a", "INFO b", "ERROR c"]),
        ({"logEventFilterPattern": "ERROR"}, ["ERROR a", "ERROR c"]),
        ({"logEventFilterPattern": "%^E.*c%"}, ["ERROR c"]),
        ({"logStreamNames": ["s2"]}, ["ERROR c"]),
        ({"logStreamNamePrefixes": ["x", "s"], "logEventFilterPattern": "?INFO ?c"}, ["INFO b", "ERROR c"]),
        ({"logGroupIdentifiers": [f"{ARN}g", f"{ARN}h"]}, ["ERROR a", "INFO b", "ERROR c", "h"]),
    ],
)
def test_which_events_it_is_about(request_: dict[str, Any], expected: list[str]) -> None:
    async def story(reading: Reading, _: LiveTails) -> None:
        session = await start(reading, **request_)
        await anext(session)
        reading.write("ERROR a")
        reading.write("INFO b")
        reading.write("ERROR c", stream="s2")
        reading.write("h", group="h", stream="s2")
        await reading.fold()
        assert messages(await update(reading, session)) == expected

    play(story)


def test_of_many_events_a_sample_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spread over all of them, and said so; of what cannot be held, the oldest go."""
    monkeypatch.setattr(module, "RESULTS_MAX", 5)
    monkeypatch.setattr(module, "HELD_EVENTS_MAX", 20)

    async def story(reading: Reading, _: LiveTails) -> None:
        session = await start(reading)
        await anext(session)
        for number in range(10):
            reading.write(str(number))
        await reading.fold()
        told = await update(reading, session)
        assert told["sessionUpdate"]["sessionMetadata"] == {"sampled": True}
        assert messages(told) == ["0", "2", "4", "6", "8"]
        for number in range(24):
            reading.write(f"x{number}" if number < 22 else f"y{number}")
        await reading.fold()
        assert messages(await update(reading, session)) == ["x4", "x8", "x12", "x16", "x20"]
        told = await update(reading, session)
        assert told["sessionUpdate"]["sessionMetadata"] == {"sampled": False}
        monkeypatch.setattr(module, "HELD_BYTES_MAX", 1_000)
        for _number in range(4):
            reading.write("z" * 400)
        await reading.fold()
        told = await update(reading, session)
        assert (len(messages(told)), told["sessionUpdate"]["sessionMetadata"]["sampled"]) == (2, True)

    play(story)


def test_a_client_that_was_slow_is_told_at_once_and_then_each_second() -> None:
    async def story(reading: Reading, _: LiveTails) -> None:
        session = await start(reading)
        await anext(session)
        reading.clock.advance(30)
        reading.write("x")
        await reading.fold()
        late = asyncio.ensure_future(anext(session))
        await asyncio.sleep(0)
        reading.clock.advance(0)
        assert messages(await late) == ["x"]
        again = asyncio.ensure_future(anext(session))
        await asyncio.sleep(0)
        reading.clock.advance(0)
        assert messages(await again) == []
        third = asyncio.ensure_future(anext(session))
        await asyncio.sleep(0)
        reading.clock.advance(0.5)
        await asyncio.sleep(0)
        assert not third.done()
        reading.clock.advance(0.5)
        await third

    play(story)


def test_a_session_ends_after_three_hours() -> None:
    async def story(reading: Reading, _: LiveTails) -> None:
        session = await start(reading)
        await anext(session)
        reading.clock.advance(module.SESSION_S)
        told = await update(reading, session)
        assert set(told) == {"SessionTimeoutException"}
        assert [each async for each in session] == []
        assert reading.told == []

    play(story)


def test_a_client_that_takes_nothing_does_not_keep_its_place() -> None:
    async def story(reading: Reading, _: LiveTails) -> None:
        session = await start(reading)
        await anext(session)
        reading.clock.advance(module.SESSION_S)
        assert len(reading.told) == 1
        reading.clock.advance(60)
        assert reading.told == []
        assert [each async for each in session] == []

    play(story)


def test_sessions_end_with_their_clients_and_with_the_server() -> None:
    """Nobody is told of anything after that; a session that waits wakes up."""

    async def story(reading: Reading, tails: LiveTails) -> None:
        gone, waiting = await start(reading), await start(reading)
        assert len(reading.told) == 2
        await gone.aclose()
        await gone.aclose()
        assert len(reading.told) == 1
        await anext(waiting)
        told = asyncio.ensure_future(anext(waiting, None))
        await asyncio.sleep(0)
        tails.close()
        assert await told is None
        assert reading.told == []

    play(story)


def test_so_many_sessions_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SESSIONS_MAX", 2)

    async def story(reading: Reading, _: LiveTails) -> None:
        sessions = [await start(reading), await start(reading)]
        with pytest.raises(ApiError) as caught:
            await start(reading)
        assert caught.value.code == "LimitExceededException"
        await sessions[0].aclose()
        await start(reading)

    play(story)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"logGroupIdentifiers": ["g"]}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [f"{ARN}g:*"]}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [f"{ARN}none"]}, "ResourceNotFoundException"),
        ({"logGroupIdentifiers": [f"{ARN}g".replace("1111", "9999")]}, "ResourceNotFoundException"),
        ({"logStreamNames": ["a"], "logStreamNamePrefixes": ["b"]}, "InvalidParameterException"),
        ({"logStreamNames": ["a"], "logGroupIdentifiers": [f"{ARN}g", f"{ARN}h"]}, "InvalidParameterException"),
        ({"logEventFilterPattern": "{ $.a"}, "InvalidParameterException"),
        ({"logEventFilterPattern": "%a% %b% %c%"}, "InvalidParameterException"),
    ],
)
def test_what_is_refused(request_: dict[str, Any], code: str) -> None:
    async def story(reading: Reading, _: LiveTails) -> None:
        with pytest.raises(ApiError) as caught:
            await start(reading, **request_)
        assert caught.value.code == code
        assert reading.told == []

    play(story)
