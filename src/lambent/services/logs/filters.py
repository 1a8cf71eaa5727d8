"""What metric filters and subscription filters have in common."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.domain.caller import Caller
from lambent.domain.filter_pattern import FilterPattern, InvalidPattern, parse
from lambent.domain.log_filter import REGEX_FILTERS_MAX, LogFilter
from lambent.errors.api.logs import InvalidParameterException, LimitExceededException
from lambent.services.logs.naming import group_missing
from lambent.services.logs.tokens import name_token, parse_name_token
from lambent.store.contract import LogStore
from lambent.store.log_filters_contract import AnyFilter, LogFilterStore

PAGE_MAX = 50
"""Documented: DescribeMetricFilters and DescribeSubscriptionFilters, the most and the default of `limit`."""


class FilterAccess(NamedTuple):
    """
    What both resources work on.

    Args:
        logs: tells which groups there are.
        changed: has what comes next seen by what is configured now.
        fold: brings what functions have written so far into the store, and with it their groups.
        now: seconds since the epoch.
    """

    filters: LogFilterStore
    logs: LogStore
    changed: Callable[[], None]
    fold: Callable[[], Awaitable[None]]
    now: Callable[[], float]

    async def put(self, log_filter: LogFilter, most: int) -> None:
        """
        Insert or replace a filter.

        Args:
            most: of its kind in one group.

        Raises:
            ResourceNotFoundException: there is no such group.
            LimitExceededException: it would be one too many.
        """
        await self.fold()
        if not await self.filters.put(log_filter, lambda others: check_room(log_filter, others, most)):
            raise group_missing()
        self.changed()

    async def page(
        self, kind: type[AnyFilter], caller: Caller, request: Mapping[str, Any], is_wanted: Callable[[AnyFilter], bool]
    ) -> tuple[Sequence[AnyFilter], str | None]:
        """
        Return a page of filters, and the token that goes on after it.

        Raises:
            ResourceNotFoundException: there is no such group.
        """
        group = request.get("logGroupName")
        limit = request.get("limit", PAGE_MAX)
        after = _parse_token(request["nextToken"]) if "nextToken" in request else None
        await self.fold()
        if group is not None and await self.logs.group(caller.scope, group) is None:
            raise group_missing()
        found: list[AnyFilter] = []
        while len(found) <= limit:
            some = await self.filters.list(
                kind,
                caller.scope,
                group=group,
                prefix=request.get("filterNamePrefix", ""),
                after=after,
                limit=limit + 1,
            )
            found += [one for one in some if is_wanted(one)]
            if len(some) <= limit:
                break
            after = (some[-1].name, some[-1].group)
        token = None
        if len(found) > limit:
            last = found[limit - 1]
            token = name_token(f"{last.name}\n{last.group}")
        return found[:limit], token


def check_room(log_filter: LogFilter, others: Sequence[LogFilter], most: int) -> None:
    """
    Refuse a filter for which its group has no room.

    Raises:
        LimitExceededException: Observed, for a third subscription filter: recordings of the service. Assumed: the same
            text for the others (test_filters).
    """
    is_full = sum(1 for one in others if type(one) is type(log_filter)) >= most
    if is_full or (_has_regex(log_filter) and sum(map(_has_regex, others)) >= REGEX_FILTERS_MAX):
        raise LimitExceededException("Resource limit exceeded.")


def _has_regex(log_filter: LogFilter) -> bool:
    # There is none without its sign: a group may have a hundred patterns, and reading them all takes a while.
    return "%" in log_filter.pattern and parse(log_filter.pattern).regexes > 0


def parsed(text: str, otherwise: str) -> FilterPattern:
    """
    Read a pattern.

    Args:
        otherwise: what to say of one of which nothing else is to be said.

    Raises:
        InvalidParameterException: it is none.
    """
    try:
        return parse(text)
    except InvalidPattern as error:
        raise InvalidParameterException(str(error) if error.is_specific else otherwise) from None


def refuse_what_is_not_offered(request: Mapping[str, Any], members: Sequence[str]) -> None:
    """
    Refuse members that would be stored without acting, unless they say what is so anyway.

    Raises:
        InvalidParameterException: naming the first.
    """
    for member in members:
        if request.get(member):
            raise InvalidParameterException(f"{member} is not offered by this version of Lambent")


def _parse_token(token: str) -> tuple[str, str]:
    name, _, group = parse_name_token(token).partition("\n")
    return name, group
