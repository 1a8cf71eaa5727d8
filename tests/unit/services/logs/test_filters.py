"""What metric filters and subscription filters have in common: room, pages."""

import pytest

from lambent.domain.caller import Scope
from lambent.domain.log_filter import LogFilter, MetricFilter, SubscriptionFilter
from lambent.errors.api.logs import InvalidParameterException, LimitExceededException
from lambent.services.logs.filters import check_room, parsed, refuse_what_is_not_offered

SCOPE = Scope("111122223333", "eu-west-1")


def metric(name: str, pattern: str = "") -> MetricFilter:
    return MetricFilter(SCOPE, "g", name, 1, pattern, "M", "N", "1")


def subscription(name: str, pattern: str = "") -> SubscriptionFilter:
    return SubscriptionFilter(SCOPE, "g", name, 1, pattern, "arn:aws:lambda:eu-west-1:111122223333:function:f")


def test_a_group_has_room_for_some_of_each_kind() -> None:
    """Those of the other kind take none of it."""
    others: list[LogFilter] = [subscription("a"), metric("b"), metric("c")]
    check_room(subscription("new"), others, 2)
    check_room(metric("new"), others, 3)
    for new, most in ((subscription("new"), 1), (metric("new"), 2)):
        with pytest.raises(LimitExceededException) as refused:
            check_room(new, others, most)
        assert refused.value.message == "Resource limit exceeded."


def test_a_group_has_room_for_five_regular_expressions() -> None:
    """Patterns with any, of both kinds together."""
    others = [*(metric(f"m{number}", "%x%") for number in range(4)), subscription("s", "{ $.a = %x% }"), metric("n")]
    check_room(metric("new", "x"), others, 100)
    with pytest.raises(LimitExceededException):
        check_room(metric("new", "[a=%x%]"), others, 100)
    check_room(metric("new", "[a=%x%]"), others[1:], 100)


def test_what_is_no_pattern_is_told_of_in_the_words_of_its_place() -> None:
    """Unless there is more to say."""
    assert parsed("ERROR", "no").matches("ERROR")
    with pytest.raises(InvalidParameterException, match=r"^no$"):
        parsed('"open', "no")
    with pytest.raises(InvalidParameterException, match="Invalid character"):
        parsed("a=b", "no")


def test_members_that_would_not_act_are_refused_by_name() -> None:
    """Saying of them what is so anyway is fine."""
    refuse_what_is_not_offered({"a": False, "b": "", "d": 1}, ("a", "b", "c"))
    with pytest.raises(InvalidParameterException, match=r"^b is not offered by this version of Lambent$"):
        refuse_what_is_not_offered({"a": False, "b": "x"}, ("a", "b"))
