"""Queries as requests have them: what breaks a rule is refused, before anything is read."""

import asyncio
from typing import Any

import pytest
from unit.services.monitoring.stage import SCOPE, stat

from lambent.errors.families import ApiError
from lambent.services.monitoring.metric_query import parse_queries, parsed_queries


def math(text: str, id: str = "e", **other: Any) -> dict[str, Any]:
    return {"Id": id, "Expression": text, **other}


def test_the_reason_names_the_query() -> None:
    """And a query without anything is told what it lacks. Observed: the second text, with the line's end."""
    with pytest.raises(ApiError, match="Error in expression 'e': Unknown id: x"):
        parse_queries(SCOPE, [math("x")])
    with pytest.raises(ApiError) as refused:
        parse_queries(SCOPE, [{"Id": "q"}])
    assert refused.value.message == "The parameter MetricDataQueries.member.1.MetricStat is required.\n"


def test_expressions_of_a_request_are_bounded() -> None:
    """Together: each may have 2,048 characters, and there may be 500 of them."""
    long = "+".join(["1"] * 1000)
    with pytest.raises(ApiError, match="characters"):
        asyncio.run(parsed_queries(SCOPE, [math(long, id=f"e{number}") for number in range(100)]))


@pytest.mark.parametrize("others", [0, 3])
def test_what_takes_long_to_read_is_read_likewise(others: int) -> None:
    """In a thread, with the same queries as a result."""
    given = [stat("errors"), *(math(f"MAX([{', '.join(['q'] * 400)}])", id=f"e{number}") for number in range(others))]
    assert asyncio.run(parsed_queries(SCOPE, given)) == parse_queries(SCOPE, given)
    assert len(parse_queries(SCOPE, given)) == 1 + others
