"""The ids of APIs and what they consist of."""

from collections.abc import Awaitable, Callable

from lambent.clock import Clock
from lambent.domain.http_api import Part
from lambent.store.contract import FunctionTransaction

_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789"

API_LENGTH = 10
PART_LENGTH = 7
DEPLOYMENT_LENGTH = 6
# Observed: aws/aws-cli, the examples of apigatewayv2.


def new_id(clock: Clock, length: int) -> str:
    """Return an id of lower-case letters and digits that begins with a letter."""
    number = int(clock.token_hex(16), 16)
    number, first = divmod(number, 26)
    letters = [_DIGITS[first]]
    for _ in range(length - 1):
        number, digit = divmod(number, len(_DIGITS))
        letters.append(_DIGITS[digit])
    return "".join(letters)


async def free_id(clock: Clock, length: int, taken: Callable[[str], Awaitable[object]]) -> str:
    """Return an id for which `taken` says None: short ones meet at times."""
    while await taken(made := new_id(clock, length)) is not None:
        pass
    return made


async def free_part_id(
    tx: FunctionTransaction, kind: type[Part], api_id: str, clock: Clock, length: int = PART_LENGTH
) -> str:
    """Return an id that no part of a kind has in its API."""

    async def taken(made: str) -> Part | None:
        return await tx.http_apis.part(kind, api_id, made)

    return await free_id(clock, length, taken)
