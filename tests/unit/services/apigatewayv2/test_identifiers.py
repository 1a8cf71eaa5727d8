"""Ids."""

import asyncio

from lambent.services.apigatewayv2.identifiers import free_id, new_id
from lambent.testing.virtual_clock import VirtualClock


def test_ids_have_a_length_and_begin_with_a_letter() -> None:
    """Lower-case letters and digits."""
    clock = VirtualClock()
    made = {new_id(clock, 10) for _ in range(200)}
    assert len(made) == 200
    for one in made:
        assert len(one) == 10 and one[0].isalpha() and one.isascii() and one.isalnum() and one == one.lower()


def test_an_id_that_is_taken_is_not_given_again() -> None:
    """The next one is, though chance should bring the first."""
    asked: list[str] = []

    async def taken(made: str) -> str | None:
        asked.append(made)
        return made if len(asked) < 3 else None

    assert asyncio.run(free_id(VirtualClock(), 7, taken)) == asked[-1] and len(asked) == 3
