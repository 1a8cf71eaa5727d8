"""Pages of lists."""

import pytest

from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2.paging import Page, requested_page


def test_a_list_is_read_to_its_end() -> None:
    """Each page begins behind the one before, and the last one leads nowhere."""
    items = [f"i{number}" for number in range(5)]
    seen: list[str] = []
    request: dict[str, str] = {"MaxResults": "2"}
    for _ in range(3):
        page = requested_page(request)
        found = [item for item in items if item > page.after][: page.looked_at]
        answer = page.answer(found, lambda item: item, lambda item: {"Name": item})
        seen += [item["Name"] for item in answer["Items"]]
        request["NextToken"] = answer.get("NextToken", "")
    assert seen == items and request["NextToken"] == ""


@pytest.mark.parametrize(
    ("given", "size"), [({}, 100), ({"MaxResults": ""}, 100), ({"MaxResults": "3"}, 3), ({"MaxResults": "999999"}, 500)]
)
def test_how_many_a_page_holds(given: dict[str, str], size: int) -> None:
    """A hundred where nobody says, never more than five hundred."""
    assert requested_page(given) == Page("", size)


@pytest.mark.parametrize(
    "wrong",
    [
        {"MaxResults": "0"},
        {"MaxResults": "-1"},
        {"MaxResults": "1" * 5_000},
        {"NextToken": "?"},
        {"NextToken": "_w=="},
        {"NextToken": "AA=="},
        {"NextToken": "\u00e9"},
        {"NextToken": "===="},
    ],
    ids=range(8),
)
def test_what_is_no_page(wrong: dict[str, str]) -> None:
    """Numbers that are none, tokens that are not ours."""
    with pytest.raises(BadRequestException):
        requested_page(wrong)
