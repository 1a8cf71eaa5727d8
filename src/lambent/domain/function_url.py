"""Function URLs: the HTTP addresses of functions and aliases, and who may use them."""

import re
from typing import NamedTuple

import msgspec

from lambent.domain.arn import function_arn
from lambent.domain.caller import Scope
from lambent.domain.cors import Cors
from lambent.domain.function import FunctionName
from lambent.domain.policy import Policies, Value
from lambent.domain.principal import ANONYMOUS
from lambent.domain.resource_policy import Requester, allows

NONE = "NONE"
AWS_IAM = "AWS_IAM"

ACTIONS = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
"""
What whoever uses a URL needs leave for. Documented: Lambda developer guide, access to function URLs: both, since
October 2025. Of URLs that were made before, the first was enough until 1 November 2026: no URL is spared any more.
"""

BUFFERED = "BUFFERED"
RESPONSE_STREAM = "RESPONSE_STREAM"

_HOST = re.compile(r"([a-z0-9]{1,63})\.lambda-url\.([a-z0-9-]{1,63})\.([a-z0-9.-]+?)(?::[0-9]{1,5})?")


class FunctionUrl(msgspec.Struct, frozen=True):
    """The URL of a function or of one of its aliases, as it was configured."""

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
    auth_type: str = NONE
    is_lost: bool = False
    """Whether it went with its alias: only its id is still known, so that its address is refused and not unknown."""

    @property
    def arn(self) -> str:
        return function_arn(self.scope, self.name, self.qualifier or None)

    @property
    def is_streaming(self) -> bool:
        return self.invoke_mode == RESPONSE_STREAM

    @property
    def is_signed(self) -> bool:
        """Whether its requests are signed, and policies decide who may use it."""
        return self.auth_type == AWS_IAM

    @property
    def context(self) -> dict[str, Value]:
        """
        The condition keys that a request to it has.

        Documented: Lambda developer guide, access to function URLs. Assumed: both actions are asked with both
        (test_function_url).
        """
        return {"lambda:functionurlauthtype": self.auth_type, "lambda:invokedviafunctionurl": "true"}

    def lets_in(self, policy: Policies | None, requester: Requester) -> bool:
        """
        Say whether a policy by itself lets somebody use it.

        Args:
            policy: of the function or of the alias.
            requester: with the condition keys of `context`, too.
        """
        if self.is_lost:
            return False
        return all(allows(policy, requester, action, self.arn) for action in ACTIONS)

    def is_open(self, policy: Policies | None) -> bool | None:
        """Say whether a policy lets anybody use it; None: that depends on the request."""
        if self.is_signed or self.is_lost or policy is None:
            return False
        if policy.keys - self.context.keys():
            return None
        return self.lets_in(policy, Requester(ANONYMOUS, self.context))


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
