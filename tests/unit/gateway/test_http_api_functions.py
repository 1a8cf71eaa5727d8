"""Whether an HTTP API may call a function: by the function's policy, by a role, by whoever signed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from unit.gateway.signatures import OTHER, OWNER, Facts, Rules, U, X, allow

from lambent.access.authorize import Authorizer, Everything
from lambent.clock import SystemClock
from lambent.domain.caller import Caller, Scope
from lambent.domain.function import LATEST, Code, Configuration, FunctionName, FunctionVersion, State
from lambent.domain.http_api import CALLERS_CREDENTIALS
from lambent.domain.invocation import InvocationOutcome
from lambent.domain.principal import Principal
from lambent.domain.resource_policy import ResourcePolicy, service_for
from lambent.gateway.http_api_functions import SERVICE, ApiFunctions, CannotInvoke
from lambent.store.contract import FunctionChange

F = f"arn:aws:lambda:eu-west-1:{OWNER}:function:f"
FOREIGN = f"arn:aws:lambda:eu-west-1:{OTHER}:function:f"
ROLE = f"arn:aws:iam::{OWNER}:role/p/r"
API = f"arn:aws:execute-api:eu-west-1:{OWNER}:a1/prod/GET/items"
INVOKE = "lambda:InvokeFunction"


class Trust:
    """Knows whether API Gateway may act as the role."""

    def __init__(self, *, is_given: bool) -> None:
        self._is_given = is_given
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    async def allows_service(self, role_arn: str, service: str, context: dict[str, Any]) -> bool:
        self.asked.append((role_arn, service, context))
        return self._is_given


class Bench:
    """Functions named f in two accounts, with what their policies say."""

    def __init__(
        self, *statements: dict[str, Any], authorizer: Authorizer | None = None, trust: Trust | None = None
    ) -> None:
        self.policy = ResourcePolicy(statements) if statements else None
        self.ran = 0
        self.reads = 0
        self.tell: Any = None
        self.trust: Any = trust
        self._functions = ApiFunctions(
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            authorizer or Everything(),
            Facts(None if self.policy is None else self.policy.compiled()),
            self.trust,
            SystemClock(),
            lambda coroutine: asyncio.get_running_loop().create_task(coroutine),
        )

    def on_change(self, callback: Any) -> None:
        self.tell = callback

    def on_changing(self, callback: Any) -> None:
        pass

    @asynccontextmanager
    async def snapshot(self, scope: Scope) -> AsyncIterator["Bench"]:
        yield self

    @property
    def policies(self) -> "Bench":
        return self

    async def get(self, name: str, qualifier: str | None) -> ResourcePolicy | None:
        self.reads += 1
        return self.policy

    async def function(self, name: str) -> None:
        return None

    async def resolve(self, scope: Scope, name: FunctionName, qualifier: str | None) -> FunctionVersion:
        configuration = Configuration("python3.11", "app.handler", "role")
        return FunctionVersion(
            scope=scope, name=name, version=LATEST, function_id="id", configuration=configuration,
            code=Code("0" * 64, 1), revision_id="r", last_modified=0.0, state=State.ACTIVE,
        )  # fmt: skip

    async def _ask(self, credentials: str | None, principal: Principal | None, uri: str) -> None:
        caller = None
        if principal is not None:
            caller = Caller(Scope(principal.account, "eu-west-1"), principal, "signature", "id", "http://x")
        await self._functions.run(
            uri, b"{}", source_arn=API, source_account=OWNER, credentials=credentials, caller=caller,
            timeout_s=30.0, trace_header="Root=1",
        )  # fmt: skip

    async def run(self, *_: Any, trace_header: str, **__: Any) -> tuple[InvocationOutcome, str]:
        self.ran += 1
        return InvocationOutcome(b"{}", LATEST), trace_header

    def why_not(self, credentials: str | None = None, principal: Principal | None = None, uri: str = F) -> str:
        """Call; return why it was refused, nothing where it was not."""
        before = self.ran
        try:
            asyncio.run(self._ask(credentials, principal, uri))
        except CannotInvoke as error:
            assert self.ran == before
            return str(error)
        assert self.ran == before + 1
        return ""


def grant(principal: Any, resource: str = F, **more: Any) -> dict[str, Any]:
    return allow(INVOKE, resource=resource, Principal=principal, **more)


BY_API = grant({"Service": SERVICE}, Condition={"ArnLike": {"AWS:SourceArn": f"{API.rpartition('/')[0]}/*"}})


def test_the_functions_policy() -> None:
    """Where there is no role; for the very route, read once until it changes."""
    bench = Bench(BY_API)
    assert [bench.why_not() for _ in range(3)] == [""] * 3
    assert bench.reads == 1
    bench.policy = None
    bench.tell(FunctionChange(Scope(OWNER, "eu-west-1"), FunctionName("f")))
    assert bench.why_not() == f"the policy of {F} does not let {SERVICE} invoke it for {API}"
    other = {"ArnLike": {"AWS:SourceArn": API.replace("a1", "b2")}}
    assert Bench(grant({"Service": SERVICE}, Condition=other)).why_not()
    assert Bench(grant({"Service": "events.amazonaws.com"})).why_not()
    assert Bench(grant({"AWS": OWNER})).why_not()


def test_a_role_where_policies_decide_nothing() -> None:
    """It is leave to call, of what is in the account."""
    assert Bench().why_not(ROLE) == ""


def test_a_role_decides_in_the_place_of_the_functions_policy() -> None:
    """By its own policies, if API Gateway may act as it; a grant to API Gateway itself counts for nothing then."""
    may = Rules({ROLE: [allow(INVOKE, resource=F)]})
    trust = Trust(is_given=True)
    assert Bench(authorizer=may, trust=trust).why_not(ROLE) == ""
    assert trust.asked == [(ROLE, SERVICE, service_for(SERVICE, API, OWNER).context)]
    lacks = f"the policies of {ROLE} do not let it invoke {F}"
    assert Bench(BY_API, authorizer=Rules({ROLE: [allow("s3:*")]}), trust=trust).why_not(ROLE) == lacks
    assert Bench(BY_API, authorizer=Rules(), trust=trust).why_not(ROLE) == lacks
    refused = Bench(BY_API, authorizer=may, trust=Trust(is_given=False)).why_not(ROLE)
    assert refused == f"{ROLE} is not there, or its trust policy does not let {SERVICE} act as it"
    # An alias has another ARN.
    assert Bench(authorizer=may, trust=trust).why_not(ROLE, uri=f"{F}:live")


@pytest.mark.parametrize("authorizer", [Rules({ROLE: [allow(INVOKE)]}), Everything()], ids=["on", "off"])
def test_a_role_and_a_function_of_another_account(authorizer: Authorizer) -> None:
    """The function's policy has to let the role in as well, by its name or its account's."""
    refused = Bench(authorizer=authorizer).why_not(ROLE, uri=FOREIGN)
    assert refused.startswith(f"the policy of {FOREIGN} does not let arn:aws:sts::{OWNER}:assumed-role/r/")
    for name in (ROLE, OWNER):
        assert Bench(grant({"AWS": name}, FOREIGN), authorizer=authorizer).why_not(ROLE, uri=FOREIGN) == ""
    by_service = grant({"Service": SERVICE}, FOREIGN)
    assert Bench(by_service, authorizer=authorizer).why_not(ROLE, uri=FOREIGN)


def test_with_the_callers_own_rights() -> None:
    """Whoever signed has to be allowed to invoke the function, as if they called it themselves."""
    may = Rules({U.arn: [allow(INVOKE, resource=F)]})
    assert Bench(authorizer=may).why_not(CALLERS_CREDENTIALS, U) == ""
    denied = Bench(BY_API, authorizer=Rules({U.arn: [allow("execute-api:*")]})).why_not(CALLERS_CREDENTIALS, U)
    assert denied.startswith(f"User: {U.arn} is not authorized to perform: {INVOKE} on resource: {F} because no ")
    assert Bench(grant({"AWS": U.arn}), authorizer=Rules()).why_not(CALLERS_CREDENTIALS, U) == ""
    assert Bench().why_not(CALLERS_CREDENTIALS, U) == ""
    nobody = Bench(grant("*")).why_not(CALLERS_CREDENTIALS)
    assert nobody == f"{CALLERS_CREDENTIALS} needs a route of AWS_IAM: nobody signed the request"


def test_with_the_callers_own_rights_elsewhere() -> None:
    """A function of another account needs both sides, also where policies decide nothing here."""
    for authorizer in (Rules({U.arn: [allow(INVOKE)]}), Everything()):
        assert Bench(authorizer=authorizer).why_not(CALLERS_CREDENTIALS, U, FOREIGN)
        given = grant({"AWS": OWNER}, FOREIGN)
        assert Bench(given, authorizer=authorizer).why_not(CALLERS_CREDENTIALS, U, FOREIGN) == ""
    assert Bench(grant({"AWS": X.arn}, FOREIGN)).why_not(CALLERS_CREDENTIALS, U, FOREIGN)
