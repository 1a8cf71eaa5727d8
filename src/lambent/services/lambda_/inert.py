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

_log = logging.getLogger("lambent.services")


def _is_empty(value: Any) -> bool:
    return not value


_DEFAULTS: dict[str, Callable[[Any], bool]] = {
    "PublishTo": _is_empty,
    "VpcConfig": lambda value: (
        not value.get("SubnetIds") and not value.get("SecurityGroupIds") and not value.get("Ipv6AllowedForDualStack")
    ),
    "DeadLetterConfig": lambda value: not value.get("TargetArn"),
    "KMSKeyArn": _is_empty,
    "TracingConfig": lambda value: value.get("Mode", "PassThrough") == "PassThrough",
    "Layers": _is_empty,
    "FileSystemConfigs": _is_empty,
    "CodeSigningConfigArn": _is_empty,
    "ImageConfig": lambda value: not any(value.values()),
    "TenancyConfig": _is_empty,
    "CapacityProviderConfig": _is_empty,
    "DurableConfig": _is_empty,
}
"""Wire member to the question whether a value is AWS's default. Documented: Lambda API reference, CreateFunction."""


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
    logging_config = request.get("LoggingConfig")
    if logging_config is not None and logging_config.keys() - {"LogGroup"}:
        taken["LoggingConfig"] = _inert_logging(logging_config, accept=accept, function_name=function_name)
    return taken


def _inert_logging(logging_config: Mapping[str, Any], *, accept: bool, function_name: str) -> dict[str, Any] | None:
    """LogGroup acts; the JSON format and its levels do not."""
    levels = [name for name in ("ApplicationLogLevel", "SystemLogLevel") if logging_config.get(name)]
    if logging_config.get("LogFormat", "Text") != "JSON":
        if levels:
            raise InvalidParameterValueException(
                'LogLevel is not supported when LogFormat is set to "Text". '
                'Remove LogLevel from your request or change the LogFormat to "JSON" and try again.'
            )
        return None
    _refuse_or_warn("LogFormat JSON", accept=accept, function_name=function_name)
    return {
        "LogFormat": "JSON",
        "ApplicationLogLevel": logging_config.get("ApplicationLogLevel", "INFO"),
        "SystemLogLevel": logging_config.get("SystemLogLevel", "INFO"),
    }


def _refuse_or_warn(member: str, *, accept: bool, function_name: str) -> None:
    if not accept:
        raise InvalidParameterValueException(f"{member} is not offered by this version of Lambent")
    _log.warning("function.inert_setting function=%s setting=%s", function_name, member)


def merge_inert(before: Mapping[str, Any], taken: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored inert settings after a request: defaults remove, others replace, the rest stays."""
    merged = {**before, **taken}
    return {member: value for member, value in merged.items() if value is not None}


def inert_view(inert: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of FunctionConfiguration that stored inert settings fill or replace."""
    view: dict[str, Any] = {}
    for member, value in inert.items():
        if member == "Layers":
            view["Layers"] = [{"Arn": arn, "CodeSize": 0} for arn in value]
        elif member == "VpcConfig":
            view["VpcConfig"] = {
                "SubnetIds": [],
                "SecurityGroupIds": [],
                "VpcId": "",
                "Ipv6AllowedForDualStack": False,
                **value,
            }
        elif member == "LoggingConfig":
            view["LoggingConfig"] = {**value, "LogGroup": shown["LoggingConfig"]["LogGroup"]}
        elif member == "ImageConfig":
            view["ImageConfigResponse"] = {"ImageConfig": value}
        elif member not in {"PublishTo", "CodeSigningConfigArn"}:
            view[member] = value
    return view
