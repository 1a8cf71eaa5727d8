"""The function URL of `lambent deploy --url`: made or brought up to date, and open to anybody."""

from enum import StrEnum
from typing import Any


class UrlMode(StrEnum):
    """How a URL answers."""

    BUFFERED = "buffered"
    STREAM = "stream"


_INVOKE_MODES = {UrlMode.BUFFERED: "BUFFERED", UrlMode.STREAM: "RESPONSE_STREAM"}

_GRANTS: dict[str, dict[str, Any]] = {
    "lambent-deploy-url": {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
    "lambent-deploy-url-invoke": {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
}
"""Documented: Lambda developer guide, access to function URLs: both are needed since October 2025."""


def open_url(client: Any, name: str, mode: UrlMode) -> str:
    """
    Give a function a URL that anybody may use, or the one that it has another mode, and return it.

    Args:
        client: botocore's client of Lambda.
    """
    wanted = {"FunctionName": name, "InvokeMode": _INVOKE_MODES[mode], "AuthType": "NONE"}
    try:
        config = client.update_function_url_config(**wanted)
    except client.exceptions.ResourceNotFoundException:
        config = client.create_function_url_config(**wanted)
    for sid, grant in _GRANTS.items():
        try:
            client.add_permission(FunctionName=name, StatementId=sid, Principal="*", **grant)
        except client.exceptions.ResourceConflictException:
            # Of a deployment before.
            continue
    url: str = config["FunctionUrl"]
    return url
