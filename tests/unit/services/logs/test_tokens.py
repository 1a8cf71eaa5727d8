"""Tokens, as pure text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.errors.api.logs import InvalidParameterException
from lambent.services.logs import tokens
from lambent.store.contract import EventCursor, LogEvent

places = st.builds(
    EventCursor,
    timestamp_ms=st.integers(0, 1 << 40),
    ingestion_ms=st.integers(0, 1 << 40),
    sequence=st.integers(0, 1 << 40),
)


@given(place=places, forward=st.booleans())
def test_a_token_comes_back_as_its_place(place: EventCursor, forward: bool) -> None:
    """What is written into a token is read from it."""
    direction = tokens.FORWARD if forward else tokens.BACKWARD
    assert tokens.parse_page_token(tokens.page_token(direction, place)) == (direction, place)
    direction = tokens.OLDEST_FIRST if forward else tokens.NEWEST_FIRST
    assert tokens.parse_search_token(tokens.search_token(direction, place)) == (direction, place)


@given(place=places)
def test_a_token_holds_an_event_id(place: EventCursor) -> None:
    """The digits of a token are those of the event at its place."""
    event = LogEvent("s", place.timestamp_ms, place.ingestion_ms, place.sequence, "")
    assert tokens.page_token(tokens.FORWARD, tokens.at(event)) == f"f/{event.event_id}/s"


@given(name=st.text(min_size=1))
def test_a_name_comes_back(name: str) -> None:
    """Any name survives its token."""
    assert tokens.parse_name_token(tokens.name_token(name)) == name


@given(text=st.text())
def test_anything_else_is_refused_in_one_way(text: str) -> None:
    """Text of strangers gives a value or the one refusal, never another failure."""
    for parse in (
        tokens.parse_page_token,
        tokens.parse_search_token,
        tokens.parse_name_token,
        tokens.parse_offset_token,
    ):
        try:
            parse(text)
        except InvalidParameterException as error:
            assert error.message == "The specified nextToken is invalid."


def test_digits_beyond_the_store_are_refused() -> None:
    """Digits that no event of ours can have do not reach the database."""
    with pytest.raises(InvalidParameterException):
        tokens.parse_page_token(f"f/{1 << 143:056d}/s")
