"""The arithmetic of concurrency: what may be reserved or provisioned, and how fast a rate lets through."""

import enum
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException


class AccountLimitExceeded(InvalidParameterValueException):
    """
    A reservation, or what is to be provisioned, would starve the functions without one.

    Observed: recorded answers in localstack/localstack, test_function_concurrency_limits and
    test_provisioned_concurrency_limits: other than most, these bodies carry no `Type`.
    """

    has_type = False


class ProvisionedConcurrency(msgspec.Struct, frozen=True):
    """How many environments of a published version are to be kept initialised."""

    scope: Scope
    name: FunctionName
    version: str
    """Decimal digits."""
    requested: int
    """At least 1."""
    last_modified: float
    """Seconds since the epoch."""
    alias: str | None = None
    """The alias that it was asked for by; it then follows the alias from version to version."""


class ProvisionedStatus(enum.StrEnum):
    """Where a provisioned concurrency stands. Source: Lambda API reference, GetProvisionedConcurrencyConfig."""

    IN_PROGRESS = "IN_PROGRESS"
    READY = "READY"
    FAILED = "FAILED"


class ProvisionedState(msgspec.Struct, frozen=True):
    """What has come of a provisioned concurrency."""

    available: int
    """Environments that are initialised, those that run an invocation included."""
    status: ProvisionedStatus
    reason: str | None = None


class Claims(msgspec.Struct, frozen=True):
    """What the functions of a scope claim of its concurrency."""

    reserved: Mapping[FunctionName, int] = {}
    """By function; 0 where nothing may run."""
    provisioned: Mapping[FunctionName, Mapping[str, int]] = {}
    """By function, then by version. It counts inside the function's reservation, where there is one."""

    def provisioned_of(self, name: FunctionName) -> int:
        """Return what all versions of a function have provisioned."""
        return sum(self.provisioned.get(name, {}).values())

    def kept_aside(self, name: FunctionName) -> int:
        """Return what a function takes from the others: its reservation, else what it has provisioned."""
        reserved = self.reserved.get(name)
        return self.provisioned_of(name) if reserved is None else reserved

    def kept_aside_by_all(self, but: FunctionName | None = None) -> int:
        """Return what all functions, or all others, take from those without a claim."""
        names = self.reserved.keys() | self.provisioned.keys()
        return sum(self.kept_aside(name) for name in names if name != but)


class ProvisionedPeak(NamedTuple):
    """What a version used of its provisioned concurrency."""

    name: FunctionName
    version: str
    peak: int
    allocated: int


class Peaks(NamedTuple):
    """The most that was in flight at once in one account and region since the last look."""

    functions: Sequence[tuple[FunctionName, int]]
    """Those that had any."""
    account: int
    unreserved: int
    claimed: int
    """What is unreserved and in use, and what is kept aside, whether it is in use or not."""
    provisioned: Sequence[ProvisionedPeak]
    """Of the functions that had any."""


def check_provisioned(wanted: int, name: FunctionName, version: str, claims: Claims, quotas: Quotas) -> None:
    """
    Refuse to provision more for a version than its function has reserved, or than the account can spare.

    Args:
        wanted: environments to keep; at least 1.
        claims: what holds so far, the version's own provision included.
        quotas: the limits of this account and region.

    Raises:
        InvalidParameterValueException: it is more than the function has reserved.
        AccountLimitExceeded: it is more than the account can spare.

    Observed: recorded answers in localstack/localstack, test_reserved_provisioned_overlap (other versions count, too)
    and test_provisioned_concurrency_limits.
    """
    of_others = claims.provisioned_of(name) - claims.provisioned.get(name, {}).get(version, 0)
    reserved = claims.reserved.get(name)
    if reserved is not None:
        if wanted + of_others > reserved:
            raise InvalidParameterValueException(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for "
                "function"
            )
        return
    unreserved = unreserved_executions(claims.kept_aside_by_all(but=name) + of_others, quotas)
    if wanted > unreserved:
        raise AccountLimitExceeded(
            f"Specified ConcurrentExecutions for function is greater than account's unreserved concurrency "
            f"[{unreserved}]."
        )
    least = quotas.unreserved_executions_min
    if unreserved - wanted < least:
        raise AccountLimitExceeded(
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
            f"minimum value of [{least}]."
        )


def check_reservation(wanted: int, before: int | None, reserved_elsewhere: int, quotas: Quotas) -> None:
    """
    Refuse a reservation that would starve functions without one.

    What takes nothing from them passes always: a smaller reservation than before, and none at all.

    Args:
        wanted: executions to reserve for this function; at least 0.
        before: what it has reserved so far.
        reserved_elsewhere: executions that the scope's other functions keep aside.
        quotas: the limits of this account and region.

    Raises:
        AccountLimitExceeded: fewer than `quotas.unreserved_executions_min` executions would remain.

    Source: Lambda API reference, PutFunctionConcurrency; developer guide, configuring reserved concurrency.
    """
    # Assumed: AWS says nothing about an account whose limit sank below its reservations; giving some back is a way out
    # of that and must not be refused (test_concurrency).
    if wanted <= (before or 0):
        return
    least = quotas.unreserved_executions_min
    if quotas.concurrent_executions - reserved_elsewhere - wanted < least:
        # Observed: aws-samples/siem-on-amazon-opensearch-service#175, getmoto/moto#6627.
        raise AccountLimitExceeded(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{least}]."
        )


def unreserved_executions(reserved: int, quotas: Quotas) -> int:
    """
    Return what is left for functions without a reservation; 0 when the limit is below what is reserved.

    Args:
        reserved: executions that functions of the scope keep aside, reserved or provisioned.
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

    def left(self, now: float) -> int:
        """Return how many could be taken now."""
        return int(min(self._left + (now - self._last) * self._per_s, self._most))

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
