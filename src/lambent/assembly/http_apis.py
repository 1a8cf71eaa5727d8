"""What answers for HTTP APIs."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from lambent.access.authorize import ResourceFacts
from lambent.access.tokens import IssuerUnavailable, TokenVerifier
from lambent.assembly.access import Access
from lambent.assembly.telemetry import Telemetry
from lambent.clock import Clock
from lambent.dispatch.dispatcher import Dispatcher
from lambent.dispatch.http_apis import ApiRouter
from lambent.domain.function_url import UrlDomain
from lambent.domain.quotas import Quotas
from lambent.gateway.http_api import HttpApis
from lambent.gateway.http_api_authorizers import ApiAuthorizers
from lambent.gateway.http_api_callers import ApiCallers
from lambent.gateway.http_api_functions import ApiFunctions
from lambent.gateway.http_api_proxy import HttpIntegrations
from lambent.gateway.signed_callers import SignedCallers
from lambent.neighbours.outward import Outward, Unreachable
from lambent.services.lambda_.synchronous import SynchronousInvocations
from lambent.settings import (
    SandboxSettings,
)
from lambent.store.functions import FunctionRepository


def make_http_apis(
    settings: SandboxSettings,
    store: FunctionRepository,
    dispatcher: Dispatcher,
    synchronous: SynchronousInvocations,
    callers: SignedCallers,
    access: "Access",
    facts: ResourceFacts | None,
    telemetry: "Telemetry",
    domain: UrlDomain,
    quotas: Quotas,
    tasks: asyncio.TaskGroup,
    stack: contextlib.AsyncExitStack,
    clock: Clock,
) -> HttpApis:
    """Put together what answers for HTTP APIs. What they reach, and who issues tokens, is where functions may go."""
    # Servers that keep their clients waiting, and names that are slow to be found, keep no token waiting.
    to_servers, to_issuers = (
        Outward(
            is_open=settings.egress != "none",
            allow_host=map(int, settings.allow_host),
            allow_net=settings.allow_net,
        )
        for _ in range(2)
    )
    for outward in (to_servers, to_issuers):
        stack.push_async_callback(outward.close)
    functions = ApiFunctions(
        store, dispatcher, synchronous, access.authorizer, facts, access.trust, clock, tasks.create_task
    )
    authorizers = ApiAuthorizers(functions, TokenVerifier(_issuers(to_issuers), clock), clock)
    servers = HttpIntegrations(to_servers, clock)
    return HttpApis(
        ApiRouter(store),
        authorizers,
        ApiCallers(callers),
        functions,
        servers,
        telemetry.logs,
        domain,
        quotas,
        clock,
        telemetry.traces,
        telemetry.of_apis,
    )


_ISSUER_TIMEOUT_S = 1.5
"""Documented: API Gateway quotas, each of an issuer's endpoints."""


def _issuers(outward: Outward) -> Callable[[str, int], Awaitable[bytes]]:
    async def fetch(url: str, most_bytes: int) -> bytes:
        try:
            return await outward.fetch(url, most_bytes, _ISSUER_TIMEOUT_S)
        except Unreachable as error:
            raise IssuerUnavailable(f"{url}: {error}") from error

    return fetch
