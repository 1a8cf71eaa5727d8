"""Parameters of questions about usage: what is taken, and that what is not is named."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.gateway.usage_parameters import ALL, OF_ADVICE, OF_RECORDS, OF_USAGE, InvalidParameter, Parameters, Whose
from lambent.store.usage_contract import UsageGroup

NOW_S = 1_796_000_000


def read(query: str) -> object:
    """Read all that a query says."""
    parameters = Parameters(query, (*OF_USAGE, "after", "limit"))
    return (
        parameters.period(NOW_S),
        parameters.by(),
        parameters.whose(parameters.account()),
        parameters.number("after", 0, 0, 1 << 62),
        parameters.number("limit", 100, 1, 1000),
    )


def test_what_is_taken() -> None:
    """Tags any number of times, all of which have to be there; what is empty is a value of a tag alone."""
    query = "by=tag%3Acost%3Acentre&account=111122223333&region=eu-west-1&function=f-1_x&tag=team=a=b&tag=stage="
    parameters = Parameters(query, OF_USAGE)
    assert parameters.by() == (UsageGroup.TAG, "cost:centre")
    wanted = Whose("111122223333", "eu-west-1", "f-1_x", {"team": "a=b", "stage": ""})
    assert parameters.whose(parameters.account()) == wanted
    assert Parameters("account=all", OF_USAGE).account() == ALL
    assert Parameters("", OF_USAGE).account() is None
    assert Parameters("", OF_USAGE).by() == (UsageGroup.FUNCTION, "")
    assert Parameters("after=12", OF_RECORDS).number("after", 0, 0, 100) == 12
    assert Parameters("", OF_RECORDS).number("limit", 7, 0, 100) == 7


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=2026-13", "from: '2026-13' is none of"),
        ("to=1", "to: '1' is none of"),
        ("step=week", "step: 'week' is none of"),
        ("timezone=Mars", "timezone: 'Mars' is no time zone"),
        ("by=cost", "by: 'cost' is none of function, version, alias, tag:KEY, tenant, account, region"),
        ("by=", "by: '' is none of"),
        ("by=tag", "by: 'tag' names no tag's key"),
        ("by=tag:", "by: 'tag:' names no tag's key"),
        ("by=tag:" + "k" * 129, "names no tag's key"),
        ("by=function:f", "by: 'function:f' is none of"),
        ("account=1", "account: '1' is neither"),
        ("account=", "account: '' is neither"),
        ("account=%D9%A1" * 12, "account"),
        ("region=EU", "region: 'EU' is no region's name"),
        ("function=a/b", "function: 'a/b' is no function's name"),
        ("function=a%0a", "function: 'a\\n' is no function's name"),
        ("tag=team", "tag: 'team' is not KEY=VALUE"),
        ("tag==a", "tag: '=a' is not KEY=VALUE"),
        ("tag=team=a&tag=team=b", "tag: 'team' cannot have two values"),
        ("after=-1", "after: '-1' is no whole number"),
        ("limit=0", "limit: '0' is no whole number from 1 to 1000"),
        ("limit=" + "9" * 5000, "is no whole number"),
        ("from=2026-11&from=2026-11", "from is given twice"),
        ("Form=2026-11", "'Form' is no parameter here: there are from, to"),
        ("&".join(f"tag=k{number}=v" for number in range(70)), "more than 64 parameters"),
    ],
)
def test_what_is_not(query: str, said: str) -> None:
    """400, and a text that names the parameter."""
    with pytest.raises(InvalidParameter) as refused:
        read(query)
    assert said in refused.value.message
    assert len(refused.value.message) < 500
    assert refused.value.status == 400


def test_each_path_has_its_own() -> None:
    """What has no meaning is refused instead of being passed over."""
    with pytest.raises(InvalidParameter, match="'step' is no parameter here"):
        Parameters("step=day", OF_ADVICE)
    with pytest.raises(InvalidParameter, match="'by' is no parameter here: there are none"):
        Parameters("by=function", ())
    with pytest.raises(InvalidParameter, match="by: 'tenant' is none of function, alias"):
        Parameters("by=tenant", OF_ADVICE).by((UsageGroup.FUNCTION, UsageGroup.ALIAS))


NAMES = st.sampled_from([*OF_USAGE, "after", "limit", "other"])


@given(st.one_of(st.text(max_size=60), st.lists(st.tuples(NAMES, st.text(max_size=20)), max_size=5).map(urlencode)))
def test_rubbish(query: str) -> None:
    """Whatever is sent is read or refused by name."""
    try:
        read(query)
    except InvalidParameter as refused:
        assert refused.message
