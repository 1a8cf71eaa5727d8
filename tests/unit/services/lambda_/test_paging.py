"""Markers between the pages of lists."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.services.lambda_.paging import decode_marker, decode_number, encode_marker, marker_number


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_marker_comes_back_as_it_went(text: str) -> None:
    """Whatever a page ended with; a marker is safe in a query string."""
    marker = encode_marker(text)
    assert decode_marker(marker) == text
    assert marker.isascii()
    assert not set(marker) & set("+/?&# ")


@given(st.integers(0, 10**18 - 1))
def test_a_number_comes_back_as_it_went(number: int) -> None:
    """As far as numbers of versions reach."""
    assert decode_number(encode_marker(str(number))) == number


@pytest.mark.parametrize("marker", [None, ""])
def test_no_marker_is_the_beginning(marker: str | None) -> None:
    """Absent and empty are the first page."""
    assert decode_marker(marker) is None
    assert decode_number(marker) is None


@pytest.mark.parametrize("marker", ["?", "???", "a", "YQ", "YQ=", "/+==", "ü", base64.b64encode(b"\xff").decode()])
def test_markers_that_are_none_of_ours(marker: str) -> None:
    """What cannot be decoded is the caller's mistake."""
    with pytest.raises(InvalidParameterValueException, match="Marker is not valid"):
        decode_marker(marker)


@pytest.mark.parametrize("text", ["", "x", "-1", " 1", "1_0", "\u00b2", "\u0661", "9" * 19])
def test_texts_that_are_no_number(text: str) -> None:
    """Nor is one that would not fit the column that it is compared with."""
    with pytest.raises(InvalidParameterValueException, match="Marker is not valid"):
        marker_number(text)
