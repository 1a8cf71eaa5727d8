"""A Logs service over a real store, and events for it to find."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import root_of
from lambent.services.logs import service
from lambent.services.logs.filters import FilterAccess
from lambent.store.contract import LogPosition, NewLogEvent
from lambent.testing.stores import make_sqlite, open_sqlite

SCOPE = Scope(account="111122223333", region="eu-west-1")


@dataclass
class LogsBench:
    """Calls operations as the gateway does. What `write` was given is in the segment files until a handler folds."""

    path: Path
    now: float = 1_700_000_000.0
    unfolded: list[NewLogEvent] = field(default_factory=list)
    folds: int = 0
    retention_days: int | None = None
    """Of new groups."""
    created_ms: int = 1_795_000_000_000
    """When filters are made."""
    functions: set[str] = field(default_factory=set)
    """ARNs of functions that are there."""
    open_functions: set[str] = field(default_factory=set)
    """Of those that let CloudWatch Logs in."""

    async def exists(self, scope: Scope, arn: str) -> bool:
        return scope == SCOPE and arn in self.functions

    async def writes_to(self, scope: Scope, arn: str, group: str) -> bool:
        return group == f"/aws/lambda/{arn.rpartition(':')[2]}"

    async def is_let_in(self, scope: Scope, arn: str, group: str) -> bool:
        return arn in self.open_functions

    def write(self, message: str, at_ms: int = 1, *, stream: str = "s", group: str = "g") -> None:
        self.unfolded.append(
            NewLogEvent(
                scope=SCOPE, group=group, stream=stream, timestamp_ms=at_ms, ingestion_ms=at_ms + 5, message=message
            )
        )

    def call(self, operation: str, **request: Any) -> Mapping[str, Any]:
        """Call one operation; raises what it raises."""
        return self.calls((operation, request))[0]

    def calls(self, *requests: tuple[str, Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        async def run() -> list[Mapping[str, Any]]:
            async with open_sqlite(str(self.path)) as stores:
                stores.clock.set_wall(self.now - stores.clock.now())

                async def fold() -> None:
                    events, self.unfolded = self.unfolded, []
                    if events:
                        self.folds += 1
                        await stores.logs.fold(events, [], [], LogPosition(segment=1, offset=self.folds))

                async def put(scope: Scope, group: str, stream: str, events: Sequence[tuple[int, str]]) -> int:
                    now_ms = int(stores.clock.now() * 1000)
                    self.unfolded += [NewLogEvent(scope, group, stream, at_ms, now_ms, text) for at_ms, text in events]
                    await fold()
                    return now_ms

                access = FilterAccess(
                    stores.log_filters, stores.logs, lambda: None, fold, lambda: self.created_ms / 1000
                )
                handlers = service(
                    stores.logs,
                    fold,
                    put,
                    stores.clock,
                    filters=access,
                    destinations=self,
                    retention_days=self.retention_days,
                ).handlers
                return [await handlers[operation](_caller(), request) for operation, request in requests]

        return asyncio.run(run())

    def messages(self, operation: str, **request: Any) -> list[str]:
        return [event["message"] for event in self.call(operation, **request)["events"]]


def _caller() -> Caller:
    return Caller(
        scope=SCOPE,
        principal=root_of("111122223333"),
        authenticated_by="none",
        request_id="00000000-0000-4000-8000-000000000000",
        endpoint="http://127.0.0.1:4566",
    )


@pytest.fixture
def logs(tmp_path: Path) -> LogsBench:
    path = tmp_path / "state.db"
    make_sqlite(path)
    return LogsBench(path)


@pytest.fixture
def refusal(logs: LogsBench) -> Callable[..., tuple[str, str]]:
    """Give a function that calls an operation and returns code and text of its refusal."""
    from lambent.errors.families import ApiError

    def call(operation: str, **request: Any) -> tuple[str, str]:
        with pytest.raises(ApiError) as caught:
            logs.call(operation, **request)
        return caught.value.code, caught.value.message

    return call
