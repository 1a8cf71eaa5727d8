"""Failing functions, beside what the plain cases show: who else notices, what repeats, what the client reports."""

import threading

import pytest
from botocore.exceptions import ClientError
from wire.support import error_of, invoke, tail_of

COUNTING = """
import os, sys, time
N = 0
def handler(e, c):
    global N
    N += 1
    time.sleep(e.get("s", 0))
    if "exit" in e:
        os._exit(e["exit"])
    if "signal" in e:
        os.kill(os.getpid(), e["signal"])
    if "mb" in e:
        block = bytearray(e["mb"] * 1024 * 1024)
        block[::4096] = b"x" * len(block[::4096])
        time.sleep(10)
    if "raise" in e:
        raise KeyError(e["raise"])
    return N
"""


def test_er01_a_late_result_is_never_delivered(lambda_client, make_function):
    """ER-01: what a call that ran out of time would have answered reaches no later call."""
    source = """
import time
def handler(e, c):
    time.sleep(e["s"])
    return e["word"]
"""
    name = make_function(source, Timeout=3)
    assert invoke(lambda_client, name, {"s": 3.2, "word": "late"})[1]["errorType"] == "Sandbox.Timedout"
    assert [invoke(lambda_client, name, {"s": 0.1, "word": str(n)})[1] for n in range(5)] == list("01234")


def test_er01_an_import_that_outlasts_the_timeout(lambda_client, make_function):
    """ER-01: a module that takes the init phase and the function's time as well is a timeout of that time."""
    # The first round of the init phase fails at once; the second, inside the call, hangs. A tag tells them apart: of
    # what is in one environment the next one sees nothing.
    source = """
import json, os, time, urllib.parse, urllib.request
arn = f"arn:aws:lambda:us-east-1:000000000000:function:{os.environ['AWS_LAMBDA_FUNCTION_NAME']}"
tags = os.environ["AWS_ENDPOINT_URL"] + "/2017-03-31/tags/" + urllib.parse.quote(arn, safe="")
if not json.load(urllib.request.urlopen(tags))["Tags"]:
    json_type = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(tags, b'{"Tags": {"round": "1"}}', json_type, method="POST"))
    os._exit(1)
time.sleep(60)
def handler(e, c): pass
"""
    name = make_function(source, Timeout=1)
    answer, payload = invoke(lambda_client, name)
    assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert payload["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")


def test_er02_nobody_else_notices(lambda_client, make_function):
    """ER-02: while a function is ended for its memory, a neighbour keeps its process and its call under way."""
    hungry, neighbour = make_function(COUNTING, Timeout=20), make_function(COUNTING, Timeout=20)
    assert invoke(lambda_client, neighbour, {}, LogType="Tail")[1] == 1
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(invoke(lambda_client, neighbour, {"s": 1}, LogType="Tail")[1])
    )
    thread.start()
    payload = invoke(lambda_client, hungry, {"mb": 300})[1]
    assert (payload["errorType"], payload["errorMessage"][-14:]) == ("Runtime.ExitError", "signal: killed")
    thread.join()
    assert answers == [2]
    assert invoke(lambda_client, neighbour, {})[1] == 3


@pytest.mark.parametrize(
    ("event", "text"),
    [({"signal": 11}, "signal: segmentation fault"), ({"signal": 9}, "signal: killed"), ({"exit": 1}, "exit status 1")],
)
def test_er02_the_end_of_a_process_is_told(lambda_client, make_function, event, text):
    """ER-02: how the process ended is in the answer and in the log, and the next call begins anew."""
    name = make_function(COUNTING)
    assert [invoke(lambda_client, name, {}, LogType="Tail")[1] for _ in range(2)] == [1, 2]
    answer, payload = invoke(lambda_client, name, event, LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert set(payload) == {"errorType", "errorMessage"}
    message = f"RequestId: {request_id} Error: Runtime exited with error: {text}"
    assert payload["errorMessage"].removesuffix(" (core dumped)") == message
    tail = tail_of(answer)
    assert message in tail
    assert "Status: error\tError Type: Runtime.ExitError" in tail
    assert invoke(lambda_client, name, {})[1] == 1


def test_er03_refusals_before_the_function(lambda_client, make_function):
    """ER-03: an unknown function and version are a 404 before the payload is looked at; a client context is JSON."""
    name = make_function("def handler(e, c): return 1")
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"

    def refusal(**arguments):
        with pytest.raises(ClientError) as excinfo:
            lambda_client.invoke(**arguments)
        return error_of(excinfo)

    assert refusal(FunctionName=f"{name}-no", Payload=b"{not json") == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {arn}-no:$LATEST",
    )
    assert refusal(FunctionName=name, Qualifier="7", InvocationType="DryRun") == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {arn}:7",
    )
    assert refusal(FunctionName=name, ClientContext="not base64!")[:2] == (400, "InvalidRequestContentException")


def test_er04_an_exception_keeps_the_environment(lambda_client, make_function):
    """ER-04: an exception of the handler is the call's own; globals live on, frames name the function's file."""
    name = make_function(COUNTING)
    assert invoke(lambda_client, name, {}, LogType="Tail")[1] == 1
    answer, payload = invoke(lambda_client, name, {"raise": "k"}, LogType="Tail")
    assert (payload["errorType"], payload["errorMessage"]) == ("KeyError", "'k'")
    assert payload["requestId"] == answer["ResponseMetadata"]["RequestId"]
    (frame,) = payload["stackTrace"]
    assert frame.startswith('  File "')
    assert frame.endswith('/app.py", line 17, in handler\n    raise KeyError(e["raise"])\n')
    assert "[ERROR] KeyError: 'k'" in tail_of(answer)
    assert invoke(lambda_client, name, {})[1] == 3


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        ("def handler(e, c)\n", "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app': "),
        ("", "nodot", "Runtime.MalformedHandlerName", "Bad handler 'nodot': not enough values to unpack"),
        ("", "sys.exit", "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys as a handler module"),
        ("", "app.none", "Runtime.HandlerNotFound", "Handler 'none' missing on module 'app'"),
        ("", "no.handler", "Runtime.ImportModuleError", "Unable to import module 'no': No module named 'no'"),
    ],
)
def test_er04_what_cannot_be_loaded_is_told_by_the_client(
    lambda_client, make_function, source, handler, error_type, message
):
    """ER-04: errors before the handler come from the official client with its own type and text."""
    answer, payload = invoke(lambda_client, make_function(source, Handler=handler))
    assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", error_type)
    assert payload["errorMessage"].startswith(message)
