"""Who calls, and for which account and region."""

from collections.abc import Awaitable, Callable

import msgspec

from lambent.domain.principal import Principal


class Scope(msgspec.Struct, frozen=True, order=True):
    """One account in one region. Every stored row, blob and log stream carries it."""

    account: str
    """Twelve digits."""
    region: str
    """For instance `eu-west-1`."""


class Inside(msgspec.Struct, frozen=True):
    """The execution environment that a request comes from, known by the listener that accepted it, not by its say."""

    scope: Scope
    function_arn: str
    environment: str = ""
    """Its id, as its credentials have it."""
    trace_header: Callable[[], str | None] = lambda: None
    """Returns the trace header of the invocation that runs there now; None where none does."""


class Caller(msgspec.Struct, frozen=True):
    """The principal behind one request, and what a handler may know of the request beyond its parameters."""

    scope: Scope
    principal: Principal
    authenticated_by: str
    """
    How it is known who calls: `signature`; `environment`, which has it from the listener that accepted; or `none`,
    where any key is taken for what it says.
    """
    request_id: str
    """The id that the answer carries in `x-amzn-RequestId`; an invocation's own id."""
    endpoint: str
    """Base URL, without a trailing slash, under which this caller reached the gateway."""
    trace_header: str | None = None
    """The request's `X-Amzn-Trace-Id`, as sent; from inside an environment with the lineage of what runs there."""
    inside: Inside | None = None
    """The execution environment that calls; None: the request comes from outside."""
    client: str = "127.0.0.1"
    """The address that the request came from."""
    user_agent: str = ""
    is_secure: bool = False
    """Whether it came by TLS."""
    wait_gone: Callable[[], Awaitable[None]] | None = None
    """Returns when the caller does not wait for the answer any more; None: nobody can tell."""
