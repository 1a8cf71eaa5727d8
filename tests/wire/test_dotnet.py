"""Functions in C#, as `dotnet publish` packs them: handlers, errors, logs, limits. What they are: tests/dotnet."""

import base64
import json
import re

import dotnet_packages
import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, ROLE, RUNTIMES_DIR, invoke, tail_of, wait_for, zip_of


@pytest.fixture(scope="module", autouse=True)
def _dotnet():
    dotnet_packages.require()
    dotnet_packages.install(RUNTIMES_DIR)


@pytest.fixture
def make_dotnet(make_function):
    """Make a function of a method in an assembly of tests/dotnet."""

    def make(type_, method="handler", *, name="Suite", without=(), **settings):
        entries = {path: content for path, content in dotnet_packages.package(name).items() if path not in without}
        wanted = {"Runtime": "dotnet8", "Handler": f"{name}::App.{type_}::{method}", "Timeout": 10, **settings}
        return make_function(entries=entries, **{"MemorySize": 512, **wanted})

    return make


def invoke_warm(client, name, event):
    """Invoke so that the answer waits for the runtime's next Next: the call after this one finds it idle."""
    return invoke(client, name, event, LogType="Tail")


def test_pl02_pl03_an_event_comes_back(lambda_client, make_dotnet):
    """PL-02, PL-03: the characters themselves, there and back; what is printed is a line with time, id and level."""
    name = make_dotnet("Echo")
    event = {"say": "愛 😀 é ’", "n": [1, None, 2.5]}
    answer = lambda_client.invoke(FunctionName=name, Payload=json.dumps(event).encode(), LogType="Tail")
    body = answer["Payload"].read()
    assert json.loads(body) == event
    # The serializer is the function's, and .NET's writes what is beyond the first plane as escapes.
    assert "愛 ".encode() in body
    request_id = answer["ResponseMetadata"]["RequestId"]
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.search(rf"^{time}\t{request_id}\tinfo\tsaid 愛 😀 é ’$", tail_of(answer), re.MULTILINE)
    assert invoke_warm(lambda_client, name, {"n": 2})[1] == {"n": 2}


def test_rt03_context(lambda_client, make_dotnet):
    """RT-03: the fields have their types, the ARN is what was addressed, the client's context arrives."""
    name = make_dotnet("ContextFields", Publish=True, MemorySize=256)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    for qualifier, expected in (("", arn), ("1", f"{arn}:1")):
        answer, seen = invoke(lambda_client, name, {}, **({"Qualifier": qualifier} if qualifier else {}))
        assert seen[:2] == [answer["ResponseMetadata"]["RequestId"], expected]
        assert seen[2:6] == [name, qualifier or "$LATEST", "256", f"/aws/lambda/{name}"]
        assert 5_000 < seen[8] < seen[7] <= 10_000
    context = base64.b64encode(b'{"custom": {"foo": "bar"}, "client": {"app_title": "t"}}').decode()
    seen = invoke(lambda_client, make_dotnet("MoreContext"), {}, ClientContext=context)[1]
    assert (seen["custom"], seen["title"]) == ({"foo": "bar"}, "t")


def test_er04_an_error_has_its_cause(lambda_client, make_dotnet):
    """ER-04: the body of AWS's client, with what caused it; the log has it whole, and the process lives on."""
    name = make_dotnet("Forms", "Cause")
    for _ in range(2):
        answer, payload = invoke_warm(lambda_client, name, {})
        assert answer["FunctionError"] == "Unhandled"
        assert list(payload) == ["errorType", "errorMessage", "stackTrace", "cause"]
        assert (payload["errorType"], payload["errorMessage"]) == ("InvalidOperationException", "outer")
        assert payload["cause"]["errorType"] == "ArgumentException"
    assert "\tfail\tSystem.InvalidOperationException: outer\n ---> System.ArgumentException" in tail_of(answer)
    assert "Init Duration" not in tail_of(answer)


@pytest.mark.parametrize(
    ("handler", "without", "told", "message"),
    [
        ("Suite::App.Nope::handler", (), "LambdaValidationException", "Unable to load type 'App.Nope'"),
        ("Suite::App.Echo", (), "LambdaValidationException", "Invalid lambda function handler: 'Suite::App.Echo'."),
        ("Suite::App.InitError::handler", (), "TargetInvocationException", "Exception has been thrown by the target"),
        ("Suite::App.Echo::handler", ("Suite.deps.json",), "Runtime.ExitError", "exit status 105"),
        ("Nope", (), "Runtime.ExitError", "exit status 104"),
    ],
)
def test_er04_init_errors(lambda_client, make_dotnet, handler, without, told, message):
    """ER-04: what fails before the first event is the answer, in AWS's words."""
    name = make_dotnet("Echo", without=without, Handler=handler)
    answer, payload = invoke(lambda_client, name, {})
    assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", told)
    assert message in payload["errorMessage"]


def test_er01_er04_ends(lambda_client, make_dotnet):
    """ER-01, ER-04: an exit, an exception that no thread catches and a timeout; the next call has a new process."""
    name = make_dotnet("Exit")
    for _ in range(2):
        payload = invoke(lambda_client, name, {})[1]
        assert payload["errorType"] == "Runtime.ExitError"
        assert payload["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
    answer, payload = invoke(lambda_client, make_dotnet("Forms", "Elsewhere"), {}, LogType="Tail")
    assert payload["errorMessage"].endswith("Error: Runtime exited with error: signal: aborted")
    assert "Unhandled exception. System.InvalidOperationException: nobody catches this" in tail_of(answer)
    payload = invoke(lambda_client, make_dotnet("Forms", "Forever", Timeout=1), {})[1]
    assert payload["errorType"] == "Sandbox.Timedout"


def test_pl01_large_payloads(lambda_client, make_dotnet):
    """PL-01: 6 MB pass both ways; an answer that is too long fails, and the call right after works at once."""
    name = make_dotnet("Forms", "Answer", Timeout=20)
    assert len(invoke(lambda_client, name, 6_000_000)[1]) == 6_000_000
    payload = invoke(lambda_client, name, 7_000_000)[1]
    message = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    assert payload == {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}
    assert invoke(lambda_client, name, 10)[1] == "x" * 10
    name = make_dotnet("Bare", "Streams", name="Bare", Timeout=20)
    assert invoke(lambda_client, name, "x" * 6_000_000)[1] == "x" * 6_000_000


def test_pl03_json_records(lambda_client, logs_client, make_dotnet):
    """PL-03: with LogFormat JSON, records are objects with .NET's levels, filtered by the function's."""
    name = make_dotnet("Logging", LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN"})
    answer, _ = invoke(lambda_client, name, {}, LogType="Tail")

    def read():
        found = logs_client.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        records = [json.loads(one["message"]) for one in found]
        return records if any(record.get("type") == "platform.report" for record in records) else None

    (record,) = [record for record in wait_for(read) if "message" in record]
    assert (record["level"], record["message"]) == ("Error", "high")
    assert record["requestId"] == answer["ResponseMetadata"]["RequestId"]


def test_the_example_answers(lambda_client, make_dotnet):
    """examples/dotnet, compiled by the tests' compiler, with stand-ins for AWS's libraries and the least memory."""
    name = make_dotnet("", name="Example", Handler="Example::Example.Function::Handle", MemorySize=128)
    answer, seen = invoke(lambda_client, name, {"name": "Ada"}, LogType="Tail")
    assert seen == {"Greeting": "Hello, Ada!", "Function": name, "Runtime": "AWS_Lambda_dotnet8"}
    assert "\tinfo\tgreeting Ada\n" in tail_of(answer)


def test_other_versions(lambda_client, unique_name):
    """dotnet10 is Failed with what adds it where there is none; dotnet6 is refused."""
    settings = {"Handler": "A::B::C", "Role": ROLE, "Code": {"ZipFile": zip_of({"A.dll": ""})}}
    with pytest.raises(ClientError, match="Runtime dotnet6 is not offered by this version of Lambent"):
        lambda_client.create_function(FunctionName=unique_name, Runtime="dotnet6", **settings)
    lambda_client.create_function(FunctionName=unique_name, Runtime="dotnet10", **settings)
    try:

        def settled():
            found = lambda_client.get_function_configuration(FunctionName=unique_name)
            return found["State"] != "Pending" and found

        found = wait_for(settled)
        assert found["State"] == "Active" or "lambent runtimes install dotnet10" in found["StateReason"]
    finally:
        lambda_client.delete_function(FunctionName=unique_name)
