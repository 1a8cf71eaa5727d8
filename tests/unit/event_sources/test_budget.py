"""Whose turn it is where all that may run is taken."""

from lambent.event_sources.budget import HELD_MAX_BYTES, Budget

RECORD = 1 << 20


class Turn:
    """A reader that notes its turns; it begins a batch at once, has to read first, or has nothing to do."""

    def __init__(self, budget: Budget, *, begins: bool = False, reads: bool = False, has_ready: bool = False) -> None:
        self.budget = budget
        self.begins = begins
        self.reads = reads
        self.has_ready = has_ready
        self.turns = 0

    def look(self) -> bool:
        self.turns += 1
        if self.begins:
            self.budget.begin(self)
        return self.reads


def test_an_end_gives_one_turn_to_who_waited_longest() -> None:
    """And whoever wants more stands behind the others."""
    budget = Budget(1, RECORD)
    first, second = Turn(budget, begins=True), Turn(budget, begins=True)
    budget.begin(first)
    assert budget.is_full_for(second)
    for reader in (first, second):
        budget.stand_in_line(reader)
    for turns in ((1, 0), (1, 1)):
        budget.end()
        budget.release(0)
        assert (first.turns, second.turns) == turns
    assert not budget.has_line


def test_a_place_is_kept_for_who_has_to_read_first() -> None:
    """Nobody else gets it meanwhile; what it does not use is the next one's."""
    budget = Budget(1, RECORD)
    slow, next_one, stranger = Turn(budget, reads=True), Turn(budget, begins=True), Turn(budget)
    budget.stand_in_line(slow)
    budget.stand_in_line(next_one)
    budget.release(0)
    assert (slow.turns, next_one.turns) == (1, 0)
    assert budget.is_full_for(stranger)
    assert not budget.is_full_for(slow)
    budget.end_turn(slow)
    assert next_one.turns == 1


def test_a_turn_that_nobody_uses_is_no_turn() -> None:
    """Those that left, or find they have nothing to do, keep nobody waiting."""
    budget = Budget(1, RECORD)
    gone, idle, ready = Turn(budget), Turn(budget), Turn(budget, begins=True)
    for reader in (gone, idle, ready):
        budget.stand_in_line(reader)
    budget.leave(gone)
    budget.release(0)
    assert (gone.turns, idle.turns, ready.turns) == (0, 1, 1)


def test_bytes_have_their_limit() -> None:
    """Turns come when there is room for a record again."""
    budget = Budget(10, RECORD)
    reader = Turn(budget)
    budget.hold(HELD_MAX_BYTES - RECORD + 1)
    budget.stand_in_line(reader)
    budget.release(0)
    assert reader.turns == 0
    budget.release(1)
    assert reader.turns == 1
    assert budget.left_bytes == RECORD


def test_who_holds_the_bytes_is_not_kept_from_what_it_has_read() -> None:
    """It needs no more of them, and nobody else can free them; who has nothing keeps its place."""
    budget = Budget(10, RECORD)
    empty, holder = Turn(budget), Turn(budget, begins=True, has_ready=True)
    budget.hold(HELD_MAX_BYTES)
    budget.stand_in_line(empty)
    budget.stand_in_line(holder)
    budget.release(0)
    assert (empty.turns, holder.turns) == (0, 1)
    budget.end()
    budget.release(HELD_MAX_BYTES)
    assert (empty.turns, holder.turns) == (1, 1)


def test_what_others_leave() -> None:
    """One's own does not count against it."""
    budget = Budget(10, RECORD)
    for _ in range(4):
        budget.begin(Turn(budget))
    assert budget.left_by_others(1) == 7
