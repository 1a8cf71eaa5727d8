"""Invocations that somebody waits for, by whichever door they came: what to run is found and checked before."""

import asyncio
from typing import Any, Final

from lambent.clock import Clock
from lambent.dispatch.async_invocations import AsyncInvocations
from lambent.dispatch.dispatcher import Dispatcher
from lambent.domain.function import FunctionVersion, State
from lambent.domain.invocation import Invocation, InvocationOutcome, RestoreFailure
from lambent.domain.trace import PASSES_MAX
from lambent.domain.traced import Accepted, HttpCall, Tracing
from lambent.errors.api.lambda_ import (
    RecursiveInvocationException,
    ResourceConflictException,
    ServiceException,
    SnapStartException,
    SnapStartTimeoutException,
    TooManyRequestsException,
)
from lambent.errors.families import ApiError, DependencyError
from lambent.fleet.contract import Throttled
from lambent.services.lambda_.naming import Target
from lambent.telemetry.lambda_metrics import LambdaMetrics

_HUNG_UP: Final = 499
"""What web servers write down for a client that left before its answer."""


class SynchronousInvocations:
    """
    Runs invocations now.

    Args:
        events: makes room where callers are turned away.
        metrics: told of chains that end here; None: nobody is.
    """

    def __init__(
        self, dispatcher: Dispatcher, events: AsyncInvocations, clock: Clock, metrics: LambdaMetrics | None = None
    ) -> None:
        self._dispatcher = dispatcher
        self._events = events
        self._clock = clock
        self._metrics = metrics

    async def run(
        self,
        target: Target,
        version: FunctionVersion,
        *,
        request_id: str,
        payload: bytes,
        trace_header: str | None,
        http: HttpCall | None = None,
        **further: Any,
    ) -> tuple[InvocationOutcome, str]:
        """
        Run one invocation and return what came of it, and the trace header that the function saw.

        Args:
            version: what the target's qualifier leads to; Active.
            trace_header: the request's, as sent.
            http: what its trace says of the request, where it came by HTTP.
            further: other fields of `Invocation`.

        Raises:
            RecursiveInvocationException: its chain has passed the function too often.
            TooManyRequestsException: a limit is reached.
            ServiceException: the store failed, or this machine could not provide the environment.
            SnapStartException, SnapStartTimeoutException: the environment could not be restored.
        """
        trace, tracing = self._dispatcher.traces.begin(version, trace_header)
        if trace.passes > PASSES_MAX and not await self._dispatcher.may_recurse(target.scope, target.name):
            if self._metrics is not None:
                self._metrics.chain_ended(target.scope, target.name, target.qualifier)
            raise _recursive(target)
        invocation = Invocation(
            request_id=request_id,
            invoked_arn=target.arn,
            payload=payload,
            trace_header=trace.header,
            tracing=tracing,
            **further,
        )
        if tracing is not None:
            return await self._run_traced(target, version, invocation, tracing, http), trace.header
        return await self._invoke(target, version, invocation), trace.header

    async def _invoke(self, target: Target, version: FunctionVersion, invocation: Invocation) -> InvocationOutcome:
        try:
            outcome = await self._dispatcher.run(version, invocation)
        except Throttled as throttled:
            self._events.yield_to_callers(target.scope, target.name, throttled.reason)
            raise throttled_exception(throttled.text, throttled.reason) from None
        except DependencyError as error:
            raise ServiceException(str(error)) from error
        if outcome.restore_failure is not None:
            raise _not_restored(outcome.restore_failure)
        return outcome

    async def _run_traced(
        self,
        target: Target,
        version: FunctionVersion,
        invocation: Invocation,
        tracing: Tracing,
        http: HttpCall | None,
    ) -> InvocationOutcome:
        """Run one invocation, and leave how the service saw it."""

        def leave(status: int, *, has_failed: bool) -> None:
            self._dispatcher.traces.add(
                Accepted(
                    version.scope,
                    version.name,
                    tracing.trace_id,
                    tracing.service_id,
                    tracing.caller_id,
                    invocation.request_id,
                    tracing.began,
                    self._clock.now(),
                    status,
                    has_failed,
                    http=http,
                )
            )

        try:
            outcome = await self._invoke(target, version, invocation)
        except ApiError as error:
            leave(error.status, has_failed=False)
            raise
        except asyncio.CancelledError:
            # Assumed: of a caller that hung up (test_synchronous).
            leave(_HUNG_UP, has_failed=False)
            raise
        stream = outcome.stream
        if stream is None:
            leave(200, has_failed=outcome.error is not None)
        else:
            stream.when_ended(lambda: leave(200, has_failed=stream.end is not None and stream.end.error is not None))
        return outcome


def check_active(version: FunctionVersion) -> None:
    """
    Refuse a version that cannot run yet, or any more.

    Raises:
        ResourceConflictException: it is not Active.
    """
    if version.state is not State.ACTIVE:
        raise ResourceConflictException(
            "The operation cannot be performed at this time. "
            f"The function is currently in the following state: {version.state.value}"
            + (f" ({version.state_reason})" if version.state is State.FAILED else "")
        )


def throttled_exception(message: str, reason: str) -> TooManyRequestsException:
    return TooManyRequestsException(message, fields={"Reason": reason, "Type": "User", "retryAfterSeconds": "1"})


def _recursive(target: Target) -> RecursiveInvocationException:
    # Assumed: the text; documented: the error, Lambda developer guide, recursive loop detection (test_recursion).
    return RecursiveInvocationException(
        f"Lambda has detected that this function is being invoked in a recursive loop: {target.unqualified_arn} was "
        f"invoked {PASSES_MAX} times by the same chain. PutFunctionRecursionConfig can allow it."
    )


def _not_restored(failure: RestoreFailure) -> ApiError:
    # Documented: Lambda API reference, Invoke, the descriptions of the two errors. Assumed: they are the messages, too.
    if failure is RestoreFailure.TIMED_OUT:
        return SnapStartTimeoutException("Lambda couldn't restore the snapshot within the timeout limit.")
    return SnapStartException(
        "The afterRestore() runtime hook encountered an error. For more information, check the Amazon CloudWatch logs."
    )
