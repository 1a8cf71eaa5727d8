"""How a directory's owner and an environment's user change places."""

import pytest

from lambent.sandbox.filesystem import swapped

EVERYBODY = 0xFFFFFFFF


def shown(mapping: str, number: int) -> int:
    """Return as whom a mapping shows a user."""
    for line in mapping.splitlines():
        inside, outside, count = map(int, line.split())
        if inside <= number < inside + count:
            return outside + number - inside
    raise AssertionError(f"{number} is nobody")


@pytest.mark.parametrize("one", [1, 2, 1000, 65534, EVERYBODY - 1])
@pytest.mark.parametrize("other", [1, 2, 3, 1_900_000_000, EVERYBODY - 1])
def test_two_change_places_and_all_others_stay(one: int, other: int) -> None:
    """Whoever is not one of them is who they are, root first of all; nobody is left out, and none is there twice."""
    mapping = swapped(one, other)
    assert (shown(mapping, one), shown(mapping, other)) == (other, one)
    around = {number + step for number in (one, other) for step in (-1, 1)} | {0, 12345, EVERYBODY - 1}
    for number in around - {one, other, EVERYBODY}:
        assert shown(mapping, number) == number
    parts = [tuple(map(int, line.split())) for line in mapping.splitlines()]
    assert sum(count for _, _, count in parts) == EVERYBODY
    assert all(count > 0 for _, _, count in parts)
