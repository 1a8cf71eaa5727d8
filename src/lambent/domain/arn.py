"""ARNs, and the many ways to name a function or a role."""

import hashlib
import re

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName

_REFERENCE = re.compile(
    r"(?:(?:arn:(?:aws[a-zA-Z-]*)?:lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?P<kind>function:)?)"
    r"(?P<name>[a-zA-Z0-9-_.]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
"""The model's own pattern for function names, with its groups named. Source: Lambda service model, FunctionName."""

_ROLE = re.compile(
    r"arn:aws(?:-[a-z]+)*:iam::(?P<account>[0-9]{12}):role(?P<path>/(?:[!-~]{1,510}/)?)(?P<name>[\w+=,.@-]{1,64})",
    re.ASCII,
)
"""Documented: IAM API reference, CreateRole: paths have 512 characters, names 64."""


class FunctionReference(msgspec.Struct, frozen=True):
    """A function as a caller named it, taken apart."""

    name: FunctionName
    qualifier: str | None
    account: str | None
    """None when the caller gave none: the caller's own."""
    region: str | None


def parse_function_reference(text: str) -> FunctionReference:
    """
    Take a function's name, partial ARN or full ARN apart.

    Args:
        text: for instance `f`, `f:live`, `111122223333:function:f`,
            `arn:aws:lambda:eu-west-1:111122223333:function:f:1`.

    Raises:
        ValueError: the text is none of these. Requests that passed shape validation never are.

    Source: Lambda API reference, FunctionName; service model patterns.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a function name or ARN: {text!r}")
    return FunctionReference(
        name=FunctionName(match["name"]),
        qualifier=match["qualifier"],
        account=match["account"],
        region=match["region"],
    )


class RoleReference(msgspec.Struct, frozen=True):
    """A role as its ARN names it, taken apart."""

    account: str
    path: str
    """`/`, or what begins and ends with one."""
    name: str


def parse_role_arn(text: str) -> RoleReference | None:
    """
    Take a role's ARN apart, of whatever partition; None: it is no role's.

    Whether there is one of this name with exactly this ARN is the store's to say: names are found in any case and on
    any path.
    """
    match = _ROLE.fullmatch(text)
    return None if match is None else RoleReference(match["account"], match["path"], match["name"])


def function_arn(scope: Scope, name: str, qualifier: str | None = None) -> str:
    """Return a function's ARN, qualified when `qualifier` is given."""
    arn = f"arn:aws:lambda:{scope.region}:{scope.account}:function:{name}"
    return arn if qualifier is None else f"{arn}:{qualifier}"


def runtime_version_arn(region: str, runtime: str) -> str:
    """
    Return the ARN of a managed runtime's version.

    Assumed: AWS names an image of its own here; ours names the runtime's identifier, which is what decides.
    """
    return f"arn:aws:lambda:{region}::runtime:{hashlib.sha256(runtime.encode()).hexdigest()}"


def log_group_arn(scope: Scope, group: str) -> str:
    """Return a log group's ARN, without the trailing `:*`."""
    return f"arn:aws:logs:{scope.region}:{scope.account}:log-group:{group}"


def log_stream_arn(scope: Scope, group: str, stream: str) -> str:
    """Return a log stream's ARN."""
    return f"{log_group_arn(scope, group)}:log-stream:{stream}"


def sampling_rule_arn(scope: Scope, name: str) -> str:
    """Return the ARN of a sampling rule of X-Ray."""
    return f"arn:aws:xray:{scope.region}:{scope.account}:sampling-rule/{name}"


def trace_group_arn(scope: Scope, name: str, suffix: str) -> str:
    """Return the ARN of a group of X-Ray."""
    return f"arn:aws:xray:{scope.region}:{scope.account}:group/{name}/{suffix}"
