"""Reserved concurrency and the account's limit: the operations, and what they do to calls."""

import http.client
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from wire.support import ROLE, FunctionMaker, error_of, invoke, wait_for, zip_of

HELLO = "def handler(e, c): return c.log_stream_name"

# Says from when to when it ran; ends as told.
WORK = """
import os, time
def handler(e, c):
    began = time.time()
    time.sleep(e.get("sleep_s", 0))
    if e.get("exit"):
        os._exit(1)
    return [began, time.time(), c.log_stream_name]
"""

RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"
CC02 = (
    "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
    "below its minimum value of [100]."
)
FUNCTIONS_ONLY = (
    "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
    "Please specify either a function name or an unqualified function ARN."
)


def refused(call, *arguments, **parameters):
    with pytest.raises(ClientError) as excinfo:
        call(*arguments, **parameters)
    return error_of(excinfo)


def reason(client, name, event=None):
    """Return why a call is throttled."""
    with pytest.raises(client.exceptions.TooManyRequestsException) as excinfo:
        invoke(client, name, event)
    response = excinfo.value.response
    assert response["Type"] == "User"
    assert error_of(excinfo) == (429, "TooManyRequestsException", "Rate Exceeded.")
    return response["Reason"]


def reserve(client, name, count):
    answer = client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=count)
    assert answer["ReservedConcurrentExecutions"] == count


def reserved(client, name):
    """Return what GetFunctionConcurrency and GetFunction agree on; None where nothing is reserved."""
    answer = client.get_function_concurrency(FunctionName=name)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    count = answer.get("ReservedConcurrentExecutions")
    shown = client.get_function(FunctionName=name).get("Concurrency")
    assert shown == (None if count is None else {"ReservedConcurrentExecutions": count})
    return count


def most_at_once(spans):
    """Return how many of (began, ended) overlapped at most."""
    moments = sorted([(began, 1) for began, *_ in spans] + [(ended, -1) for _, ended, *_ in spans])
    running = most = 0
    for _, change in moments:
        running += change
        most = max(most, running)
    return most


@pytest.fixture
def own_account(server, runtime, unique_name):
    """A client of an account of its own, and a maker of its functions."""
    client = server.client("lambda", account="222222222222")
    maker = FunctionMaker(client, runtime, unique_name)
    yield client, maker
    for _, name in maker.made:
        client.delete_function(FunctionName=name)


def test_cc02_a_hundred_stay_unreserved(server, own_account):
    """CC-02: of 1,000 at most 900 can be reserved, over all functions; a refused reservation leaves the old one."""
    client, maker = own_account
    one, other = maker(HELLO, wait=False), maker(HELLO, wait=False)
    limits = client.get_account_settings()["AccountLimit"]
    assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (1000, 1000)
    too_much = {"FunctionName": one, "ReservedConcurrentExecutions": 950}
    assert refused(client.put_function_concurrency, **too_much) == (400, "InvalidParameterValueException", CC02)
    assert reserved(client, one) is None
    reserve(client, one, 900)
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 100
    assert refused(client.put_function_concurrency, FunctionName=other, ReservedConcurrentExecutions=1)[2] == CC02
    assert refused(client.put_function_concurrency, **too_much)[2] == CC02
    assert reserved(client, one) == 900
    reserve(client, one, 899)
    reserve(client, other, 1)
    limits = client.get_account_settings()["AccountLimit"]
    assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (1000, 100)
    elsewhere = server.client("lambda", account="222222222222", region="eu-west-1")
    assert elsewhere.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000


def test_cc02_the_refusal_has_no_type(server, own_account):
    """CC-02: the body of this one error is its message alone, as recorded of the service."""
    name = own_account[1](HELLO, wait=False)
    request = urllib.request.Request(
        f"{server.endpoint}/2017-10-31/functions/{name}/concurrency",
        json.dumps({"ReservedConcurrentExecutions": 901}).encode(),
        {
            "authorization": "AWS4-HMAC-SHA256 Credential=222222222222/20261125/us-east-1/lambda/aws4_request",
            "content-type": "application/json",
        },
        method="PUT",
    )
    with pytest.raises(urllib.error.HTTPError) as excinfo:
        urllib.request.urlopen(request, timeout=30)
    with excinfo.value as answer:
        assert (answer.code, answer.headers["x-amzn-errortype"]) == (400, "InvalidParameterValueException")
        assert json.load(answer) == {"message": CC02}


def test_cc02_reservations_live_and_die_with_their_function(lambda_client, make_function):
    """CC-02: none at first, put, shown, replaced, deleted with 204 (twice is fine), and gone with the function."""
    name = make_function(HELLO, Publish=True)
    assert reserved(lambda_client, name) is None
    for count in (5, 0, 7):
        reserve(lambda_client, name, count)
        assert reserved(lambda_client, name) == count
    assert "Concurrency" not in lambda_client.get_function(FunctionName=name, Qualifier="1")
    for _ in range(2):
        answer = lambda_client.delete_function_concurrency(FunctionName=name)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert reserved(lambda_client, name) is None
    reserve(lambda_client, name, 7)
    lambda_client.delete_function(FunctionName=name)
    before = lambda_client.get_account_settings()["AccountLimit"]
    make_function(HELLO, name=name, wait=False)
    assert reserved(lambda_client, name) is None
    assert lambda_client.get_account_settings()["AccountLimit"] == before


@pytest.mark.parametrize("operation", ["put", "get", "delete"])
def test_cc02_which_function_is_meant(lambda_client, make_function, unique_name, operation):
    """CC-02: names, partial and full ARNs name the function; a qualifier is refused; one that is missing is a 404."""
    call = getattr(lambda_client, f"{operation}_function_concurrency")
    more = {"ReservedConcurrentExecutions": 2} if operation == "put" else {}
    missing = f"arn:aws:lambda:us-east-1:000000000000:function:{unique_name}"
    assert refused(call, FunctionName=unique_name, **more) == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {missing}:$LATEST",
    )
    if operation == "put":
        # The function comes before the number's sense.
        assert refused(call, FunctionName=unique_name, ReservedConcurrentExecutions=5000)[0] == 404
    name = make_function(HELLO, wait=False)
    for form in (name, f"function:{name}", f"000000000000:function:{name}", missing):
        call(FunctionName=form, **more)
    for form in (f"{name}:1", f"{name}:live", f"{missing}:$LATEST"):
        assert refused(call, FunctionName=form, **more) == (400, "InvalidParameterValueException", FUNCTIONS_ONLY)


def test_cc01_a_reservation_is_exact_under_a_burst(lambda_client, make_function):
    """CC-01: of 20 calls at once with 3 reserved never more than 3 are inside; the others are told the Reason."""
    name = make_function(WORK, Timeout=30)
    reserve(lambda_client, name, 3)
    start = threading.Barrier(20)

    def call(_):
        start.wait()
        try:
            return invoke(lambda_client, name, {"sleep_s": 5})[1]
        except ClientError as error:
            return error.response

    with ThreadPoolExecutor(20) as threads:
        results = list(threads.map(call, range(20)))
    ran = [result for result in results if isinstance(result, list)]
    throttled = [result for result in results if isinstance(result, dict)]
    assert most_at_once(ran) == 3
    assert len(throttled) == 20 - len(ran) >= 14
    assert {one["ResponseMetadata"]["HTTPStatusCode"] for one in throttled} == {429}
    assert {one["Reason"] for one in throttled} <= {RESERVED, "ReservedFunctionInvocationRateLimitExceeded"}
    assert RESERVED in {one["Reason"] for one in throttled}
    assert isinstance(invoke(lambda_client, name, {})[1], list), "all slots have returned"


def test_a_reservation_of_nothing_refuses_at_once(server, lambda_client, make_function):
    """0 switches a function off, in the form that AWS's clients and bare HTTP know; giving it back switches it on."""
    name = make_function(HELLO)
    stream = invoke(lambda_client, name, LogType="Tail")[1]
    reserve(lambda_client, name, 0)
    assert reason(lambda_client, name) == RESERVED
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", f"/2015-03-31/functions/{name}/invocations", b"{}")
    response = connection.getresponse()
    assert (response.status, response.headers["x-amzn-errortype"]) == (429, "TooManyRequestsException")
    assert int(response.headers["retry-after"]) >= 1
    assert json.load(response) == {"Reason": RESERVED, "Type": "User", "message": "Rate Exceeded."}
    connection.close()
    assert lambda_client.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    reserve(lambda_client, name, 1)
    assert invoke(lambda_client, name, LogType="Tail")[1] == stream, "a reservation leaves environments alone"
    lambda_client.delete_function_concurrency(FunctionName=name)
    assert invoke(lambda_client, name)[1] == stream


def test_versions_share_the_reservation(server, lambda_client, make_function):
    """A reservation is the function's: a call of a version leaves none for $LATEST."""
    name = make_function(WORK, Timeout=30, Publish=True)
    reserve(lambda_client, name, 1)
    # What the test before has left may be on its way out.
    wait_for(lambda: server.health()["environments"]["busy"] == 0)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(invoke, lambda_client, name, {"sleep_s": 5}, Qualifier="1")
        wait_for(lambda: server.health()["environments"]["busy"] == 1)
        assert reason(lambda_client, name, {}) == RESERVED
        assert running.result()[0]["ExecutedVersion"] == "1"
    assert invoke(lambda_client, name, {})[0]["ExecutedVersion"] == "$LATEST"


def test_calls_one_after_the_other_need_one_execution(server, lambda_client, make_function):
    """With 1 reserved a caller that comes back at once is never told that all are taken; only that it is too fast."""
    # One whole processor: with less, most of the time goes by waiting for the next share of it.
    name = make_function(HELLO, MemorySize=1769)
    invoke(lambda_client, name)
    reserve(lambda_client, name, 1)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    answers = []
    for _ in range(60):
        connection.request("POST", f"/2015-03-31/functions/{name}/invocations", b"{}")
        response = connection.getresponse()
        answers.append((response.status, json.load(response)))
    connection.close()
    assert [status for status, _ in answers[:10]] == [200] * 10
    throttled = {body["Reason"] for status, body in answers if status == 429}
    # None of them on a machine on which calls take as long as they may.
    assert throttled <= {"ReservedFunctionInvocationRateLimitExceeded"}
    wait_for(lambda: not _is_over_rate(lambda_client, name), every_s=0.2)


def _is_over_rate(client, name):
    try:
        invoke(client, name)
    except client.exceptions.TooManyRequestsException:
        return True
    return False


def test_a_client_that_leaves_returns_its_slot_when_its_call_is_over(own_server, runtime, unique_name):
    """The call goes on and counts after its connection has gone; then the slot is there again."""
    server = own_server().start()
    client = server.client("lambda")
    name = FunctionMaker(client, runtime, unique_name)(WORK, Timeout=30)
    # With the log's end, the answer comes when no environment is busy any more.
    invoke(client, name, {}, LogType="Tail")
    reserve(client, name, 1)
    body = json.dumps({"sleep_s": 6}).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            f"POST /2015-03-31/functions/{name}/invocations HTTP/1.1\r\nHost: x\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        wait_for(lambda: server.health()["environments"]["busy"] == 1)
    gone_at = time.time()
    assert reason(client, name, {}) == RESERVED
    began, *_ = wait_for(lambda: _answer_or_none(client, name), every_s=0.3)
    assert began - gone_at > 1.5, "the call that nobody waited for was not over"


def _answer_or_none(client, name):
    try:
        return invoke(client, name, {})[1]
    except client.exceptions.TooManyRequestsException:
        return None


@pytest.mark.parametrize(
    ("event", "error_type"),
    [({"sleep_s": 9}, "Sandbox.Timedout"), ({"exit": True}, "Runtime.ExitError")],
)
def test_timeouts_and_crashes_return_their_slot(lambda_client, make_function, event, error_type):
    """After a timeout or a crash the one execution that is reserved is there for the next call, every time."""
    name = make_function(WORK, Timeout=2)
    reserve(lambda_client, name, 1)
    for _ in range(3):
        answer, payload = invoke(lambda_client, name, event)
        assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", error_type)
        assert isinstance(invoke(lambda_client, name, {})[1], list)


def test_the_accounts_limit_is_a_setting(own_server, runtime, unique_name):
    """All functions without a reservation share --concurrent-executions, less what others reserve."""
    server = own_server(None, "--concurrent-executions", "3").start()
    client = server.client("lambda")
    maker = FunctionMaker(client, runtime, unique_name)
    one, other, kept = maker(WORK, Timeout=30), maker(WORK, Timeout=30), maker(WORK, Timeout=30)
    reserve(client, kept, 1)
    limits = client.get_account_settings()["AccountLimit"]
    assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (3, 2)
    for name in (one, other, kept):
        invoke(client, name, {}, LogType="Tail")
    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(invoke, client, name, {"sleep_s": 6}) for name in (one, other)]
        wait_for(lambda: server.health()["environments"]["busy"] == 2)
        assert reason(client, one, {}) == "ConcurrentInvocationLimitExceeded"
        assert isinstance(invoke(client, kept, {})[1], list), "what is reserved is there"
        elsewhere = server.client("lambda", account="333333333333")
        assert elsewhere.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 3
        assert all(isinstance(one.result()[1], list) for one in running)
    assert isinstance(invoke(client, one, {})[1], list)


def test_reservations_survive_a_crash_of_the_server(lone_server, runtime):
    """What PutFunctionConcurrency answered is there after kill -9, and acts."""
    client = lone_server.client("lambda")
    for name in ("off", "on"):
        client.create_function(
            FunctionName=name,
            Runtime=runtime,
            Handler="app.handler",
            Role=ROLE,
            Code={"ZipFile": zip_of({"app.py": HELLO})},
        )
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    reserve(client, "off", 0)
    reserve(client, "on", 9)
    lone_server.kill()
    client = lone_server.restart().client("lambda")
    assert (reserved(client, "off"), reserved(client, "on")) == (0, 9)
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 991
    assert reason(client, "off") == RESERVED
    assert isinstance(invoke(client, "on")[1], str)
