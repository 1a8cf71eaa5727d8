"""What an integration or an authorizer may point to, as texts: functions in AWS's forms, URLs, roles. Pure."""

import re
from urllib.parse import urlsplit

from lambent.domain.arn import parse_role_arn
from lambent.domain.caller import Scope

_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.[A-Za-z0-9_]{1,64}\}")

_FUNCTION = (
    r"arn:aws[a-z-]*:lambda:[a-z0-9-]{1,30}:\d{12}:function:[a-zA-Z0-9_-]{1,140}(?::(?:\$LATEST|[a-zA-Z0-9_-]{1,128}))?"
)
_FUNCTION_ARN = re.compile(_FUNCTION, re.ASCII)
_INVOCATION_ARN = re.compile(
    rf"arn:aws[a-z-]*:apigateway:[a-z0-9-]{{1,30}}:lambda:path/2015-03-31/functions/{_FUNCTION}/invocations", re.ASCII
)


def is_function(uri: str) -> bool:
    """
    Say whether a text is a function's ARN, or that of its invocation; stage variables may stand for parts of it.

    Documented: API Gateway developer guide, AWS Lambda proxy integrations and stage variables for HTTP APIs.
    """
    # A variable may be a name, an alias, or all that an ARN ends with, qualifier included; what it is, a request says.
    whole = _STAGE_VARIABLE.sub("v", uri)
    return _FUNCTION_ARN.fullmatch(whole) is not None or _INVOCATION_ARN.fullmatch(whole) is not None


def is_url(uri: str) -> bool:
    """Say whether a text is a URL that a request can be sent to; stage and path variables may stand for parts of it."""
    if not uri.isascii() or not uri.isprintable() or " " in uri:
        return False
    try:
        parts = urlsplit(_STAGE_VARIABLE.sub("v", uri))
        # Reading it raises for what is no number.
        parts.port  # noqa: B018
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc


def is_role_of(scope: Scope, arn: str) -> bool:
    """Say whether a text is the ARN of a role of the scope's account, the only ones that it may pass on."""
    role = parse_role_arn(arn)
    return role is not None and role.account == scope.account
