"""What a function's settings must satisfy beyond the service model."""

from collections.abc import Callable

import pytest

from lambent.domain.function_limits import (
    check_ephemeral_storage,
    check_memory,
    check_new_name,
    check_timeout,
)
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.errors.families import ValidationException


def test_a_name_of_64_characters_is_the_longest() -> None:
    """One more is an InvalidParameterValueException with the text of a shape violation."""
    check_new_name("a" * 64)
    with pytest.raises(InvalidParameterValueException) as refused:
        check_new_name("a" * 65)
    assert refused.value.message == (
        f"1 validation error detected: Value '{'a' * 65}' at 'functionName' failed to satisfy constraint: "
        "Member must have length less than or equal to 64"
    )


@pytest.mark.parametrize(
    ("check", "member", "most"),
    [
        (check_timeout, "timeout", 900),
        (check_memory, "memorySize", 10_240),
        (check_ephemeral_storage, "ephemeralStorage.size", 10_240),
    ],
)
def test_the_quota_is_the_most(check: Callable[[int, Quotas], None], member: str, most: int) -> None:
    """The service model's own maxima are those of managed instances: far more."""
    check(most, Quotas())
    with pytest.raises(ValidationException) as refused:
        check(most + 1, Quotas())
    assert refused.value.message == (
        f"1 validation error detected: Value '{most + 1}' at '{member}' failed to satisfy constraint: "
        f"Member must have value less than or equal to {most}"
    )
