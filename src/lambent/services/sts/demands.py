"""
What each operation of STS asks leave for.

Documented: service authorization reference, AWS Security Token Service. To assume a role takes leave of the role's
trust policy in any case: the operation itself decides.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.access.authorize import Demand
from lambent.domain.caller import Caller
from lambent.services.operation import Demands


def _nothing(_: Caller, _request: Mapping[str, Any]) -> Sequence[Demand]:
    return ()


def _anywhere(operation: str) -> Demands:
    return lambda _caller, _request: (Demand(f"sts:{operation}"),)


def _federate(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    return (Demand("sts:GetFederationToken", f"arn:aws:sts::{caller.scope.account}:federated-user/{request['Name']}"),)


DEMANDS: Mapping[str, Demands] = {
    "AssumeRole": _nothing,
    # Nobody has signed these two.
    "AssumeRoleWithSAML": _nothing,
    "AssumeRoleWithWebIdentity": _nothing,
    # Documented: STS API reference, GetCallerIdentity and GetSessionToken: no permissions are required.
    "GetCallerIdentity": _nothing,
    "GetSessionToken": _nothing,
    "DecodeAuthorizationMessage": _anywhere("DecodeAuthorizationMessage"),
    "GetAccessKeyInfo": _anywhere("GetAccessKeyInfo"),
    "GetFederationToken": _federate,
}
"""What each operation that may be offered asks leave for."""
