"""The environment variables that a function may be given."""

import json
from collections.abc import Mapping

from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException

RESERVED_NAMES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    }
)
"""Names that Lambda sets itself. Documented: Lambda developer guide, defined runtime environment variables."""

_PREFIX = (
    "Lambda was unable to configure your environment variables because the environment variables you have provided "
)


def check_environment(variables: Mapping[str, str], quotas: Quotas) -> None:
    """
    Refuse environment variables that Lambda would not take.

    The spelling of names is the protocol's to check.

    Args:
        variables: name to value, in the order of the request.
        quotas: the limits of this account and region.

    Raises:
        InvalidParameterValueException: a name is reserved, a value cannot be handed to a process, or the variables are
            more than `quotas.environment_max_bytes` as JSON.

    Source: Lambda API reference, CreateFunction and UpdateFunctionConfiguration; Lambda quotas.
    """
    # Assumed: names are listed in the order of the request, before the size is looked at (test_environment_variables).
    reserved = [name for name in variables if name in RESERVED_NAMES]
    if reserved:
        # Observed: localstack/localstack#2951, aws/aws-cdk#22039.
        raise InvalidParameterValueException(
            f"{_PREFIX}contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    if any("\0" in value for value in variables.values()):
        # Assumed: no recorded text. No process can be started with such a value.
        raise InvalidParameterValueException(f"{_PREFIX}contains a value with a null character.")
    # Observed: localstack/localstack TestLambdaSizeLimits (recorded): the compact text is what counts.
    # Assumed: characters beyond ASCII count as their UTF-8 bytes, as JSON libraries of Java write them (same test).
    measured = json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode(errors="surrogatepass")) > quotas.environment_max_bytes:
        # Observed: its test_large_environment_variables_fails. The text has the number fixed.
        raise InvalidParameterValueException(f"{_PREFIX}exceeded the 4KB limit. String measured: {measured}")
