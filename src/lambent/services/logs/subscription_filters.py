"""Subscription filters: functions that get the events of a group."""

from collections.abc import Mapping
from typing import Any, Protocol

from lambent.domain.caller import Caller, Scope
from lambent.domain.destination import parse_target
from lambent.domain.log_filter import SUBSCRIPTION_FILTERS_MAX, SubscriptionFilter
from lambent.errors.api.logs import AccessDeniedException, InvalidParameterException, ResourceNotFoundException
from lambent.protocol.shapes.logs import (
    DeleteSubscriptionFilterRequest,
    DescribeSubscriptionFiltersRequest,
    PutSubscriptionFilterRequest,
)
from lambent.services.logs.filters import FilterAccess, parsed, refuse_what_is_not_offered
from lambent.services.logs.naming import group_missing
from lambent.services.operation import operation


class Destinations(Protocol):
    """What is known of functions that would subscribe; `app.py` hands over what dispatch offers."""

    async def exists(self, scope: Scope, arn: str) -> bool:
        """Say whether an ARN is that of a function of this scope."""
        ...

    async def writes_to(self, scope: Scope, arn: str, group: str) -> bool:
        """Say whether the function's own lines go to a group."""
        ...

    async def is_let_in(self, scope: Scope, arn: str, group: str) -> bool:
        """Say whether the function's policy lets CloudWatch Logs in for a group."""
        ...


class SubscriptionFilters:
    """The subscription filters of groups."""

    def __init__(self, access: FilterAccess, destinations: Destinations) -> None:
        self._access = access
        self._destinations = destinations

    @operation("PutSubscriptionFilter")
    async def put(self, caller: Caller, request: PutSubscriptionFilterRequest) -> Mapping[str, Any]:
        parsed(request["filterPattern"], "Invalid filter pattern")
        refuse_what_is_not_offered(request, ("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFields"))
        # Observed: recordings of the service: the destination is looked at before the group is.
        await self._check_destination(caller.scope, request)
        made = SubscriptionFilter(
            scope=caller.scope,
            group=request["logGroupName"],
            name=request["filterName"],
            created_ms=int(self._access.now() * 1000),
            pattern=request["filterPattern"],
            destination_arn=request["destinationArn"],
            distribution=request.get("distribution", "ByLogStream"),
        )
        await self._access.put(made, SUBSCRIPTION_FILTERS_MAX)
        return {}

    @operation("DeleteSubscriptionFilter")
    async def delete(self, caller: Caller, request: DeleteSubscriptionFilterRequest) -> Mapping[str, Any]:
        # What was written before is still passed on.
        await self._access.fold()
        deleted = await self._access.filters.delete(
            SubscriptionFilter, caller.scope, request["logGroupName"], request["filterName"]
        )
        if deleted is None:
            raise group_missing()
        if not deleted:
            # Observed: recordings of the service.
            raise ResourceNotFoundException("The specified subscription filter does not exist.")
        self._access.changed()
        return {}

    @operation("DescribeSubscriptionFilters")
    async def describe(self, caller: Caller, request: DescribeSubscriptionFiltersRequest) -> Mapping[str, Any]:
        found, token = await self._access.page(SubscriptionFilter, caller, request, lambda _: True)
        answer: dict[str, Any] = {"subscriptionFilters": [_described(one) for one in found]}
        if token is not None:
            answer["nextToken"] = token
        return answer

    async def _check_destination(self, scope: Scope, request: PutSubscriptionFilterRequest) -> None:
        """
        Refuse what is no function here that takes the group's events.

        Raises:
            InvalidParameterException: it is of another service, or does not let CloudWatch Logs in.
            AccessDeniedException: it is of another account, or not there.
        """
        arn, group = request["destinationArn"], request["logGroupName"]
        target = parse_target(arn)
        if target is None:
            # Assumed: the text (test_subscription_filters).
            raise InvalidParameterException("The specified destinationArn is invalid.")
        has_role = "roleArn" in request
        if target.service != "lambda":
            if target.service in {"kinesis", "firehose"} and not has_role:
                # Observed: recordings of the service, of Kinesis.
                raise InvalidParameterException(
                    f"destinationArn for vendor {target.service} cannot be used without roleArn"
                )
            raise InvalidParameterException(
                f"Destinations of {target.service} are not offered by this version of Lambent: functions are"
            )
        if has_role:
            # Observed: field reports of the text.
            raise InvalidParameterException("destinationArn for vendor lambda cannot be used with roleArn")
        if not await self._destinations.exists(scope, arn):
            # Observed: recordings of the service.
            raise AccessDeniedException(
                "Cross-account lambda invocation passing is not allowed. You must use DestinationPolicies to create "
                "cross account lambda triggers."
            )
        if await self._destinations.writes_to(scope, arn, group):
            # Assumed: the text (test_subscription_filters).
            raise InvalidParameterException(
                "The log group provided is reserved for the function log group of the destination function."
            )
        if not await self._destinations.is_let_in(scope, arn, group):
            # Observed: field reports of the text.
            raise InvalidParameterException(
                "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute "
                "your function."
            )


def _described(one: SubscriptionFilter) -> dict[str, Any]:
    return {
        "filterName": one.name,
        "logGroupName": one.group,
        "filterPattern": one.pattern,
        "destinationArn": one.destination_arn,
        "distribution": one.distribution,
        "applyOnTransformedLogs": False,
        "creationTime": one.created_ms,
    }
