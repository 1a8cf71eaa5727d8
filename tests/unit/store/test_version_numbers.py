"""Names of versions, and the numbers that stand for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.function import LATEST
from lambent.store.version_numbers import number_of


@given(st.integers(1, 10**18 - 1))
def test_a_published_version_is_its_number(number: int) -> None:
    """Decimal digits stand for themselves, as far as the column reaches."""
    assert number_of(str(number)) == number


def test_latest_sorts_before_all() -> None:
    """`$LATEST` is 0, which no published version is."""
    assert number_of(LATEST) == 0


@pytest.mark.parametrize(
    "text", ["0", "01", "", "-1", "+1", " 1", "1 ", "1_0", "live", "$latest", "\u00b2", "\u0661", str(10**18)]
)
def test_other_texts_name_no_version(text: str) -> None:
    """What is not written as a version's number is none, though Python might read it as one."""
    assert number_of(text) is None
