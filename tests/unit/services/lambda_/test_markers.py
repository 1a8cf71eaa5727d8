"""Markers: ours come back, and everything else is refused as a caller's mistake."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.services.lambda_.markers import (
    decode_marker,
    decode_version_marker,
    encode_marker,
    page_size,
    version_marker,
)


def test_a_page_has_at_most_fifty() -> None:
    """MaxItems makes it smaller, never larger."""
    assert [page_size({}), page_size({"MaxItems": 3}), page_size({"MaxItems": 10_000})] == [50, 3, 50]


def test_no_marker_begins_at_the_beginning() -> None:
    """An empty one counts as none."""
    assert [decode_marker(none) for none in (None, "")] == [decode_version_marker(None), None] == [None, None]


@given(st.text())
def test_markers_come_back(text: str) -> None:
    """Whatever a marker was made of."""
    assert decode_marker(encode_marker(text)) == (text or None)


def test_versions_come_back_as_numbers() -> None:
    """`$LATEST` stands before them all."""
    assert [decode_version_marker(version_marker(version)) for version in ("$LATEST", "1", "9" * 18)] == [
        0, 1, 10**18 - 1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("decode", "marker"),
    [
        (decode_marker, "?"),
        (decode_marker, "a"),
        (decode_marker, "\u00e9"),
        (decode_marker, "_w=="),
        *((decode_version_marker, encode_marker(text)) for text in ("x", "-1", "\u0663", "1:2", "9" * 19, "9" * 5000)),
    ],
)
def test_what_is_none_of_ours_is_refused(decode: Callable[[str], Any], marker: str) -> None:
    """No base64, no UTF-8, no number, or one that no version can have."""
    with pytest.raises(InvalidParameterValueException, match="Marker is not valid"):
        decode(marker)
