"""
Roles that belong to a service. Tools make them where a service of AWS's would need one; here none needs any.

Documented: IAM user guide, using service-linked roles.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.identity import Role
from lambent.errors.api.iam import InvalidInputException, NoSuchEntityException
from lambent.protocol.shapes.iam import (
    CreateServiceLinkedRoleRequest,
    DeleteServiceLinkedRoleRequest,
    GetServiceLinkedRoleDeletionStatusRequest,
)
from lambent.services.iam.identities import SERVICE_LINKED, check_new, find, fresh
from lambent.services.iam.refusals import missing
from lambent.services.iam.shown import created_role
from lambent.services.operation import operation
from lambent.store.contract import IdentityStore


class _Linked(NamedTuple):
    suffix: str
    """Of the role's name, behind `AWSServiceRoleFor`."""
    takes_suffix: bool = False


# Documented: user guides of the services, their service-linked roles.
_SERVICES: Mapping[str, _Linked] = {
    "apidestinations.events.amazonaws.com": _Linked("AmazonEventBridgeApiDestinations"),
    "autoscaling.amazonaws.com": _Linked("AutoScaling", takes_suffix=True),
    "batch.amazonaws.com": _Linked("Batch"),
    "dynamodb.application-autoscaling.amazonaws.com": _Linked("ApplicationAutoScaling_DynamoDBTable"),
    "ecs.amazonaws.com": _Linked("ECS"),
    "elasticache.amazonaws.com": _Linked("ElastiCache"),
    "elasticloadbalancing.amazonaws.com": _Linked("ElasticLoadBalancing"),
    "es.amazonaws.com": _Linked("AmazonElasticsearchService"),
    "events.amazonaws.com": _Linked("CloudWatchEvents"),
    "lambda.amazonaws.com": _Linked("Lambda"),
    "lambda.application-autoscaling.amazonaws.com": _Linked("ApplicationAutoScaling_LambdaConcurrency"),
    "ops.apigateway.amazonaws.com": _Linked("APIGateway"),
    "rds.amazonaws.com": _Linked("RDS"),
    "replication.dynamodb.amazonaws.com": _Linked("DynamoDBReplication"),
    "replicator.lambda.amazonaws.com": _Linked("LambdaReplicator"),
}

_PRINCIPAL = re.compile(r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+){0,6}\.amazonaws\.com", re.ASCII)
_TASK = re.compile(
    rf"task(?P<path>{SERVICE_LINKED}[a-z0-9.-]+/)(?P<role>[\w+=,.@-]{{1,64}})/[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}",
    re.ASCII,
)
_NAME_MAX = 64


class ServiceLinkedRoles:
    """Made and deleted; the service alone changes what they may do."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateServiceLinkedRole")
    async def create(self, caller: Caller, request: CreateServiceLinkedRoleRequest) -> Mapping[str, Any]:
        service, account = request["AWSServiceName"], caller.scope.account
        name = name_of(service, request.get("CustomSuffix"))
        trust_policy = msgspec.json.encode(
            {
                "Version": "2012-10-17",
                "Statement": [{"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [service]}}],
            }
        ).decode()
        async with self._store.transaction(account) as tx:
            if await tx.get(Role, name) is not None:
                # Observed: localstack/localstack tests/aws/services/iam (recorded).
                raise InvalidInputException(
                    f"Service role name {name} has been taken in this account, please try a different suffix."
                )
            await check_new(tx, Role, name)
            role = fresh(
                Role,
                self._clock,
                account,
                name,
                path=f"{SERVICE_LINKED}{service}/",
                trust_policy=trust_policy,
                description=request.get("Description"),
            )
            await tx.save(role)
        return {"Role": created_role(role, trust_policy)}

    @operation("DeleteServiceLinkedRole")
    async def delete(self, caller: Caller, request: DeleteServiceLinkedRoleRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            role = await find(tx, Role, request["RoleName"])
            if not role.path.startswith(SERVICE_LINKED):
                # Assumed: a role that is none counts as not there (test_iam_roles).
                raise missing("role", request["RoleName"])
            await tx.delete(Role, role.name)
        # Observed: localstack/localstack (recorded): the form.
        return {"DeletionTaskId": f"task{role.path}{role.name}/{self._clock.new_id()}"}

    @operation("GetServiceLinkedRoleDeletionStatus")
    async def deletion_status(
        self, caller: Caller, request: GetServiceLinkedRoleDeletionStatusRequest
    ) -> Mapping[str, Any]:
        found = _TASK.fullmatch(request["DeletionTaskId"])
        async with self._store.snapshot(caller.scope.account) as rows:
            role = None if found is None else await rows.get(Role, found["role"])
        # Deleting is done at once, so the task is known by its role being gone; one made anew has another task.
        if found is None or (role is not None and role.path == found["path"]):
            # Assumed: the text (test_iam_roles).
            raise NoSuchEntityException(f"The deletion task {request['DeletionTaskId']} cannot be found.")
        return {"Status": "SUCCEEDED"}


def name_of(service: str, suffix: str | None) -> str:
    """
    Return the name of a service's role.

    Args:
        service: for instance `ops.apigateway.amazonaws.com`. Of one that is not in the table the name is made of its
            first label. Assumed: as good as any other, since nobody here looks for it (test_service_linked_roles).

    Raises:
        InvalidInputException: it is no service's name, or its role takes no suffix.
    """
    if _PRINCIPAL.fullmatch(service) is None:
        # Assumed: the text (test_service_linked_roles).
        raise InvalidInputException(f"Service {service} is not valid.")
    linked = _SERVICES.get(service) or _Linked(
        "".join(word.capitalize() for word in service.partition(".")[0].split("-")), takes_suffix=True
    )
    if suffix is None:
        return f"AWSServiceRoleFor{linked.suffix}"
    if not linked.takes_suffix:
        # Observed: localstack/localstack tests/aws/services/iam (recorded).
        raise InvalidInputException(f"Custom suffix is not allowed for {service}")
    name = f"AWSServiceRoleFor{linked.suffix}_{suffix}"
    if len(name) > _NAME_MAX:
        raise InvalidInputException(f"The role's name {name} is longer than {_NAME_MAX} characters.")
    return name
