"""How many may be in flight: never more than a limit, and every slot comes back."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lambent.dispatch import slots
from lambent.dispatch.slots import AccountSlots, Grant, Slots
from lambent.domain.caller import Scope
from lambent.domain.concurrency import Claims
from lambent.domain.function import FunctionName
from lambent.domain.quotas import Quotas
from lambent.fleet.contract import Throttled

F, G, H = (FunctionName(name) for name in "fgh")
SCOPE = Scope("000000000000", "us-east-1")


def account(limit: int = 1000, **reserved: int) -> AccountSlots:
    made = AccountSlots(Quotas(concurrent_executions=limit))
    made.claim(Claims({FunctionName(name): count for name, count in reserved.items()}), 0)
    return made


def reason(taken_from: AccountSlots, name: FunctionName, now: float = 0.0) -> str:
    with pytest.raises(Throttled) as refused:
        taken_from.take(name, now)
    return refused.value.reason


def test_functions_without_a_reservation_share_the_account() -> None:
    """One more than the account's limit is refused, whichever function asks; what is over makes room."""
    made = account(3)
    grants = [made.take(name, 0.0) for name in (F, F, G)]
    assert reason(made, F) == reason(made, H) == "ConcurrentInvocationLimitExceeded"
    grants[0].release()
    made.take(H, 0.0)
    assert reason(made, F) == "ConcurrentInvocationLimitExceeded"


def test_a_reservation_caps_and_guarantees() -> None:
    """A function runs what it reserved, no more; the others run what is left, whether it is used or not."""
    made = account(5, f=2)
    for _ in range(3):
        made.take(G, 0.0)
    assert reason(made, G) == "ConcurrentInvocationLimitExceeded"
    for _ in range(2):
        made.take(F, 0.0)
    assert reason(made, F) == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_a_reservation_of_nothing_refuses_all() -> None:
    """0 is how a function is switched off."""
    assert reason(account(f=0), F) == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_a_new_reservation_counts_what_is_in_flight() -> None:
    """What ran unreserved counts in the reservation from now on and no more in the account; and the other way round."""
    made = account(10)
    grants = [made.take(F, 0.0) for _ in range(6)]
    made.claim(Claims({F: 6}), 0)
    assert reason(made, F) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    for _ in range(4):
        made.take(G, 0.0)
    assert reason(made, G) == "ConcurrentInvocationLimitExceeded"
    made.claim(Claims({}), 0)
    assert made.in_flight(F) == 6
    assert reason(made, F) == "ConcurrentInvocationLimitExceeded"
    for grant in grants:
        grant.release()
    for _ in range(6):
        made.take(H, 0.0)
    assert reason(made, H) == "ConcurrentInvocationLimitExceeded"


def test_a_smaller_reservation_waits_for_what_runs() -> None:
    """Nothing is ended; nothing more is granted until fewer than the new number run."""
    made = account(f=3)
    grants = [made.take(F, 0.0) for _ in range(3)]
    made.claim(Claims({F: 1}), 0)
    for grant in grants[:2]:
        assert reason(made, F) == "ReservedFunctionConcurrentInvocationLimitExceeded"
        grant.release()
    assert reason(made, F) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    grants[2].release()
    made.take(F, 0.0)


def test_calls_may_come_ten_times_as_fast_as_there_is_concurrency() -> None:
    """A function whose calls are short is refused by rate, with the Reason of its kind; a second later it goes on."""
    made = account(4, f=2)
    for name, most, expected in (
        (F, 20, "ReservedFunctionInvocationRateLimitExceeded"),
        (G, 40, "FunctionInvocationRateLimitExceeded"),
    ):
        for _ in range(most):
            made.take(name, 0.0).release()
        assert reason(made, name) == expected
        made.take(name, 1.0).release()


def test_a_call_refused_for_concurrency_takes_nothing_of_the_rate() -> None:
    """Who asks in vain does not pay for it."""
    made = account(f=1)
    grant = made.take(F, 0.0)
    for _ in range(100):
        reason(made, F)
    grant.release()
    for _ in range(9):
        made.take(F, 0.0).release()
    assert reason(made, F) == "ReservedFunctionInvocationRateLimitExceeded"


def test_returning_twice_is_a_fault_of_ours() -> None:
    """A second return would let one too many run."""
    grant = account().take(F, 0.0)
    grant.release()
    with pytest.raises(AssertionError):
        grant.release()


def test_a_full_pool_that_has_answered_is_waited_for() -> None:
    """A call may wait for an invocation that has been answered, one each; the end of one tells the first that waits."""
    made = account(f=2)
    grants = [made.take(F, 0.0) for _ in range(2)]
    assert made.pool_about_to_free(F) is None
    grants[0].answer()
    pool = made.pool_about_to_free(F)
    assert pool is not None
    told: list[str] = []
    pool.waiting.append(lambda: told.append("first"))
    assert made.pool_about_to_free(F) is None, "as many wait as have been answered"
    pool.waiting.append(lambda: told.append("second"))
    grants[0].release()
    assert told == ["first"]
    grants[1].release()
    assert told == ["first", "second"]
    assert pool.answered == pool.running == 0
    assert made.pool_about_to_free(F) is None


def test_an_answer_after_the_end_changes_nothing() -> None:
    """A crash ends the invocation before its caller is told."""
    made = account(f=1)
    grant = made.take(F, 0.0)
    grant.release()
    grant.answer()
    made.take(F, 0.0)
    assert made.pool_about_to_free(F) is None


def test_a_larger_reservation_tells_who_waits() -> None:
    """Whoever waits for room asks again when a limit changes."""
    made = account(f=1)
    made.take(F, 0.0).answer()
    pool = made.pool_about_to_free(F)
    assert pool is not None
    told: list[str] = []
    pool.waiting.append(lambda: told.append("f"))
    made.claim(Claims({F: 2}), 0)
    assert told == ["f"]
    made.take(F, 0.0)


def test_a_reading_that_was_overtaken_is_dropped() -> None:
    """Of two readings the one that began later stays, in whichever order they end."""
    made = account()
    assert made.is_current
    made.note_change()
    made.note_change()
    assert not made.is_current
    made.claim(Claims({F: 0}), 2)
    assert made.is_current
    made.claim(Claims({F: 7}), 1)
    assert reason(made, F) == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_idle_functions_and_accounts_are_forgotten() -> None:
    """What is remembered stays bounded; what runs, or was just called, is not forgotten."""
    made = Slots(Quotas(concurrent_executions=2))
    busy = made.account(SCOPE, 0.0)
    grant = busy.take(F, 0.0)
    for number in range(10_000):
        other = made.account(Scope(f"{number:012d}", "eu-west-1"), number)
        other.take(F, number).release()
        busy.take(FunctionName(f"f{number}"), number).release()
        if number % 100 == 0:
            made.take_peaks()
    assert made.account(SCOPE, 10_000.0) is busy
    assert busy.in_flight(F) == 1
    assert len(busy._functions) <= slots._KEPT_MIN
    assert len(made._accounts) <= slots._KEPT_MIN
    grant.release()


def provisioned(limit: int = 1000, reserved: int | None = None, **versions: int) -> AccountSlots:
    """Return an account in which the versions v1, v2, ... of F have so many provisioned."""
    made = AccountSlots(Quotas(concurrent_executions=limit))
    numbers = {name.removeprefix("v"): count for name, count in versions.items()}
    made.claim(Claims({} if reserved is None else {F: reserved}, {F: numbers}), 0)
    return made


def test_a_version_uses_what_it_has_provisioned_first() -> None:
    """Its calls count apart, and beyond that with the others; what is over there makes room there."""
    made = provisioned(5, v1=2)
    grants = [made.take(F, 0.0, "1") for _ in range(2)]
    for _ in range(3):
        made.take(G, 0.0)
    assert reason(made, F) == reason(made, G) == "ConcurrentInvocationLimitExceeded"
    grants[0].release()
    assert reason(made, G) == "ConcurrentInvocationLimitExceeded"
    made.take(F, 0.0, "1")
    with pytest.raises(Throttled):
        made.take(F, 0.0, "1")


def test_a_version_runs_beyond_what_it_has_provisioned() -> None:
    """What is provisioned is no limit: the next call takes from the account."""
    made = provisioned(5, v1=2)
    for _ in range(5):
        made.take(F, 0.0, "1")
    assert reason(made, G) == "ConcurrentInvocationLimitExceeded"


def test_provisioned_counts_inside_the_reservation() -> None:
    """Other versions run what is reserved and not provisioned; the account loses the reservation, no more."""
    made = provisioned(10, reserved=5, v1=3)
    for _ in range(2):
        made.take(F, 0.0)
    assert reason(made, F) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    for _ in range(5):
        made.take(G, 0.0)
    assert reason(made, G) == "ConcurrentInvocationLimitExceeded"
    for _ in range(3):
        made.take(F, 0.0, "1")
    with pytest.raises(Throttled):
        made.take(F, 0.0, "1")


def test_all_provisioned_leaves_nothing_to_latest() -> None:
    """Where as much is provisioned as reserved, `$LATEST` is throttled."""
    made = provisioned(10, reserved=2, v1=2)
    assert reason(made, F) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    made.take(F, 0.0, "1")


def test_what_runs_provisioned_counts_on_when_the_provision_goes() -> None:
    """It counts with the function's other calls, until it is over; and moves with them."""
    made = provisioned(3, v1=2)
    grants = [made.take(F, 0.0, "1") for _ in range(2)]
    made.claim(Claims(), 0)
    assert made.in_flight(F) == 2
    made.take(G, 0.0)
    assert reason(made, G) == "ConcurrentInvocationLimitExceeded"
    made.claim(Claims({F: 2}), 0)
    assert reason(made, F) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    for grant in grants:
        grant.release()
    assert made.in_flight(F) == 0
    made.take(F, 0.0)


def test_a_reservation_holds_while_provisions_change() -> None:
    """What a version has provisioned anew, or less of, never lets more run than the function reserves."""
    made = provisioned(reserved=10)
    grants = [made.take(F, 0.0) for _ in range(8)]
    made.claim(Claims({F: 10}, {F: {"1": 5}}), 0)
    grants += [made.take(F, 0.0, "1") for _ in range(2)]
    with pytest.raises(Throttled, match="ReservedFunctionConcurrentInvocationLimitExceeded"):
        made.take(F, 0.0, "1")
    for grant in grants[:8]:
        grant.release()
    grants = grants[8:] + [made.take(F, 0.0, "1") for _ in range(3)]
    made.claim(Claims({F: 10}, {F: {"1": 2}}), 0)
    for _ in range(5):
        made.take(F, 0.0)
    assert reason(made, F) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert made.in_flight(F) == 10


def test_nothing_stays_of_provisions_that_are_gone() -> None:
    """However often a version is provisioned and not."""
    made = account()
    grant = made.take(F, 0.0)
    for _ in range(50):
        made.claim(Claims({}, {F: {"1": 2}}), 0)
        made.claim(Claims(), 0)
    assert len(made._functions[F]._former) <= 1
    grant.release()


def test_the_rate_follows_the_reservation() -> None:
    """Also where just as much more is provisioned, so that the others' share of it stays."""
    made = provisioned(reserved=10, v1=2)
    made.take(F, 0.0).release()
    made.claim(Claims({F: 11}, {F: {"1": 3}}), 0)
    for _ in range(110):
        made.take(F, 0.0).release()
    assert reason(made, F) == "ReservedFunctionInvocationRateLimitExceeded"


def test_a_limit_that_sank_is_not_waited_for() -> None:
    """The end of one more than the limit allows makes no room: there is nothing to wait for."""
    made = account(f=2)
    answered, other = made.take(F, 0.0), made.take(F, 0.0)
    answered.answer()
    made.claim(Claims({F: 1}), 0)
    assert made.pool_about_to_free(F) is None
    other.answer()
    assert made.pool_about_to_free(F) is not None


def test_a_call_waits_for_either_of_its_pools() -> None:
    """The provisioned pool is about to free when one of its calls has been answered; then the shared one."""
    made = provisioned(2, v1=1)
    own, shared = made.take(F, 0.0, "1"), made.take(F, 0.0, "1")
    assert made.pool_about_to_free(F, "1") is None
    shared.answer()
    about = made.pool_about_to_free(F, "1")
    own.answer()
    assert made.pool_about_to_free(F, "1") not in (None, about)
    assert made.pool_about_to_free(F) is about


def test_a_change_makes_an_accounts_reservations_be_read_again() -> None:
    """A notice concerns its own scope; of one that nobody called nothing is kept."""
    made = Slots(Quotas())
    one, other = made.account(SCOPE, 0.0), made.account(Scope("1" * 12, "us-east-1"), 0.0)
    one.claim(Claims({}), one.changes)
    other.claim(Claims({}), other.changes)
    made.note_change(SCOPE)
    made.note_change(Scope("2" * 12, "us-east-1"))
    assert (one.is_current, other.is_current) == (False, True)
    assert len(made._accounts) == 2


def test_limits_of_an_account_act_for_the_next_call() -> None:
    """Fewer or more at once, and slower or faster with them; what is in flight stays."""
    made = account(3)
    grants = [made.take(F, 0.0) for _ in range(3)]
    made.claim(Claims({}), 1, Quotas(concurrent_executions=1))
    assert reason(made, F) == "ConcurrentInvocationLimitExceeded"
    for grant in grants:
        grant.release()
    made.take(F, 0.0).release()
    for _ in range(9):
        made.take(F, 0.0).release()
    assert reason(made, F) == "FunctionInvocationRateLimitExceeded", "ten a second for each execution"
    made.claim(Claims({}), 2, Quotas(concurrent_executions=2))
    both = [made.take(F, 0.0), made.take(G, 0.0)]
    assert reason(made, F) == "ConcurrentInvocationLimitExceeded"
    assert len(both) == 2


def test_nothing_runs_in_a_closed_account() -> None:
    """Neither what shares the account nor what has a reservation, until it is open again: events wait for that."""
    made = account(3, f=2)
    reserved = Claims({F: 2})
    made.claim(reserved, 1, Quotas(concurrent_executions=3, is_open=False))
    assert reason(made, F) == reason(made, G) == "ConcurrentInvocationLimitExceeded"
    assert not made.is_closed(F)
    assert (made.room(F, 0.0), made.room(G, 0.0)) == (0, 0)
    made.claim(reserved, 2, Quotas(concurrent_executions=3))
    made.take(F, 0.0)
    made.take(G, 0.0)


def test_a_change_of_an_account_concerns_all_its_regions() -> None:
    """Its limits are read again before the next call, wherever that is; other accounts' are not."""
    made = Slots(Quotas())
    elsewhere = Scope(SCOPE.account, "eu-west-1")
    found = [made.account(scope, 0.0) for scope in (SCOPE, elsewhere, Scope("1" * 12, "us-east-1"))]
    for one in found:
        one.claim(Claims({}), one.changes)
    made.note_account_change(SCOPE.account)
    assert [one.is_current for one in found] == [False, False, True]


LIMIT = 6
NAMES = st.sampled_from([F, G, H])


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: the counts are exact, and no limit is passed."""

    def __init__(self) -> None:
        super().__init__()
        self.account = AccountSlots(Quotas(concurrent_executions=LIMIT))
        self.now = 0.0
        self.reserved: dict[FunctionName, int] = {}
        self.running: list[tuple[FunctionName, Grant]] = []

    def count(self, name: FunctionName) -> int:
        return sum(one == name for one, _ in self.running)

    @rule(name=NAMES, passed=st.floats(0.0, 1.0))
    def take(self, name: FunctionName, passed: float) -> None:
        self.now += passed
        reserved = self.reserved.get(name)
        if reserved is None:
            others = sum(self.count(one) for one in (F, G, H) if one not in self.reserved)
            has_room = others < LIMIT - sum(self.reserved.values())
            kind = ""
        else:
            has_room = self.count(name) < reserved
            kind = "ReservedFunction"
        try:
            grant = self.account.take(name, self.now)
        except Throttled as throttled:
            assert not has_room or "RateLimit" in throttled.reason
            assert throttled.reason.startswith("Reserved") == bool(kind)
        else:
            assert has_room
            self.running.append((name, grant))

    @precondition(lambda self: self.running)
    @rule(chosen=st.randoms(use_true_random=False), answered=st.booleans())
    def end(self, chosen: random.Random, answered: bool) -> None:
        _, grant = self.running.pop(chosen.randrange(len(self.running)))
        if answered:
            grant.answer()
        grant.release()

    @rule(reserved=st.dictionaries(NAMES, st.integers(0, 3)))
    def reserve(self, reserved: dict[FunctionName, int]) -> None:
        self.reserved = reserved
        self.account.claim(Claims(reserved), 0)

    @invariant()
    def counts_are_exact(self) -> None:
        running = Counter(name for name, _ in self.running)
        assert {name: self.account.in_flight(name) for name in (F, G, H)} == {n: running[n] for n in (F, G, H)}
        unreserved = sum(count for name, count in running.items() if name not in self.reserved)
        assert self.account._unreserved.running == unreserved

    def teardown(self) -> None:
        for _, grant in self.running:
            grant.release()
        assert self.account._unreserved.running == 0
        assert all(function.share.pool.running == 0 for function in self.account._functions.values())
        self.account.take_peaks()
        assert self.account.take_peaks() is None
        assert self.account.is_idle(self.now + 1.0)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.booleans(), max_size=80), st.integers(0, 5))
def test_never_more_than_reserved(steps: list[bool], reserved: int) -> None:
    """Calls and ends in any order: what runs is never more than what is reserved."""
    made = account(f=reserved)
    running: list[Grant] = []
    for number, is_call in enumerate(steps):
        if is_call and len(running) < reserved:
            running.append(made.take(F, float(number)))
        elif is_call:
            assert reason(made, F, float(number)) == "ReservedFunctionConcurrentInvocationLimitExceeded"
        elif running:
            running.pop().release()
        assert made.in_flight(F) == len(running) <= reserved


def test_room_is_what_would_be_let_through() -> None:
    """The least of what is left of concurrency and of the rate; who has been answered counts as over."""
    slots = AccountSlots(Quotas(concurrent_executions=100))
    slots.claim(Claims({F: 2, G: 0}), slots.changes)
    assert (slots.room(F, 0.0), slots.room(G, 0.0)) == (2, 0)
    assert (slots.is_closed(F), slots.is_closed(G)) == (False, True)
    first, _second = slots.take(F, 0.0), slots.take(F, 0.0)
    assert slots.room(F, 0.0) == 0
    first.answer()
    assert slots.room(F, 0.0) == 1
    first.release()
    assert slots.room(F, 0.0) == 1
    # Twenty a second: what is left of them, whatever is free.
    for _ in range(18):
        slots.take(F, 0.0).release()
    assert slots.room(F, 0.0) == 0
    assert slots.room(F, 0.05) == 1
    # The others share what is not reserved.
    assert slots.room(FunctionName("h"), 0.0) == 98


def test_peaks_are_what_ran_at_once_since_the_last_look() -> None:
    """Also what only stayed; what is over by then is seen once, and what is idle not at all."""
    made = account(10, f=3)
    grants = [made.take(F, 0.0) for _ in range(3)]
    made.take(G, 0.0).release()
    grants.pop().release()
    peaks = made.take_peaks()
    assert peaks is not None
    assert dict(peaks.functions) == {F: 3, G: 1}
    assert (peaks.account, peaks.unreserved, peaks.claimed) == (4, 1, 4)
    peaks = made.take_peaks()
    assert peaks is not None
    assert (dict(peaks.functions), peaks.account, peaks.unreserved) == ({F: 2}, 2, 0)
    for grant in grants:
        grant.release()
    made.take_peaks()
    assert made.take_peaks() is None


def test_who_comes_back_at_once_is_one() -> None:
    """An invocation that has been answered counts against limits until it is over, and is no second one."""
    made = account(10)
    first = made.take(F, 0.0)
    first.answer()
    second = made.take(F, 0.0)
    first.release()
    peaks = made.take_peaks()
    assert peaks is not None
    assert (dict(peaks.functions), peaks.account, peaks.unreserved) == ({F: 1}, 1, 1)
    made.claim(Claims({F: 2}), 0)
    second.answer()
    second.release()
    made.take_peaks()
    assert made.take_peaks() is None


def test_peaks_tell_what_was_used_of_what_is_provisioned() -> None:
    """And each call whether it ran there; of versions without it nothing is said."""
    made = AccountSlots(Quotas(concurrent_executions=10))
    made.claim(Claims(provisioned={F: {"1": 2}}), 0)
    grants = [made.take(F, 0.0, "1") for _ in range(3)]
    assert [grant.is_provisioned for grant in grants] == [True, True, False]
    assert made.take(F, 0.0, "2").is_provisioned is None
    peaks = made.take_peaks()
    assert peaks is not None
    assert list(peaks.provisioned) == [(F, "1", 2, 2)]
    assert (dict(peaks.functions), peaks.unreserved, peaks.claimed) == ({F: 4}, 2, 4)


def test_a_function_with_a_peak_that_nobody_has_seen_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many others are called meanwhile."""
    monkeypatch.setattr(slots, "_KEPT_MIN", 1)
    made = account(10)
    made.take(F, 0.0).release()
    for number in range(5):
        made.take(FunctionName(f"g{number}"), 100.0).release()
    peaks = made.take_peaks()
    assert peaks is not None
    assert dict(peaks.functions)[F] == 1
