"""Pages: everything once, in order, whatever the filter leaves out."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.identity import User
from lambent.services.iam import paging
from lambent.services.iam.paging import Page, page_of, requested_page
from lambent.services.iam.refusals import ValidationError


@given(st.sets(st.text("abcxyz0189-_", min_size=1, max_size=5)), st.integers(1, 4))
def test_pages_hold_everything_once(names: set[str], size: int) -> None:
    """A caller who follows the marker has seen all of it, by name."""
    seen: list[str] = []
    request: dict[str, Any] = {"MaxItems": size}
    while True:
        answer = requested_page(request).of(names, str).answer("Names", str)
        assert len(answer["Names"]) == size or not answer["IsTruncated"]
        seen += answer["Names"]
        if not answer["IsTruncated"]:
            break
        request["Marker"] = answer["Marker"]
    assert seen == sorted(names)


@pytest.mark.parametrize("marker", ["%", "=", "AA==", "w6Q=", "YQ"])
def test_a_marker_is_one_of_ours(marker: str) -> None:
    """What does not decode, or decodes to what no name has, is refused."""
    with pytest.raises(ValidationError, match="Invalid Marker"):
        requested_page({"Marker": marker})


def test_a_filter_does_not_make_pages_short(tell: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are read on until the page is full, a few at a time."""
    monkeypatch.setattr(paging, "_READ_AT_ONCE", 3)

    async def story(bench: Any) -> None:
        for number in range(10):
            await bench.call("CreateUser", UserName=f"u{number}")
        async with bench.store.snapshot("111122223333") as rows:
            found = await page_of(rows, User, Page("", 4), lambda user: int(user.name[1]) % 2 == 1)
            assert [user.name for user in found.items] == ["u1", "u3", "u5", "u7"]
            assert found.last_key == "u7"
            rest = await page_of(rows, User, Page("u7", 4), lambda user: int(user.name[1]) % 2 == 1)
            assert ([user.name for user in rest.items], rest.last_key) == (["u9"], None)

    tell(story)
