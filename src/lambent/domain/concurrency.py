"""The arithmetic of concurrency: what may be reserved, and how fast a rate lets through."""

from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException


class ReservationTooLarge(InvalidParameterValueException):
    """
    A reservation would starve the functions without one.

    Observed: localstack tests/aws/services/lambda_/test_lambda_api.py (recorded): this one's body carries no `Type`.
    """

    has_type = False


def check_reservation(wanted: int, before: int | None, reserved_elsewhere: int, quotas: Quotas) -> None:
    """
    Refuse a reservation that would starve functions without one.

    What takes nothing from them passes always: a smaller reservation than before, and none at all.

    Args:
        wanted: executions to reserve for this function; at least 0.
        before: what it has reserved so far.
        reserved_elsewhere: executions that the scope's other functions reserve.
        quotas: the limits of this account and region.

    Raises:
        ReservationTooLarge: fewer than `quotas.unreserved_executions_min` executions would remain.

    Source: Lambda API reference, PutFunctionConcurrency; developer guide, configuring reserved concurrency.
    """
    # Assumed: AWS says nothing about an account whose limit sank below its reservations; giving some back is a way out
    # of that and must not be refused (test_concurrency).
    if wanted <= (before or 0):
        return
    least = quotas.unreserved_executions_min
    if quotas.concurrent_executions - reserved_elsewhere - wanted < least:
        # Observed: aws-samples/siem-on-amazon-opensearch-service#175, getmoto/moto#6627.
        raise ReservationTooLarge(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{least}]."
        )


def unreserved_executions(reserved: int, quotas: Quotas) -> int:
    """
    Return what is left for functions without a reservation; 0 when the limit is below what is reserved.

    Args:
        reserved: executions that all functions of the scope reserve.
    """
    return max(quotas.concurrent_executions - reserved, 0)


class Rate:
    """
    So many in an interval, all of them at once if need be, refilled without a pause and never saved up beyond.

    Args:
        per_interval: how many; at least 1.
        interval_s: seconds until an empty one is full again.
    """

    __slots__ = ("_last", "_left", "_most", "_per_s")

    def __init__(self, per_interval: int, interval_s: float) -> None:
        self._most = float(per_interval)
        self._per_s = per_interval / interval_s
        self._left = self._most
        self._last = float("-inf")

    def take(self, now: float) -> bool:
        """
        Take one if there is one.

        Args:
            now: seconds of a clock that never goes back.
        """
        left = self._left + (now - self._last) * self._per_s
        # Every invocation comes through here; calling `min` would cost as much as the rest.
        if left > self._most:  # noqa: PLR1730
            left = self._most
        self._last = now
        if left < 1.0:
            self._left = left
            return False
        self._left = left - 1.0
        return True

    def is_full(self, now: float) -> bool:
        """Say whether nothing that was taken counts any more, so that a new one would do as well."""
        return self._left + (now - self._last) * self._per_s >= self._most


class StartRate(Rate):
    """
    How many new execution environments a function may get.

    Documented: Lambda developer guide, scaling behavior: 1,000 every 10 seconds for each function, refilled
    continuously, never accrued. Assumed: who asks for one more is told ConcurrentInvocationLimitExceeded, since no
    Reason of the API speaks of starts.
    """

    __slots__ = ()

    def __init__(self, per_interval: int = 1000, interval_s: float = 10.0) -> None:
        super().__init__(per_interval, interval_s)


REQUESTS_PER_EXECUTION_S = 10
"""Documented: Lambda quotas, invocation requests per second: ten times the concurrency."""


def request_rate(executions: int) -> Rate:
    """
    Return the rate at which a function may be called that has `executions` (at least 1) at its disposal.

    Assumed: a second's worth may come at once; AWS publishes the rate and no burst (test_concurrency).
    """
    return Rate(REQUESTS_PER_EXECUTION_S * executions, 1.0)
