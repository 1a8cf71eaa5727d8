"""Filter expressions and groups, as requests name them."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.domain.caller import Scope
from lambent.domain.xray.filter_expression import FilterExpression, compile_expression
from lambent.domain.xray.filter_terms import InvalidExpression
from lambent.domain.xray.group import TraceGroup, with_default
from lambent.domain.xray.trace import Trace
from lambent.errors.api.xray import InvalidRequestException
from lambent.store.traces_contract import TraceSettings

_TRACE_IDS_MAX = 100
"""
Ids in one request. Documented: AWS takes five. Assumed: more is of use, and still one answer (test_xray).
"""

_TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")


class Filters:
    """What of a filter is kept elsewhere: groups."""

    def __init__(self, settings: TraceSettings) -> None:
        self._settings = settings

    async def ready(self, scope: Scope, expression: FilterExpression) -> Callable[[Trace], bool]:
        """Return what says whether a trace is one that an expression is for, with the groups that it names."""
        if not expression.has_groups:
            return expression.matches
        groups: dict[str, FilterExpression] = {}
        for group in with_default(await self._settings.list(scope, TraceGroup)):
            groups[group.name] = groups[group.arn(scope)] = compile_expression(group.filter_expression)
        return lambda trace: expression.matches(trace, groups)

    async def of_group(self, scope: Scope, request: Mapping[str, Any]) -> Callable[[Trace], bool]:
        """
        Return the filter of the group that a request names; every trace is one of a request that names none.

        Raises:
            InvalidRequestException: there is no such group.
        """
        if request.get("GroupName") is None and request.get("GroupARN") is None:
            return lambda trace: True
        group = named_group(scope, with_default(await self._settings.list(scope, TraceGroup)), request)
        return compile_expression(group.filter_expression).matches


def compiled(text: str) -> FilterExpression:
    """
    Compile an expression of a request.

    Raises:
        InvalidRequestException: it is none.
    """
    try:
        return compile_expression(text)
    except InvalidExpression as error:
        raise InvalidRequestException(f"Invalid filter expression: {error}") from error


def named_group(scope: Scope, groups: Sequence[TraceGroup], request: Mapping[str, Any]) -> TraceGroup:
    """
    Return the group that a request names, by name or by ARN.

    Raises:
        InvalidRequestException: it names none, or there is no such group.
    """
    name, arn = request.get("GroupName"), request.get("GroupARN")
    if name is None and arn is None:
        raise InvalidRequestException("GroupName or GroupARN is needed.")
    for group in groups:
        if group.name == (name or group.name) and group.arn(scope) == (arn or group.arn(scope)):
            return group
    # Assumed: the text (test_xray).
    raise InvalidRequestException("Group not found.")


def checked_trace_ids(given: Sequence[str]) -> tuple[list[str], list[str]]:
    """
    Return the ids of a request, each once and in small letters, and those that are none.

    Raises:
        InvalidRequestException: there are too many.
    """
    if len(given) > _TRACE_IDS_MAX:
        raise InvalidRequestException(f"A request names {_TRACE_IDS_MAX} traces at most.")
    ids = list(dict.fromkeys(id_.lower() for id_ in given if _TRACE_ID.fullmatch(id_.lower())))
    return ids, [id_ for id_ in given if not _TRACE_ID.fullmatch(id_.lower())]
