"""What may be reserved, and how fast a rate lets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.concurrency import (
    AccountLimitExceeded,
    Claims,
    Rate,
    StartRate,
    check_provisioned,
    check_reservation,
    request_rate,
    unreserved_executions,
)
from lambent.domain.function import FunctionName
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException

CC02 = (
    "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
    "below its minimum value of [100]."
)


def test_a_hundred_stay_unreserved() -> None:
    """CC-02: of 1,000 executions 900 may be reserved, over all functions together, and no more."""
    check_reservation(900, None, 0, Quotas())
    check_reservation(400, None, 500, Quotas())
    for wanted, elsewhere in ((901, 0), (401, 500), (950, 0)):
        with pytest.raises(AccountLimitExceeded) as refused:
            check_reservation(wanted, None, elsewhere, Quotas())
        assert refused.value.message == CC02
        assert (refused.value.code, refused.value.has_type) == ("InvalidParameterValueException", False)


def test_what_takes_nothing_passes() -> None:
    """Nothing at all may always be reserved, and less than before, even where too much is reserved already."""
    small = Quotas(concurrent_executions=100)
    check_reservation(0, None, 500, small)
    check_reservation(20, 30, 500, small)
    check_reservation(30, 30, 500, small)
    with pytest.raises(AccountLimitExceeded):
        check_reservation(31, 30, 500, small)


@pytest.mark.parametrize(("limit", "least"), [(5000, 100), (1000, 100), (999, 99), (50, 5), (10, 1), (9, 0), (1, 0)])
def test_a_small_limit_leaves_a_tenth(limit: int, least: int) -> None:
    """Where the operator set a small limit, most of it can be reserved nevertheless."""
    assert Quotas(concurrent_executions=limit).unreserved_executions_min == least


def test_the_rest_is_unreserved() -> None:
    """What is not reserved is for the others, and never less than nothing."""
    assert unreserved_executions(300, Quotas()) == 700
    assert unreserved_executions(300, Quotas(concurrent_executions=10)) == 0


def test_a_thousand_starts_and_a_hundred_a_second() -> None:
    """All of an interval's starts may come at once; then they come back one by one, and never add up to more."""
    rate = StartRate()
    assert [rate.take(5.0) for _ in range(1001)] == [True] * 1000 + [False]
    assert not rate.take(5.009)
    assert rate.take(5.011) and not rate.take(5.011)
    assert [rate.take(6.011) for _ in range(101)] == [True] * 100 + [False]
    assert [rate.take(500.0) for _ in range(1001)] == [True] * 1000 + [False]


def test_ten_requests_a_second_for_each_execution() -> None:
    """A function with 3 executions may be called 30 times a second."""
    rate = request_rate(3)
    assert [rate.take(0.0) for _ in range(31)] == [True] * 30 + [False]
    assert [rate.take(1.0) for _ in range(31)] == [True] * 30 + [False]


def test_a_rate_is_full_when_nothing_counts() -> None:
    """A new one is full; one that was taken from is not, until what was taken has come back."""
    rate = Rate(2, 1.0)
    assert rate.is_full(0.0)
    rate.take(0.0)
    assert not rate.is_full(0.49)
    assert rate.is_full(0.5)


@given(
    st.integers(1, 50),
    st.floats(0.1, 20.0),
    st.lists(st.floats(0.0, 3.0), max_size=200),
)
def test_no_window_lets_more_through(per_interval: int, interval_s: float, gaps: list[float]) -> None:
    """However calls come, any stretch of time lets through one interval's worth and what was refilled in it."""
    rate = Rate(per_interval, interval_s)
    now, let_through = 0.0, []
    for gap in gaps:
        now += gap
        if rate.take(now):
            let_through.append(now)
    for first, start in enumerate(let_through):
        for last in range(first, len(let_through)):
            refilled = (let_through[last] - start) * per_interval / interval_s
            assert last - first + 1 <= per_interval + refilled + 1e-6


F, G = FunctionName("f"), FunctionName("g")


def test_what_functions_keep_aside() -> None:
    """A reservation, else what is provisioned: the one counts inside the other."""
    claims = Claims({F: 10, FunctionName("h"): 0}, {F: {"1": 3}, G: {"1": 2, "2": 4}})
    assert (claims.kept_aside(F), claims.kept_aside(G), claims.kept_aside(FunctionName("h"))) == (10, 6, 0)
    assert claims.kept_aside_by_all() == 16
    assert claims.kept_aside_by_all(but=G) == 10
    assert claims.provisioned_of(G) == 6


@pytest.mark.parametrize(
    ("wanted", "most", "version", "claims", "text"),
    [
        (11, 10, "1", Claims({F: 10}), "Requested Provisioned Concurrency should not be greater than"),
        (4, 3, "2", Claims({F: 10}, {F: {"1": 7}}), "Requested Provisioned Concurrency should not be greater than"),
        (1001, 900, "1", Claims(), "is greater than account's unreserved concurrency [1000]."),
        (900, 700, "1", Claims({G: 200}), "is greater than account's unreserved concurrency [800]."),
        (901, 900, "1", Claims(), "below its minimum value of [100]."),
        (501, 500, "2", Claims({}, {F: {"1": 300}, G: {"1": 100}}), "below its minimum value of [100]."),
    ],
)
def test_too_much_is_not_provisioned(wanted: int, most: int, version: str, claims: Claims, text: str) -> None:
    """Neither more than the function has reserved, over its versions, nor more than the account can spare."""
    with pytest.raises(InvalidParameterValueException) as refused:
        check_provisioned(wanted, F, version, claims, Quotas())
    assert text in refused.value.message
    assert refused.value.has_type is ("Requested" in text)
    check_provisioned(most, F, version, claims, Quotas())


def test_a_version_may_change_its_number() -> None:
    """What it has provisioned so far is not counted against it."""
    check_provisioned(10, F, "1", Claims({F: 10}, {F: {"1": 7}}), Quotas())
    check_provisioned(900, F, "1", Claims({}, {F: {"1": 900}}), Quotas())
