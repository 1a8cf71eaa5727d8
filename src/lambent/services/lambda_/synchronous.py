"""Invocations that somebody waits for, by whichever door they came: what to run is found and checked before."""

from typing import Any

from lambent.clock import Clock
from lambent.dispatch.async_invocations import AsyncInvocations
from lambent.dispatch.dispatcher import Dispatcher
from lambent.domain.function import FunctionVersion, State
from lambent.domain.invocation import Invocation, InvocationOutcome, RestoreFailure
from lambent.domain.trace import PASSES_MAX, next_trace
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
        **further: Any,
    ) -> InvocationOutcome:
        """
        Run one invocation and return what came of it.

        Args:
            version: what the target's qualifier leads to; Active.
            trace_header: the request's, as sent.
            further: other fields of `Invocation`.

        Raises:
            RecursiveInvocationException: its chain has passed the function too often.
            TooManyRequestsException: a limit is reached.
            ServiceException: the store failed, or this machine could not provide the environment.
            SnapStartException, SnapStartTimeoutException: the environment could not be restored.
        """
        random_hex = self._clock.token_hex(20)
        trace = next_trace(trace_header, self._clock.now(), random_hex[:24], random_hex[24:], target.unqualified_arn)
        if trace.passes > PASSES_MAX and not await self._dispatcher.may_recurse(target.scope, target.name):
            if self._metrics is not None:
                self._metrics.chain_ended(target.scope, target.name, target.qualifier)
            raise _recursive(target)
        invocation = Invocation(
            request_id=request_id,
            invoked_arn=target.arn,
            payload=payload,
            trace_header=trace.header,
            **further,
        )
        try:
            outcome = await self._dispatcher.run(version, invocation)
        except Throttled as throttled:
            self._events.yield_to_callers(target.scope, target.name, throttled.reason)
            raise throttled_exception("Rate Exceeded.", throttled.reason) from None
        except DependencyError as error:
            raise ServiceException(str(error)) from error
        if outcome.restore_failure is not None:
            raise _not_restored(outcome.restore_failure)
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
