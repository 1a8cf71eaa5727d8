"""Which tags a resource may have."""

import pytest

from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2.tags import check_tags


def test_tags_that_may_be() -> None:
    """Letters of any language, digits, blanks and a few signs; empty values."""
    check_tags({})
    check_tags({"team": "", "Größe 1:a/b=c+d-e@f._": "日本"})
    check_tags({f"k{number}": "v" * 256 for number in range(50)})


@pytest.mark.parametrize(
    "wrong",
    [
        {"": "v"},
        {"k" * 129: "v"},
        {"k": "v" * 257},
        {"aws:k": "v"},
        {"AWS:k": "v"},
        {"k;": "v"},
        {"k": "<v>"},
        {f"k{number}": "v" for number in range(51)},
    ],
    ids=range(8),
)
def test_tags_that_may_not_be(wrong: dict[str, str]) -> None:
    """Too long, too many, reserved, of other characters."""
    with pytest.raises(BadRequestException):
        check_tags(wrong)
