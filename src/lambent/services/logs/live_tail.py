"""
StartLiveTail: events of up to ten groups, told of each second as they are stored.

A session holds what came since its last update, within bounds; a client that takes updates slowly loses the oldest.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from lambent.clock import Clock
from lambent.domain.caller import Caller, Scope
from lambent.errors.api.logs import InvalidParameterException, LimitExceededException
from lambent.protocol.shapes.logs import StartLiveTailRequest
from lambent.services.logs.naming import group_missing, parse_identifier
from lambent.services.operation import operation
from lambent.store.contract import LogStore, NewLogEvent

# Imported with the first pattern: a server at rest does without.
if TYPE_CHECKING:
    from lambent.domain.filter_pattern import FilterPattern

UPDATE_EVERY_S: Final = 1.0
RESULTS_MAX: Final = 500
"""Of one update; of more, a sample is told. Documented: StartLiveTail, both."""

SESSION_S: Final = 3 * 3_600.0
"""Documented: StartLiveTail."""

_GRACE_S: Final = 60.0

SESSIONS_MAX: Final = 15
"""Of one account. Documented: CloudWatch Logs quotas."""

SESSIONS_EVERYWHERE_MAX: Final = 30

HELD_EVENTS_MAX: Final = 50_000
HELD_BYTES_MAX: Final = 8 << 20
"""Of a session, before its pattern is looked at: more than two seconds of a busy server."""

REGEXES_MAX: Final = 2
"""Documented: CloudWatch Logs user guide, filter patterns: of one pattern."""

Follow = Callable[[Callable[[Sequence[NewLogEvent]], None]], Callable[[], None]]
"""Has a function told of what is stored from now on, and returns what ends that."""


class LiveTails:
    """
    The sessions that are open.

    Args:
        fold: brings what functions have written so far into `store`; awaited before a session begins, which is about
            what comes later.
    """

    def __init__(self, store: LogStore, fold: Callable[[], Awaitable[None]], follow: Follow, clock: Clock) -> None:
        self._store = store
        self._fold = fold
        self._follow = follow
        self._clock = clock
        self._sessions: dict[int, tuple[str, _Session]] = {}

    @operation("StartLiveTail")
    async def start(self, caller: Caller, request: StartLiveTailRequest) -> Mapping[str, Any]:
        groups = _requested_groups(caller, request["logGroupIdentifiers"])
        names, prefixes = request.get("logStreamNames", []), request.get("logStreamNamePrefixes", [])
        if names and prefixes:
            # Documented: StartLiveTail: not both, and of one group only. Assumed: the texts (test_live_tail).
            raise InvalidParameterException("logStreamNames and logStreamNamePrefixes are mutually exclusive.")
        if (names or prefixes) and len(groups) > 1:
            raise InvalidParameterException("Log streams can be specified for a single log group only.")
        pattern = _requested_pattern(request.get("logEventFilterPattern", ""))
        await self._fold()
        for group in groups:
            if await self._store.group(caller.scope, group) is None:
                raise group_missing()
        self._check_room(caller.scope)
        start = {
            "requestId": caller.request_id,
            "sessionId": self._clock.new_id(),
            "logGroupIdentifiers": list(request["logGroupIdentifiers"]),
            "logStreamNames": list(names),
            "logStreamNamePrefixes": list(prefixes),
            "logEventFilterPattern": request.get("logEventFilterPattern", ""),
        }
        session = _Session(
            start, _Chosen(caller.scope, frozenset(groups), frozenset(names), tuple(prefixes)), pattern, self._clock
        )
        end = self._follow(session.hear)
        key = id(session)
        self._sessions[key] = (caller.scope.account, session)

        def forget() -> None:
            if self._sessions.pop(key, None) is not None:
                end()

        session.on_close = forget
        return {"responseStream": session}

    def close(self) -> None:
        """End all sessions: the server stops, and nobody is to wait for them."""
        for _, session in list(self._sessions.values()):
            session.close()

    def _check_room(self, scope: Scope) -> None:
        of_account = sum(account == scope.account for account, _ in self._sessions.values())
        if of_account >= SESSIONS_MAX or len(self._sessions) >= SESSIONS_EVERYWHERE_MAX:
            # Assumed: the text; the code is documented (test_live_tail).
            raise LimitExceededException(f"There are {len(self._sessions)} Live Tail sessions already: end one first.")


class _Chosen:
    """Which streams a session is about."""

    def __init__(
        self, scope: Scope, groups: Collection[str], streams: Collection[str], prefixes: tuple[str, ...]
    ) -> None:
        self._scope = scope
        self._groups = groups
        self._streams = streams
        self._prefixes = prefixes

    def has(self, event: NewLogEvent) -> bool:
        """Say whether an event is of one of them."""
        if event.group not in self._groups or event.scope != self._scope:
            return False
        if self._streams:
            return event.stream in self._streams
        return not self._prefixes or event.stream.startswith(self._prefixes)


class _Session:
    """One session, as the events of its answer."""

    def __init__(
        self, start: Mapping[str, Any], chosen: _Chosen, pattern: "FilterPattern | None", clock: Clock
    ) -> None:
        self._start: Mapping[str, Any] | None = start
        self._chosen = chosen
        self._pattern = pattern
        self._clock = clock
        self._held: deque[NewLogEvent] = deque()
        self._held_bytes = 0
        self._has_dropped = False
        self._woken = asyncio.Event()
        self._is_over = False
        now = clock.monotonic()
        self._ends_at = now + SESSION_S
        # A client that takes nothing more is not told, and does not keep its place.
        self._abandoned = clock.call_later(SESSION_S + _GRACE_S, self.close)
        self._next_at = now + UPDATE_EVERY_S
        self.on_close: Callable[[], None] = lambda: None

    def hear(self, events: Sequence[NewLogEvent]) -> None:
        """Take in events that are stored now; the oldest go where they would be too many."""
        has = self._chosen.has
        for event in events:
            if has(event):
                self._held.append(event)
                self._held_bytes += len(event.message)
        while len(self._held) > HELD_EVENTS_MAX or self._held_bytes > HELD_BYTES_MAX:
            self._held_bytes -= len(self._held.popleft().message)
            self._has_dropped = True

    def __aiter__(self) -> AsyncIterator[Mapping[str, Any]]:
        return self

    async def __anext__(self) -> Mapping[str, Any]:
        if self._start is not None:
            start, self._start = self._start, None
            return {"sessionStart": start}
        if not self._is_over:
            await self._wait()
        if self._is_over:
            raise StopAsyncIteration
        now = self._clock.monotonic()
        if now >= self._ends_at:
            self.close()
            # Documented: StartLiveTail: after three hours. Assumed: the text (test_live_tail).
            return {"SessionTimeoutException": {"message": "The Live Tail session has reached its maximum duration."}}
        # One that was late, since its client was, does not make up for it.
        self._next_at = max(self._next_at + UPDATE_EVERY_S, now)
        return {"sessionUpdate": await self._update()}

    async def _wait(self) -> None:
        timer = self._clock.call_later(max(0.0, self._next_at - self._clock.monotonic()), self._woken.set)
        try:
            await self._woken.wait()
        finally:
            timer.cancel()
        self._woken.clear()

    async def _update(self) -> Mapping[str, Any]:
        events, is_sampled = list(self._held), self._has_dropped
        self._held.clear()
        self._held_bytes, self._has_dropped = 0, False
        if self._pattern is not None and events:
            events = await asyncio.to_thread(_matching, self._pattern, events)
        if len(events) > RESULTS_MAX:
            # Spread evenly over what there was.
            events = [events[number * len(events) // RESULTS_MAX] for number in range(RESULTS_MAX)]
            is_sampled = True
        return {"sessionMetadata": {"sampled": is_sampled}, "sessionResults": [_shown(event) for event in events]}

    def close(self) -> None:
        """Give no more, and hold nothing. Idempotent."""
        self._is_over = True
        self._abandoned.cancel()
        self._held.clear()
        self._woken.set()
        self.on_close()

    async def aclose(self) -> None:
        """Do as `close` does: nobody takes more."""
        self.close()


def _matching(pattern: "FilterPattern", events: Sequence[NewLogEvent]) -> list[NewLogEvent]:
    return [event for event in events if pattern.matches(event.message)]


def _shown(event: NewLogEvent) -> dict[str, Any]:
    return {
        "logStreamName": event.stream,
        # Observed: samples of the API reference.
        "logGroupIdentifier": f"{event.scope.account}:{event.group}",
        "message": event.message,
        "timestamp": event.timestamp_ms,
        "ingestionTime": event.ingestion_ms,
    }


def _requested_groups(caller: Caller, identifiers: Sequence[str]) -> list[str]:
    """
    Return the names of the groups that a request asks for.

    Raises:
        InvalidParameterException: one is no ARN, or one that ends with `:*`.
        ResourceNotFoundException: one is of another account or region.
    """
    groups = []
    for identifier in identifiers:
        # Documented: StartLiveTail: ARNs, without the asterisk. Assumed: the text (test_live_tail).
        if not identifier.startswith("arn:") or identifier.endswith(":*"):
            raise InvalidParameterException(
                "Each of logGroupIdentifiers must be the ARN of a log group, without an asterisk at its end."
            )
        scope, group = parse_identifier(caller.scope, identifier)
        if scope != caller.scope:
            raise group_missing()
        groups.append(group)
    return groups


def _requested_pattern(text: str) -> "FilterPattern | None":
    """Return the pattern that is asked for; None: everything matches. Raises InvalidParameterException."""
    if not text.strip():
        return None
    from lambent.domain.filter_pattern import InvalidPattern, parse

    try:
        pattern = parse(text)
    except InvalidPattern as error:
        raise InvalidParameterException(str(error) or "Invalid filter pattern") from None
    if pattern.regexes > REGEXES_MAX:
        raise InvalidParameterException("Invalid filter pattern")
    return pattern
