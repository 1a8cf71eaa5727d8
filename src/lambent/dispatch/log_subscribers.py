"""Functions that subscribed to log groups: what is for them becomes asynchronous invocations."""

from collections.abc import Sequence

from lambent.clock import Clock
from lambent.dispatch.async_event import AsyncEvent, encode, queue_of
from lambent.dispatch.resolve import VersionResolver
from lambent.dispatch.resource_policies import is_let_in
from lambent.domain.arn import log_group_arn, parse_function_reference
from lambent.domain.caller import Scope
from lambent.domain.destination import parse_target
from lambent.domain.function import FunctionName, FunctionVersion
from lambent.domain.log_filter import SubscriptionFilter
from lambent.domain.resource_policy import service_for
from lambent.domain.trace import next_trace_header
from lambent.store.contract import EventQueue, FunctionStore, NewEvent, QueueFull
from lambent.telemetry.ingestion import TargetFull
from lambent.telemetry.lambda_metrics import LambdaMetrics


class LogSubscribers:
    """
    Implements `telemetry.ingestion.Subscribers`; and says beforehand whether a function could be one.

    Args:
        metrics: told of events that are accepted; None: nobody is.
    """

    def __init__(
        self, queue: EventQueue, store: FunctionStore, clock: Clock, *, metrics: LambdaMetrics | None = None
    ) -> None:
        self._queue = queue
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._resolver = VersionResolver(store, clock)

    async def deliver(self, subscription: SubscriptionFilter, payloads: Sequence[bytes]) -> str:
        """Put payloads into the function's queue; see the contract."""
        scope, arn = subscription.scope, subscription.destination_arn
        version = await self._function(scope, arn)
        if version is None:
            return "it is gone"
        if _writes_to(version, subscription.group):
            # Each payload would be answered by lines that are the next one, for ever.
            return "the function writes to this group itself"
        # Now, and not only when the filter was made.
        if not await self.is_let_in(scope, arn, subscription.group):
            return "its policy does not let CloudWatch Logs in for the group"
        queue = queue_of(version.scope, version.name, version.function_id)
        qualifier = _named(arn)[1]
        events = []
        for payload in payloads:
            digits = self._clock.token_hex(20)
            trace_header = next_trace_header(None, self._clock.now(), digits[:24], digits[24:])
            events.append(NewEvent(queue, self._clock.new_id(), payload, encode(AsyncEvent(trace_header, qualifier))))
        try:
            await self._queue.put(events)
        except QueueFull as error:
            raise TargetFull from error
        if self._metrics is not None:
            for _ in events:
                self._metrics.event_received(version.scope, version.name, qualifier)
        return ""

    async def exists(self, scope: Scope, arn: str) -> bool:
        """Say whether an ARN is that of a function of this scope."""
        return await self._function(scope, arn) is not None

    async def writes_to(self, scope: Scope, arn: str, group: str) -> bool:
        """Say whether the function's own lines go to a group."""
        version = await self._function(scope, arn)
        return version is not None and _writes_to(version, group)

    async def _function(self, scope: Scope, arn: str) -> FunctionVersion | None:
        """Return what an ARN names; None for what is not there, or is of another account or region."""
        target = parse_target(arn)
        if target is None or target.scope != scope:
            return None
        try:
            name, qualifier = _named(arn)
        except ValueError:
            return None
        return await self._resolver.resolve(scope, name, qualifier)

    async def is_let_in(self, scope: Scope, arn: str, group: str) -> bool:
        """
        Say whether a function's policy lets CloudWatch Logs in for a group.

        Documented: CloudWatch Logs user guide, subscription filters with Lambda: the principal, with or without the
        region in it, and a group's ARN with `:*` behind it.
        """
        source = f"{log_group_arn(scope, group)}:*"
        services = ("logs.amazonaws.com", f"logs.{scope.region}.amazonaws.com")
        return await is_let_in(self._store, arn, *(service_for(one, source, scope.account) for one in services))


def _writes_to(version: FunctionVersion, group: str) -> bool:
    return group in {version.configuration.log_group, f"/aws/lambda/{version.name}"}


def _named(arn: str) -> tuple[FunctionName, str | None]:
    reference = parse_function_reference(arn)
    return reference.name, reference.qualifier
