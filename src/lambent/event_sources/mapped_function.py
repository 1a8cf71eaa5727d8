"""The function that a mapping feeds: whether it can run now, how many more of it may, and a run of it."""

from collections.abc import Sequence

import msgspec

from lambent.clock import Clock
from lambent.dispatch.dispatcher import Dispatcher
from lambent.domain.arn import function_arn
from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.domain.function import FunctionVersion, State
from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.domain.trace import PASSES_MAX, linked_trace, next_trace, sampled_in
from lambent.domain.traced import LINKS_MAX, Accepted, Link, Linked, Tracing
from lambent.errors.families import DependencyError
from lambent.fleet.contract import Throttled


class NotRun(msgspec.Struct, frozen=True):
    """The function was not run, and that is not its fault."""

    is_throttled: bool


class MappedFunction:
    """One mapping's function. It goes the way of all invocations."""

    __slots__ = ("_clock", "_dispatcher", "_mapping")

    def __init__(self, dispatcher: Dispatcher, clock: Clock, mapping: EventSourceMapping) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._mapping = mapping

    async def version(self) -> FunctionVersion | None:
        """
        Return the version that a batch would run now; None while there is none, or it is not ready, or it takes no
        events without a tenant.

        Raises:
            DependencyError: the store failed.
        """
        mapping = self._mapping
        version = await self._dispatcher.resolve(mapping.scope, mapping.function_name, mapping.qualifier)
        if version is None or version.state is not State.ACTIVE or version.configuration.is_tenant_isolated:
            return None
        return version

    async def is_closed(self) -> bool:
        """
        Say whether a reservation of 0 keeps the function from running at all.

        Raises:
            DependencyError: the store failed.
        """
        slots = await self._dispatcher.slots(self._mapping.scope)
        return slots.is_closed(self._mapping.function_name)

    async def room(self) -> int:
        """
        Return how many more invocations of the function would be let through now; 0 where a reservation closes it.

        Raises:
            DependencyError: the store failed.
        """
        slots = await self._dispatcher.slots(self._mapping.scope)
        return slots.room(self._mapping.function_name, self._clock.monotonic())

    def room_nowait(self) -> int:
        """Return the same, with claims as they were when they were last read."""
        slots = self._dispatcher.slots_nowait(self._mapping.scope)
        return slots.room(self._mapping.function_name, self._clock.monotonic())

    def passes(self, trace_header: str) -> int:
        """Return how often a chain of invocations will have passed the function, once it runs for this header."""
        # Only services write a lineage, and most messages have none.
        return next_trace(trace_header, 0, "", "", self._arn).passes if "Lineage=" in trace_header else 1

    async def may_run(self, passes: int) -> bool:
        """Say whether a chain may pass the function that often. Documented: recursive loop detection, for SQS too."""
        mapping = self._mapping
        return passes <= PASSES_MAX or await self._dispatcher.may_recurse(mapping.scope, mapping.function_name)

    async def run(
        self,
        version: FunctionVersion,
        payload: bytes,
        trace_header: str,
        request_id: str | None = None,
        producers: Sequence[str] = (),
    ) -> InvocationOutcome | NotRun:
        """
        Run the function once, synchronously, in a trace of its own.

        Args:
            trace_header: whose lineage it goes on with; empty without one.
            request_id: None: one of its own.
            producers: the headers of what it runs for: their traces and this one are linked, where they are sampled. If
                one is, so is this one. Assumed: the latter (test_mapped_function).
        """
        clock, traces = self._clock, self._dispatcher.traces
        sampled = [one for one in map(sampled_in, producers) if one is not None] if producers else []
        given = (
            linked_trace(trace_header, clock.now(), clock.token_hex(12), is_sampled=bool(sampled))
            if trace_header
            else None
        )
        trace, tracing = traces.begin(version, given)
        invocation = Invocation(
            request_id=request_id or clock.new_id(),
            invoked_arn=self._mapping.function_arn,
            payload=payload,
            trace_header=trace.header,
            tracing=tracing,
        )
        if tracing is None:
            return await self._invoke(version, invocation)
        links = list(dict.fromkeys(Link(*one) for one in sampled if one.parent_id))[:LINKS_MAX]
        outcome = await self._invoke(version, invocation)
        if isinstance(outcome, InvocationOutcome):
            # A run that was refused is tried again, maybe each second: nothing is left of it.
            self._leave(version, invocation, tracing, outcome, links)
        return outcome

    def _leave(
        self,
        version: FunctionVersion,
        invocation: Invocation,
        tracing: Tracing,
        outcome: InvocationOutcome,
        links: Sequence[Link],
    ) -> None:
        """Leave how the service saw a sampled run, and whose messages it was for."""
        consumer, add = Link(tracing.trace_id, tracing.service_id), self._dispatcher.traces.add
        for link in links:
            add(Linked(version.scope, *link, consumer, version.name, tracing.began))
        add(
            Accepted(
                version.scope,
                version.name,
                tracing.trace_id,
                tracing.service_id,
                tracing.caller_id,
                invocation.request_id,
                tracing.began,
                self._clock.now(),
                200,
                outcome.error is not None,
                links=links,
            )
        )

    async def _invoke(self, version: FunctionVersion, invocation: Invocation) -> InvocationOutcome | NotRun:
        try:
            outcome = await self._dispatcher.run(version, invocation)
        except Throttled:
            return NotRun(is_throttled=True)
        except DependencyError:
            return NotRun(is_throttled=False)
        # The handler did not run where its environment could not be restored.
        return outcome if outcome.restore_failure is None else NotRun(is_throttled=False)

    @property
    def _arn(self) -> str:
        return function_arn(self._mapping.scope, self._mapping.function_name)
