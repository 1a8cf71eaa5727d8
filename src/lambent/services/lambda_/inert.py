"""
Settings of a function that this version does not act on.

A setting that was stored and then ignored would be a lie, so a request that sets one to anything but AWS's
default is refused, by name. `serve --accept-inert` stores and echoes it instead, with a warning in the log.
A setting that a later version makes act leaves this file.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.services.lambda_.dead_letters import dead_letter_arn

_log = logging.getLogger("lambent.services")


def _is_empty(value: Any) -> bool:
    return not value


_DEFAULTS: dict[str, Callable[[Any], bool]] = {
    "PublishTo": _is_empty,
    # A queue acts.
    "DeadLetterConfig": lambda value: dead_letter_arn(value) is not None,
    "CodeSigningConfigArn": _is_empty,
    "ImageConfig": lambda value: not any(value.values()),
    "CapacityProviderConfig": _is_empty,
    "DurableConfig": _is_empty,
}
"""Wire member to the question whether a value is AWS's default, or acts."""
# Documented: Lambda API reference, CreateFunction.


def take_inert(request: Mapping[str, Any], *, accept: bool, function_name: str) -> dict[str, Any]:
    """
    Sort out what a create or update request sets without our acting on it.

    Args:
        request: the whole request.
        accept: `--accept-inert`.
        function_name: for the log.

    Returns:
        Member to value, for every such member of the request: None where it sets the default again.

    Raises:
        InvalidParameterValueException: a member is set to something else than AWS's default.
    """
    taken: dict[str, Any] = {}
    for member, is_default in _DEFAULTS.items():
        value = request.get(member)
        if value is None:
            continue
        if is_default(value):
            taken[member] = None
            continue
        _refuse_or_warn(member, accept=accept, function_name=function_name)
        taken[member] = value
    return taken


def _refuse_or_warn(member: str, *, accept: bool, function_name: str) -> None:
    if not accept:
        raise InvalidParameterValueException(f"{member} is not offered by this version of Lambent")
    _log.warning("function.inert_setting function=%s setting=%s", function_name, member)


def merge_inert(before: Mapping[str, Any], taken: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored inert settings after a request: defaults remove, others replace, the rest stays."""
    merged = {**before, **taken}
    return {member: value for member, value in merged.items() if value is not None}


def inert_view(inert: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of FunctionConfiguration that stored inert settings fill or replace."""
    view: dict[str, Any] = {}
    for member, value in inert.items():
        if member == "ImageConfig":
            view["ImageConfigResponse"] = {"ImageConfig": value}
        elif member not in {"PublishTo", "CodeSigningConfigArn"}:
            view[member] = value
    return view
