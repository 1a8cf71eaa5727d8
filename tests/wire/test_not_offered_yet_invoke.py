"""
Lines of the behaviour cases of invocations that this version refuses.

Each test names what turns it round: when that is offered, the test is replaced by what the case expects.
"""

import json

import pytest
from botocore.exceptions import ClientError
from wire.support import error_of

HELLO = "def handler(e, c): return 'hello'"


def refused(call, status=501, code="NotImplementedException"):
    """Call, see it refused, and return the message."""
    with pytest.raises(ClientError) as excinfo:
        call()
    found_status, found_code, message = error_of(excinfo)
    assert (found_status, found_code) == (status, code), message
    return message


@pytest.mark.parametrize("size", [0, 300_000])
def test_er04_pl01_event_invocations(lambda_client, logs_client, make_function, size):
    """ER-04, PL-01: Event is 202 with an empty body, 300 KB too. Turned round by durable asynchronous invocations."""
    name = make_function(HELLO)
    payload = json.dumps("x" * size)
    message = refused(lambda: lambda_client.invoke(FunctionName=name, InvocationType="Event", Payload=payload))
    assert "not offered by this version" in message
    with pytest.raises(logs_client.exceptions.ResourceNotFoundException):
        logs_client.describe_log_streams(logGroupName=f"/aws/lambda/{name}")


def test_er04_invoke_async(lambda_client, make_function):
    """ER-04: the old InvokeAsync answers 202. Turned round by durable asynchronous invocations."""
    name = make_function(HELLO)
    refused(lambda: lambda_client.invoke_async(FunctionName=name, InvokeArgs=b"{}"))


def test_pl03_filter_patterns(lambda_client, logs_client, make_function):
    """PL-03: FilterLogEvents with a pattern. Turned round by the filter pattern language."""
    name = make_function(HELLO)
    lambda_client.invoke(FunctionName=name, LogType="Tail")
    group = f"/aws/lambda/{name}"
    message = refused(
        lambda: logs_client.filter_log_events(logGroupName=group, filterPattern="REPORT"),
        400,
        "InvalidParameterException",
    )
    assert message == "filterPattern is not offered by this version of Lambent"
    assert logs_client.filter_log_events(logGroupName=group, filterPattern="")["events"]
