"""
What follows an attempt at an asynchronous event: another one later, or the end. Arithmetic that touches nothing.

Documented: Lambda developer guide, asynchronous invocation, error handling.
"""

import enum

import msgspec

from lambent.domain.event_invoke import AGE_MAX_S, RETRIES_MAX, EventInvokeConfig

RETRY_DELAYS_S = (60.0, 120.0)
"""Before the second and the third attempt after function errors."""

BACKOFF_MIN_S, BACKOFF_MAX_S = 1.0, 300.0
"""Before an event is tried again that could not be run at all; doubled from one time to the next."""


class Condition(enum.StrEnum):
    """How an event ended, in the words of the record that tells of it."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"
    """Nothing of the function may run. Assumed: the word, as an emulator has it (test_async_invocations)."""
    RECURSION_DETECTED = "RecursiveInvocationDetected"
    """A chain came back to the function too often. Assumed: no source for the word (test_async_invocations)."""


class TryAgain(msgspec.Struct, frozen=True):
    """The event waits."""

    delay_s: float


class GiveUp(msgspec.Struct, frozen=True):
    """The event has ended without success."""

    condition: Condition


class Patience(msgspec.Struct, frozen=True):
    """
    How often and how long the events of one qualifier are tried.

    Args:
        scale: factor on every time in here.
    """

    retries_max: int
    age_max_s: float
    scale: float

    @classmethod
    def of(cls, config: EventInvokeConfig, scale: float) -> "Patience":
        """Return what a config says, AWS's defaults where it says nothing."""
        retries = RETRIES_MAX if config.retries_max is None else config.retries_max
        age = AGE_MAX_S if config.age_max_s is None else config.age_max_s
        return cls(retries, age * scale, scale)

    def after_function_error(self, attempts: int, age_s: float) -> TryAgain | GiveUp:
        """
        Decide after the function has failed.

        Args:
            attempts: how often it ran with the event, this time included.
            age_s: since the event was accepted.
        """
        if attempts > self.retries_max:
            return GiveUp(Condition.RETRIES_EXHAUSTED)
        delay = RETRY_DELAYS_S[min(attempts, len(RETRY_DELAYS_S)) - 1] * self.scale
        # Observed: an event that would be too old at its next attempt ends now (recorded 2025-11: with 60 s there is
        # no retry, with 90 s one).
        if age_s + delay > self.age_max_s:
            return GiveUp(Condition.EVENT_AGE_EXCEEDED)
        return TryAgain(delay)

    def after_refusal(self, refusals: int, age_s: float) -> TryAgain | GiveUp:
        """
        Decide where the event could not be run: throttled, or nothing to run it. That is no attempt.

        Args:
            refusals: how often in a row, this time included.
        """
        left_s = self.age_max_s - age_s
        if left_s <= 0:
            return GiveUp(Condition.EVENT_AGE_EXCEEDED)
        # No more doublings than reach the longest: whatever was counted, the power stays small.
        backoff = min(BACKOFF_MIN_S * 2 ** min(refusals - 1, 10), BACKOFF_MAX_S) * self.scale
        return TryAgain(min(backoff, left_s))
