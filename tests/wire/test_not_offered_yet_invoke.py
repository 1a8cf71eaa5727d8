"""
Lines of the behaviour cases of invocations that this version refuses.

Each test names what turns it round: when that is offered, the test is replaced by what the case expects.
"""

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
