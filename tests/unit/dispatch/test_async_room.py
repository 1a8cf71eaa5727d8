"""How many asynchronous invocations of one function run at once."""

import pytest

from lambent.dispatch.async_room import AsyncRoom, share, shared


def ran(*seconds: float) -> AsyncRoom:
    room = AsyncRoom(2)
    for took_s in seconds:
        room.begin(0.0)
        room.end(took_s, 0.0)
    return room


def test_a_function_that_nobody_knows_begins_small() -> None:
    """A few at once, and twice as many after each second that none has ended."""
    room = AsyncRoom(2)
    assert room.most(0.0) == 4
    room.begin(10.0)
    assert [room.most(10.0 + age) for age in (0.5, 1.0, 2.5, 3.0)] == [4, 8, 16, 32]
    assert room.ahead(10.0) == 0
    # After hours the number is still one.
    assert room.most(1e6) == 4 * 2**20


def test_no_more_than_a_server_can_begin_meanwhile() -> None:
    """A tenth of a second needs hundreds at once: as many as begin while one lasts."""
    # What keeps processors busy gains nothing from being more than they can use.
    assert [ran(took_s).most(0.0) for took_s in (0.0, 0.001, 0.01)] == [8, 8, 8]
    assert ran(0.1).most(0.0) == 501
    # The quickest says what a run takes.
    assert ran(2.0, 0.001).most(0.0) == 8
    # It fades: one quick run among long ones is no measure for ever.
    assert ran(0.001, *[1.0] * 400).most(0.0) > 1000


def test_a_cold_start_is_no_measure() -> None:
    """One that took seconds does not have hundreds started for a function of which nothing else is known."""
    room = AsyncRoom(2)
    for _ in range(2):
        room.begin(0.0)
    room.end(2.5, 2.5, is_cold=True)
    assert room.most(2.5) == 16
    room.end(0.001, 2.5)
    assert room.most(2.5) == 8
    # It is a success, though: refusals are over.
    room.begin(3.0)
    room.throttle(3.0)
    assert (room.most(3.0), room.throttles) == (1, 1)
    room.end(2.5, 2.5, is_cold=True)
    assert (room.most(3.0), room.throttles) == (2, 0)


def test_who_only_ever_starts_cold_is_not_taken_for_slow() -> None:
    """Who ends its environment with each event is never measured warm: what one took bounds the doubling."""
    room = AsyncRoom(2)
    for _ in range(2):
        room.begin(0.0)
    assert room.most(10.0) == 4096
    room.end(0.05, 10.0, is_cold=True)
    assert room.most(10.0) == 4
    room.begin(10.0)
    room.end(2.0, 12.0, is_cold=True)
    assert room.most(12.0) == 16


def test_quick_ones_are_claimed_ahead() -> None:
    """Where a claim takes as long as several runs, some wait at hand for each that runs."""
    assert ran(0.001).ahead(0.0) == 128
    assert ran(0.1).ahead(0.0) == 0


def test_refusals_halve_and_pause() -> None:
    """Each halves what may run and pauses longer, to a second; a success ends that, step by step."""
    room = ran(0.1)
    for _ in range(16):
        room.begin(0.0)
    assert room.throttle(0.0) == 0.05
    assert room.most(0.0) == 8
    assert [room.throttle(0.0) for _ in range(3)] == [0.1, 0.2, 0.4]
    assert room.most(0.0) == 1
    assert [room.throttle(0.0) for _ in range(9)][-1] == 1.0
    room.end(None, 0.0)
    assert room.most(0.0) == 1
    for _ in range(15):
        room.end(0.1, 0.0)
    assert room.most(0.0) == 16
    assert room.throttle(0.0) == 0.05


def test_refusals_are_forgotten_with_time() -> None:
    """One more with each second: where each lasts a quarter of an hour, nothing would succeed for so long."""
    room = ran(900.0)
    for _ in range(64):
        room.begin(0.0)
    for _ in range(9):
        room.throttle(5.0)
    assert (room.most(5.0), room.most(35.0)) == (1, 31)
    room.throttle(35.0)
    assert room.most(35.0) == 15


def test_a_quick_function_that_hangs_today_may_run_more() -> None:
    """Where none ends any more, what was learnt of quicker days binds no longer; the next end says it anew."""
    room = ran(0.001)
    for _ in range(6):
        room.begin(100.0)
    assert [room.most(100.0 + age) for age in (4.9, 5.0, 20.0)] == [8, 16, 128]
    assert room.ahead(120.0) == 128
    room.end(20.0, 120.0)
    assert room.most(120.5) == 8


@pytest.mark.parametrize("took_s", [0.4, None])
def test_a_quick_function_that_ends_without_a_measure_is_not_taken_for_slow(took_s: float | None) -> None:
    """Ends with a cold start, or of what did not run, say that nothing hangs: hundreds would be started otherwise."""
    room = ran(0.005)
    now = 0.0
    room.begin(now)
    for _ in range(400):
        now += 0.1
        room.begin(now)
        room.end(took_s, now, is_cold=took_s is not None)
        assert room.most(now) == 8


def test_each_function_leaves_a_part_of_what_the_others_leave() -> None:
    """The first takes three fourths, the second the same of the rest; of few places one function may have all."""
    taken: list[int] = []
    for _ in range(4):
        taken.append(share(250 - sum(taken)))
    assert taken == [188, 47, 12, 3]
    assert [share(left) for left in (-1, 0, 1, 3, 4)] == [0, 0, 1, 3, 3]


@pytest.mark.parametrize(
    ("wants", "left", "expected"),
    [
        ({"a": 3, "b": 4}, 10, {"a": 3, "b": 4}),
        ({"a": 100, "b": 2, "c": 100}, 10, {"a": 4, "b": 2, "c": 4}),
        ({"a": 5, "b": 5, "c": 5}, 2, {"a": 1, "b": 1}),
        ({"a": 5}, 0, {}),
    ],
)
def test_what_is_too_little_is_shared(wants: dict[str, int], left: int, expected: dict[str, int]) -> None:
    """Equal parts, those first that come first; what one does not want the others get."""
    assert shared(wants, left) == expected
