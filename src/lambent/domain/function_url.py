"""Function URLs: the HTTP addresses of functions and aliases, and who may use them."""

import re
from typing import NamedTuple

import msgspec

from lambent.domain.arn import function_arn
from lambent.domain.caller import Scope
from lambent.domain.cors import Cors
from lambent.domain.function import FunctionName
from lambent.domain.principal import ANONYMOUS
from lambent.domain.resource_policy import Requester, ResourcePolicy, allows

BUFFERED = "BUFFERED"
RESPONSE_STREAM = "RESPONSE_STREAM"

_HOST = re.compile(r"([a-z0-9]{1,63})\.lambda-url\.([a-z0-9-]{1,63})\.([a-z0-9.-]+?)(?::[0-9]{1,5})?")

_ANYBODY = Requester(
    ANONYMOUS,
    {
        # Documented: Lambda developer guide, access to function URLs: what both actions are asked with.
        "lambda:functionurlauthtype": "NONE",
        "lambda:invokedviafunctionurl": "true",
    },
)


class FunctionUrl(msgspec.Struct, frozen=True):
    """The URL of a function or of one of its aliases, as it was configured. What answers is AuthType NONE always."""

    scope: Scope
    name: FunctionName
    qualifier: str
    """An alias; empty for the function."""
    url_id: str
    """32 lower-case letters and digits, unique over all scopes."""
    created: float
    """Seconds since the epoch, as `last_modified`."""
    last_modified: float
    invoke_mode: str | None = None
    """None where nobody set it, which is `BUFFERED`."""
    cors: Cors | None = None
    is_lost: bool = False
    """Whether it went with its alias: only its id is still known, so that its address is refused and not unknown."""

    @property
    def arn(self) -> str:
        return function_arn(self.scope, self.name, self.qualifier or None)

    @property
    def is_streaming(self) -> bool:
        return self.invoke_mode == RESPONSE_STREAM

    def may_be_used(self, policy: ResourcePolicy | None) -> bool:
        """
        Say whether a policy, which is that of the function or of the alias, lets anybody use the URL.

        Documented: Lambda developer guide, access to function URLs: since October 2025 two actions have to be allowed.
        """
        if self.is_lost:
            return False
        actions = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
        compiled = None if policy is None else policy.compiled()
        return all(allows(compiled, _ANYBODY, action, self.arn) for action in actions)


class UrlHost(NamedTuple):
    """What the Host header of a request to a function URL names."""

    url_id: str
    region: str


class UrlDomain(msgspec.Struct, frozen=True):
    """Where function URLs are, e.g. `http`, `localhost` and `:4566`."""

    scheme: str
    name: str
    port: str
    """With its colon; empty for the scheme's own."""

    def url(self, function_url: FunctionUrl) -> str:
        return f"{self.scheme}://{self.host(function_url)}{self.port}/"

    @property
    def port_number(self) -> str:
        return self.port[1:] or ("443" if self.scheme == "https" else "80")

    def host(self, function_url: FunctionUrl) -> str:
        return f"{function_url.url_id}.lambda-url.{function_url.scope.region}.{self.name}"


def parse_url_domain(text: str, port: int, own_scheme: str = "http") -> UrlDomain:
    """
    Return where function URLs are by `--url-domain`: `name`, `name:port` or `scheme://name[:port]`.

    Args:
        port: of the server, for a name alone.
        own_scheme: what the server speaks, for a name without a scheme.
    """
    scheme, _, rest = text.rpartition("://")
    name, _, given = rest.partition(":")
    if given:
        return UrlDomain(scheme or own_scheme, name, f":{given}")
    is_usual = port == (443 if own_scheme == "https" else 80)
    return UrlDomain(scheme or own_scheme, name, "" if scheme or is_usual else f":{port}")


def parse_url_host(host: str) -> UrlHost | None:
    """
    Return what a Host header names, nothing known where it is malformed; None where it is no function URL's.

    The domain may be any: a wildcard name, or AWS's own.
    """
    host = host.lower()
    # Nearly every request is for something else.
    if ".lambda-url." not in host:
        return None
    found = _HOST.fullmatch(host)
    return UrlHost("", "") if found is None else UrlHost(found[1], found[2])
