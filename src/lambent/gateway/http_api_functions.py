"""Functions as HTTP APIs call them: as integrations, and to decide who may pass."""

import asyncio
import functools
import logging
import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from lambent.access.authorize import Authorizer, Demand, ResourceFacts
from lambent.access.role_trust import RoleTrust
from lambent.clock import Clock
from lambent.dispatch.dispatcher import Dispatcher
from lambent.dispatch.recent import Recent
from lambent.domain.arn import parse_function_reference, parse_role_arn
from lambent.domain.caller import Caller, Scope
from lambent.domain.function import FunctionName, FunctionVersion
from lambent.domain.http_api import CALLERS_CREDENTIALS
from lambent.domain.invocation import InvocationOutcome
from lambent.domain.policy import Policies, Value
from lambent.domain.principal import Principal, Session, session_of_role
from lambent.domain.resource_policy import Requester, allows, service_for
from lambent.errors.families import AccessDeniedException, ApiError, InternalServerError
from lambent.services.lambda_.naming import Target
from lambent.services.lambda_.synchronous import SynchronousInvocations, check_active
from lambent.store.contract import FunctionStore

_log = logging.getLogger("lambent.gateway")

SERVICE = "apigateway.amazonaws.com"
_ACTION = "lambda:InvokeFunction"

_WRAPPED = re.compile(r"arn:aws[a-zA-Z-]*:apigateway:[a-z0-9-]+:lambda:path/2015-03-31/functions/(.+)/invocations")

_INIT_MAX_S = 15
"""What a cold start may take before the function's own timeout begins, with room to spare."""


class CannotInvoke(Exception):
    """An invocation did not come about; says why, for the log."""

    def __init__(self, reason: str, *, is_throttled: bool = False) -> None:
        super().__init__(reason)
        self.is_throttled = is_throttled


class IntegrationTimedOut(Exception):
    """An invocation goes on, but nobody waits for it any more."""


_Ran = tuple[InvocationOutcome, str]
"""What an invocation came to, and its trace header."""

_Came = _Ran | ApiError


class _Named(NamedTuple):
    scope: Scope
    name: FunctionName
    qualifier: str | None


class ApiFunctions:
    """
    Runs functions for HTTP APIs.

    Args:
        facts: what is known of functions.
        trust: asked whether API Gateway may act as a role; None: it may, since policies decide nothing.
        spawn: runs on what nobody waits for any more.
    """

    def __init__(
        self,
        store: FunctionStore,
        dispatcher: Dispatcher,
        synchronous: SynchronousInvocations,
        authorizer: Authorizer,
        facts: ResourceFacts | None,
        trust: RoleTrust | None,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, _Came]], "asyncio.Task[_Came]"],
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._synchronous = synchronous
        self._authorizer = authorizer
        self._facts = facts
        self._trust = trust
        self._clock = clock
        self._spawn = spawn
        self._policies: Recent[Policies] = Recent(store, self._policy)

    async def run(
        self,
        uri: str,
        payload: bytes,
        *,
        source_arn: str,
        source_account: str,
        credentials: str | None,
        timeout_s: float,
        trace_header: str,
        caller: Caller | None = None,
    ) -> tuple[InvocationOutcome, str]:
        """
        Invoke the function that a URI names; return what came of it, and the invocation's id.

        Args:
            uri: a function's ARN or that of its invocation, qualified or not; stage variables in it are replaced.
            source_arn: what calls, as the function's policy names it.
            source_account: whose the API is.
            credentials: ARN of the role that calls, or `CALLERS_CREDENTIALS`; None: the gateway itself does, and the
                function's policy has to let it in.
            caller: who signed what brings this about; None: nobody had to.

        Raises:
            CannotInvoke: there is no such function, it may not be called, is not ready, or at a limit.
            IntegrationTimedOut: it took longer than `timeout_s`.
        """
        named = _named(uri)
        if named is None:
            raise CannotInvoke(f"{uri[:300]} names no function")
        version = await self._dispatcher.resolve(*named)
        if version is None:
            raise CannotInvoke(f"{uri[:300]} names a function that is not there")
        target = Target(*named)
        gateway = service_for(SERVICE, source_arn, source_account)
        if credentials is None:
            if not allows(await self._policy_of(named), gateway, _ACTION, target.arn):
                raise CannotInvoke(f"the policy of {target.arn} does not let {SERVICE} invoke it for {source_arn}")
        elif credentials == CALLERS_CREDENTIALS:
            await self._check_caller(caller, named, target)
        else:
            await self._check_role(credentials, named, target, gateway.context)
        request_id = self._clock.new_id()
        try:
            check_active(version)
            running = self._synchronous.run(
                target, version, request_id=request_id, payload=payload, trace_header=trace_header
            )
            outcome, _ = await self._within(timeout_s, version, running)
            return outcome, request_id
        except ApiError as error:
            raise CannotInvoke(error.message, is_throttled=error.status == 429) from error

    async def _within(self, timeout_s: float, version: FunctionVersion, running: Coroutine[Any, Any, _Ran]) -> _Ran:
        # Nearly always: the function gives up sooner by itself, and needs no task beside this one.
        if version.configuration.timeout_s + _INIT_MAX_S <= timeout_s:
            return await running
        task = self._spawn(_to_its_end(running))
        done, _ = await asyncio.wait([task], timeout=timeout_s)
        if not done:
            raise IntegrationTimedOut(f"no answer within {timeout_s:g} s")
        came = task.result()
        if isinstance(came, ApiError):
            raise came
        return came

    async def _check_caller(self, caller: Caller | None, named: _Named, target: Target) -> None:
        """
        See that whoever signed the request may invoke a function themselves.

        Raises:
            CannotInvoke: they may not, or nobody signed.
        """
        if caller is None:
            raise CannotInvoke(f"{CALLERS_CREDENTIALS} needs a route of AWS_IAM: nobody signed the request")
        await self._check_other_side(caller.principal, named, target)
        try:
            await self._authorizer.authorize(caller, [_demand(target)], self._facts)
        except AccessDeniedException as denied:
            raise CannotInvoke(denied.message) from None

    async def _check_role(self, role_arn: str, named: _Named, target: Target, context: Mapping[str, Value]) -> None:
        """
        See that API Gateway may act as a role, and that the role may invoke a function.

        Documented: API Gateway developer guide, permissions to invoke: with a role its policies decide, and the
        function's own does not have to let API Gateway in.

        Raises:
            CannotInvoke: so it is not.
        """
        if self._trust is not None and not await self._trust.allows_service(role_arn, SERVICE, context):
            raise CannotInvoke(f"{role_arn} is not there, or its trust policy does not let {SERVICE} act as it")
        await self._check_other_side(_session_of(role_arn), named, target)
        if not await self._authorizer.allows_role(role_arn, _demand(target), self._facts):
            raise CannotInvoke(f"the policies of {role_arn} do not let it invoke {target.arn}")

    async def _policy_of(self, named: _Named) -> Policies | None:
        return await self._policies.get(named.scope, named.name, named.qualifier or "")

    async def _policy(self, scope: Scope, name: FunctionName, qualifier: str) -> Policies | None:
        async with self._store.snapshot(scope) as reading:
            found = await reading.policies.get(name, qualifier or None)
        return None if found is None else found.compiled()

    async def _check_other_side(self, principal: Principal, named: _Named, target: Target) -> None:
        """
        See that a function of another account lets a principal in: its own account has no say there.

        Raises:
            CannotInvoke: it does not.
        """
        if principal.account == named.scope.account:
            return
        if not allows(await self._policy_of(named), Requester(principal), _ACTION, target.arn):
            raise CannotInvoke(f"the policy of {target.arn} does not let {principal.arn} invoke it")


def _demand(target: Target) -> Demand:
    return Demand(_ACTION, target.arn, target.scope.account)


def _session_of(role_arn: str) -> Principal:
    """
    Return the session in which API Gateway acts as a role. Assumed: its name (test_http_api_functions).

    Raises:
        CannotInvoke: it is none.
    """
    role = parse_role_arn(role_arn)
    if role is None:
        raise CannotInvoke(f"{role_arn} is no role")
    session = Session("BackplaneAssumeRoleSession", 0.0, 0.0)
    return session_of_role(role.account, role.name, role.path, "", session)


async def _to_its_end(running: Coroutine[Any, Any, _Ran]) -> _Came:
    """Return what came of an invocation. A refusal is a value: perhaps nobody waits for it any more."""
    try:
        return await running
    except ApiError as error:
        return error
    except Exception as error:
        _log.exception("http_api.invocation_failed")
        return InternalServerError(str(error))


@functools.lru_cache(maxsize=2_000)
def _named(uri: str) -> _Named | None:
    wrapped = _WRAPPED.fullmatch(uri)
    try:
        reference = parse_function_reference(uri if wrapped is None else wrapped[1])
    except ValueError:
        return None
    if reference.account is None or reference.region is None:
        return None
    return _Named(Scope(reference.account, reference.region), reference.name, reference.qualifier)
