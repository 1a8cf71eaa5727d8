"""The environment variables that a function's process starts with."""

from collections.abc import Mapping
from typing import Final

from lambent.access.function_credentials import EnvironmentCredentials
from lambent.domain.function import Deployment

SNAP_START: Final = "snap-start"
"""The initialization type of an environment whose init was run ahead."""


def function_variables(
    deployment: Deployment,
    *,
    runtime_variables: Mapping[str, str],
    runtime_reserved: Mapping[str, str],
    task_root: str,
    runtime_api_address: str,
    trace_address: str,
    log_stream: str,
    endpoint: str,
    credentials: Mapping[str, str],
    initialization_type: str = "on-demand",
) -> dict[str, str]:
    """
    Build the complete environment of a runtime's process.

    The user's variables win over defaults (PATH, LANG, TZ, AWS_ENDPOINT_URL, ...) and lose to reserved ones.

    Args:
        runtime_variables: the runtime's own defaults.
        runtime_reserved: the runtime's own reserved variables, e.g. AWS_EXECUTION_ENV.
        task_root: where the function sees its package.
        trace_address: `host:port` of what takes its traces; empty: nothing does.
        endpoint: the gateway's base URL; what AWS SDKs in the function call unless the user said otherwise.
            Assumed: AWS sets no AWS_ENDPOINT_URL; without one, SDK calls here would leave for the real AWS.
        credentials: the variables by which AWS SDKs find them.
        initialization_type: `on-demand`, `provisioned-concurrency` or `snap-start`.

    Documented: Lambda developer guide, defined runtime environment variables. Observed: the X-Ray pair and LANG, TZ
    (recorded environments of the service).
    """
    configuration = deployment.configuration
    region = deployment.scope.region
    defaults = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_ENDPOINT_URL": endpoint,
    }
    reserved = {
        "_HANDLER": configuration.handler,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_LAMBDA_FUNCTION_NAME": deployment.name,
        "AWS_LAMBDA_FUNCTION_VERSION": deployment.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_mib),
        "AWS_LAMBDA_INITIALIZATION_TYPE": initialization_type,
        "AWS_LAMBDA_LOG_GROUP_NAME": configuration.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": runtime_api_address,
        "LAMBDA_TASK_ROOT": task_root,
        **credentials,
    }
    if trace_address:
        host, _, port = trace_address.rpartition(":")
        defaults["AWS_XRAY_DAEMON_ADDRESS"] = trace_address
        reserved["_AWS_XRAY_DAEMON_ADDRESS"], reserved["_AWS_XRAY_DAEMON_PORT"] = host, port
    if configuration.logging.is_json:
        # Read by the runtimes' own clients, which filter what the function logs.
        reserved["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        reserved["AWS_LAMBDA_LOG_LEVEL"] = configuration.logging.application_level or "INFO"
    return {**defaults, **runtime_variables, **(configuration.environment or {}), **reserved, **runtime_reserved}


def credential_variables(
    credentials: EnvironmentCredentials, runtime_api_address: str, initialization_type: str
) -> dict[str, str]:
    """
    Return the variables by which AWS SDKs find a function's credentials.

    Documented: Lambda developer guide, SnapStart: what was initialised ahead fetches them, since they would have ended.
    Observed: aws/aws-lambda-runtime-interface-emulator, the path, and the token as a header's value.
    """
    if initialization_type == SNAP_START:
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{runtime_api_address}/2021-04-23/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": credentials.token,
        }
    issued = credentials.issue()
    return {
        "AWS_ACCESS_KEY_ID": issued.access_key,
        "AWS_SECRET_ACCESS_KEY": issued.secret_key,
        "AWS_SESSION_TOKEN": issued.session_token,
    }
