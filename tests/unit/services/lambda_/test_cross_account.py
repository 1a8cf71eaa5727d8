"""Which requests of other accounts go on, as whom, and what the others are told."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from lambent.domain.arn import function_arn
from lambent.domain.caller import Caller, Scope
from lambent.domain.function import LATEST
from lambent.domain.principal import Session, root_of, session_of_role
from lambent.domain.resource_policy import ResourcePolicy
from lambent.errors.families import AccessDeniedException
from lambent.services.lambda_.cross_account import GRANTABLE, CrossAccount
from lambent.services.lambda_.not_offered import NOT_OFFERED
from lambent.testing.virtual_clock import VirtualClock

OWNER = Scope("111111111111", "us-east-1")
CALLER = Caller(
    scope=Scope("222222222222", "us-east-1"),
    principal=root_of("222222222222"),
    authenticated_by="none",
    request_id="id",
    endpoint="http://x",
)
ARN = function_arn(OWNER, "f")


def grant(action: str = "lambda:*", resource: str = ARN) -> ResourcePolicy:
    statement = {"Effect": "Allow", "Principal": {"AWS": CALLER.principal.arn}, "Action": action, "Resource": resource}
    return ResourcePolicy((statement,))


class Policies:
    """The policies of OWNER's function `f` by qualifier; notes every look at one."""

    def __init__(self, **policies: ResourcePolicy) -> None:
        self.stored: dict[str | None, ResourcePolicy] = {
            None if qualifier == "function" else qualifier: policy for qualifier, policy in policies.items()
        }
        self.looks: list[tuple[Scope, str, str | None]] = []

    @property
    def policies(self) -> "Policies":
        return self

    @asynccontextmanager
    async def snapshot(self, scope: Scope) -> AsyncIterator["Policies"]:
        self.scope = scope
        yield self

    async def get(self, name: str, qualifier: str | None) -> ResourcePolicy | None:
        self.looks.append((self.scope, name, qualifier))
        return self.stored.get(qualifier) if (self.scope, name) == (OWNER, "f") else None


def call(policies: Policies, operation: str, request: Mapping[str, Any], sender: Caller = CALLER) -> Caller:
    """Send a request; return the caller as the handler sees it."""

    async def handler(caller: Caller, request: Any) -> Mapping[str, Any]:
        return {"caller": caller}

    opened = CrossAccount(policies, VirtualClock()).open({operation: handler})  # type: ignore[arg-type]
    seen: Caller = asyncio.run(opened[operation](sender, request))["caller"]  # type: ignore[arg-type]
    return seen


def refused(policies: Policies, operation: str, request: Mapping[str, Any]) -> str:
    with pytest.raises(AccessDeniedException) as excinfo:
        call(policies, operation, request)
    return excinfo.value.message


def text(action: str, arn: str = ARN) -> str:
    return (
        f"User: {CALLER.principal.arn} is not authorized to perform: lambda:{action} on resource: {arn} "
        f"because no resource-based policy allows the lambda:{action} action"
    )


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"FunctionName": "f"},
        {"FunctionName": "f:live"},
        {"FunctionName": f"{CALLER.scope.account}:function:f"},
        {"FunctionName": function_arn(CALLER.scope, "f", "live")},
        # The operation tells that the region is another.
        {"FunctionName": "arn:aws:lambda:eu-west-1:111111111111:function:f"},
        {"Resource": "arn:aws:lambda:us-east-1:111111111111:layer:l"},
        {"Resource": "arn:aws:lambda:us-east-1:111111111111:event-source-mapping:x"},
        {"LayerName": "arn:aws:lambda:us-east-1:111111111111:layer:l"},
    ],
)
def test_what_is_nobody_elses_function_is_left_to_the_operation(request_: Mapping[str, Any]) -> None:
    """No policy is looked at, and the caller stays who it is."""
    policies = Policies(function=grant())
    assert call(policies, "GetFunction", request_) == CALLER
    assert policies.looks == []


@pytest.mark.parametrize(
    ("condition", "is_met"),
    [
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
        ({"StringEquals": {"aws:PrincipalTag/Team": "a"}}, True),
        ({"StringEquals": {"aws:PrincipalTag/Team": "b"}}, False),
        ({"Bool": {"aws:PrincipalIsAWSService": "false"}}, True),
        ({"StringEquals": {"aws:ResourceAccount": OWNER.account}}, True),
    ],
)
def test_a_grant_may_depend_on_whatever_is_known_of_a_caller(condition: Any, is_met: bool) -> None:
    """As with policies of identities: the time, and the tags of a session."""
    session = Session("s", 1.0, 9e9, tags={"team": "a"})
    caller = msgspec.structs.replace(
        CALLER, principal=session_of_role(CALLER.scope.account, "r", "/", "AROA1", session)
    )
    statement = {**grant().statements[0], "Principal": "*", "Condition": condition}
    policies = Policies(function=ResourcePolicy((statement,)))
    if is_met:
        assert call(policies, "Invoke", {"FunctionName": ARN}, caller).scope == OWNER
    else:
        with pytest.raises(AccessDeniedException):
            call(policies, "Invoke", {"FunctionName": ARN}, caller)


@pytest.mark.parametrize("operation", sorted(GRANTABLE))
def test_a_grant_lets_into_the_functions_account(operation: str) -> None:
    """The request goes on in the owner's scope, with the caller's own principal."""
    action = "lambda:InvokeFunction" if operation.startswith("Invoke") else f"lambda:{operation}"
    member = "Resource" if operation in {"ListTags", "TagResource", "UntagResource"} else "FunctionName"
    entered = call(Policies(function=grant(action)), operation, {member: ARN})
    assert (entered.scope, entered.principal) == (OWNER, CALLER.principal)
    assert refused(Policies(function=grant("lambda:Other")), operation, {member: ARN}) == text(action[7:])


@pytest.mark.parametrize("operation", ["AddPermission", "UpdateFunctionConfiguration", "PutResourcePolicy"])
def test_what_no_policy_can_grant_is_refused_unseen(operation: str) -> None:
    """Even where a policy says so; it is not looked at."""
    policies = Policies(function=grant("*"))
    member = "ResourceArn" if operation == "PutResourcePolicy" else "FunctionName"
    assert refused(policies, operation, {member: ARN}) == text(operation)
    assert policies.looks == []


def test_what_can_be_granted_is_an_operation() -> None:
    """Each of them is offered: an operation that is not would be no setting that acts."""
    assert not GRANTABLE & NOT_OFFERED.keys()


@pytest.mark.parametrize(
    ("request_", "qualifier", "arn"),
    [
        ({"FunctionName": ARN}, None, ARN),
        ({"FunctionName": "111111111111:function:f"}, None, ARN),
        ({"FunctionName": f"{ARN}:live"}, "live", f"{ARN}:live"),
        ({"FunctionName": ARN, "Qualifier": "live"}, "live", f"{ARN}:live"),
        ({"FunctionName": f"{ARN}:1"}, "1", f"{ARN}:1"),
        ({"FunctionName": ARN, "Qualifier": LATEST}, None, f"{ARN}:$LATEST"),
        # The alias that CreateAlias is to make has no policy yet.
        ({"FunctionName": ARN, "Name": "live"}, None, ARN),
    ],
)
def test_each_qualifier_is_asked_for_itself(request_: Mapping[str, Any], qualifier: str | None, arn: str) -> None:
    """The policy of what the request names decides, and only a statement about that; `$LATEST` has the function's."""
    resource = ARN if qualifier is None else f"{ARN}:{qualifier}"
    mine = "function" if qualifier is None else qualifier
    policies = Policies(**{mine: grant(resource=resource)})
    assert call(policies, "Invoke", request_).scope == OWNER
    assert policies.looks == [(OWNER, "f", qualifier)]
    others = {other: grant(resource="*") for other in ("function", "live", "1", "2") if other != mine}
    assert refused(Policies(**others), "Invoke", request_) == text("InvokeFunction", arn)


def test_a_stranger_is_not_told_what_is_there() -> None:
    """A function without a grant and none at all are refused in the same words."""
    missing = function_arn(OWNER, "g")
    assert refused(Policies(), "Invoke", {"FunctionName": missing}) == text("InvokeFunction", missing)
    assert refused(Policies(), "Invoke", {"FunctionName": ARN}) == text("InvokeFunction")


def test_an_explicit_deny_is_told() -> None:
    """It is the function's owner who said so, which the caller may know."""
    deny = {**grant().statements[0], "Effect": "Deny"}
    policies = Policies(function=ResourcePolicy((grant().statements[0], deny)))
    assert refused(policies, "Invoke", {"FunctionName": ARN}) == (
        f"User: {CALLER.principal.arn} is not authorized to perform: lambda:InvokeFunction on resource: {ARN} "
        "with an explicit deny in a resource-based policy"
    )


def test_conditions_see_who_asks() -> None:
    """A document can narrow by the account and the principal of the caller."""
    for key, value in (("aws:PrincipalAccount", CALLER.scope.account), ("aws:PrincipalArn", CALLER.principal.arn)):
        for wanted, is_met in ((value, True), ("other", False)):
            statement = {**grant().statements[0], "Condition": {"StringEquals": {key: wanted}}}
            policies = Policies(function=ResourcePolicy((statement,)))
            if is_met:
                assert call(policies, "Invoke", {"FunctionName": ARN}).scope == OWNER
            else:
                assert refused(policies, "Invoke", {"FunctionName": ARN})
