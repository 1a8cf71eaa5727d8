"""The environment variables that a function starts with."""

from collections.abc import Mapping
from typing import Any

import pytest

from lambent.domain.caller import Scope
from lambent.domain.environment_variables import RESERVED_NAMES
from lambent.domain.function import Code, Configuration, Deployment, FunctionName
from lambent.execution.variables import function_variables


def variables(environment: Mapping[str, str] | None = None, **replaced: Any) -> dict[str, str]:
    deployment = Deployment(
        scope=Scope("111122223333", "eu-west-1"),
        name=FunctionName("f"),
        version="7",
        deployment_id="d",
        configuration=Configuration(
            "python3.11", "app.handler", "role", memory_mib=256, environment=environment, log_group="/aws/lambda/f"
        ),
        code=Code("0" * 64, 1),
    )
    return function_variables(
        deployment,
        runtime_variables=replaced.get("runtime_variables", {"PATH": "/runtime/bin", "LANG": "C"}),
        runtime_reserved=replaced.get("runtime_reserved", {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.11"}),
        task_root="/var/task",
        runtime_api_address="127.0.0.1:9001",
        trace_address=replaced.get("trace_address", "169.254.100.1:2000"),
        log_stream="2026/01/01/[7]abc",
        endpoint="http://127.0.0.1:4566",
        credentials={"AWS_ACCESS_KEY_ID": "ASIA1", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"},
    )


def test_a_function_knows_who_and_where_it_is() -> None:
    """EV-01: every documented variable, from the deployment and its environment."""
    assert variables() == {
        "PATH": "/runtime/bin",
        "LANG": "C",
        "TZ": ":UTC",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "_HANDLER": "app.handler",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[7]abc",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_ACCESS_KEY_ID": "ASIA1",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
    }


def test_without_a_port_for_traces_no_variable_names_one() -> None:
    """SDKs then send to their default, where nobody listens, and say nothing of it."""
    assert not [name for name in variables(trace_address="") if "XRAY_DAEMON" in name]


@pytest.mark.parametrize(
    "name",
    ["PATH", "LANG", "TZ", "AWS_ENDPOINT_URL", "AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "MINE"],
)
def test_the_user_wins_over_defaults(name: str) -> None:
    """Defaults of the runtime and of ours are only that."""
    assert variables({name: "mine"})[name] == "mine"


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES & set(variables())))
def test_the_user_loses_to_reserved_variables(name: str) -> None:
    """EV-01: such names are refused at the API; a row that holds one all the same changes nothing."""
    assert variables({name: "mine"})[name] == variables()[name]
