"""What follows an attempt at an asynchronous event, as numbers."""

import pytest

from lambent.dispatch.settle import BACKOFF_MAX_S, Condition, GiveUp, Patience, TryAgain
from lambent.domain.caller import Scope
from lambent.domain.event_invoke import EventInvokeConfig
from lambent.domain.function import LATEST, FunctionName

CONFIG = EventInvokeConfig(Scope("000000000000", "us-east-1"), FunctionName("f"), LATEST, 0.0)
EXHAUSTED = GiveUp(Condition.RETRIES_EXHAUSTED)
TOO_OLD = GiveUp(Condition.EVENT_AGE_EXCEEDED)


def patience(retries: int | None = None, age_s: int | None = None, scale: float = 1.0) -> Patience:
    return Patience.of(
        EventInvokeConfig(CONFIG.scope, CONFIG.name, LATEST, 0.0, retries_max=retries, age_max_s=age_s), scale
    )


@pytest.mark.parametrize(
    ("retries", "attempts", "expected"),
    [
        (None, 1, TryAgain(60)),
        (None, 2, TryAgain(120)),
        (None, 3, EXHAUSTED),
        (1, 1, TryAgain(60)),
        (1, 2, EXHAUSTED),
        (0, 1, EXHAUSTED),
    ],
)
def test_as02_errors_are_retried_after_one_and_two_minutes(
    retries: int | None, attempts: int, expected: TryAgain | GiveUp
) -> None:
    """AS-02: three runs in all by default, one and two minutes apart."""
    assert patience(retries).after_function_error(attempts, 1.0) == expected


@pytest.mark.parametrize(
    ("age_max_s", "attempts", "age_s", "expected"),
    [
        # Recorded: with 60 s there is no retry at all, with 90 s exactly one.
        (60, 1, 0.1, TOO_OLD),
        (90, 1, 0.1, TryAgain(60)),
        (90, 2, 60.2, TOO_OLD),
        (181, 2, 60.2, TryAgain(120)),
        (60, 3, 0.1, EXHAUSTED),
    ],
)
def test_as01_an_event_that_would_be_too_old_ends_at_once(
    age_max_s: int, attempts: int, age_s: float, expected: TryAgain | GiveUp
) -> None:
    """AS-01: EventAgeExceeded comes when the next attempt would come too late, not when it is due."""
    assert patience(None, age_max_s).after_function_error(attempts, age_s) == expected


def test_what_could_not_be_run_backs_off_without_counting() -> None:
    """From one second to five minutes, doubling, and as often as the age allows; the last time when it ends."""
    delays = []
    for refusals in range(1, 2000):
        decision = patience().after_refusal(refusals, 0.0)
        assert isinstance(decision, TryAgain)
        delays.append(decision.delay_s)
    assert delays[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert set(delays[9:]) == {BACKOFF_MAX_S}
    assert patience().after_refusal(20, 21_500.0) == TryAgain(100.0)
    assert patience().after_refusal(1, 21_600.0) == TOO_OLD
    assert patience(age_s=60).after_refusal(1, 60.5) == TOO_OLD


def test_the_scale_acts_on_every_time() -> None:
    """A hundredth: delays, backoff and ages alike, so that tests see the same order of things."""
    assert patience(scale=0.01).after_function_error(1, 0.0) == TryAgain(0.6)
    assert patience(None, 60, 0.01).after_function_error(1, 0.001) == TOO_OLD
    assert patience(scale=0.01).after_refusal(3, 0.0) == TryAgain(0.04)
    assert patience(None, 60, 0.01).after_refusal(3, 0.7) == TOO_OLD
