"""Functions in Java over HTTP, with AWS's own libraries, which packages bring; their sources are in `java`."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from wire.support import LAMBENT, ROLE, ROOT, RUNTIMES_DIR, error_of, invoke, tail_of, wait_for, wait_updated, zip_of

SOURCES = Path(__file__).with_name("java")
LIBRARIES = ROOT / ".cache" / "java" / "lib"
"""AWS's libraries, fetched once."""


@pytest.fixture(scope="module")
def listed():
    """What `lambent runtimes` says of Java, by identifier."""
    environ = {**os.environ, "LAMBENT_RUNTIMES_DIR": str(RUNTIMES_DIR)}
    listing = subprocess.run([LAMBENT, "runtimes", "--json"], capture_output=True, check=True, env=environ)
    return {row["runtime"]: row for row in json.loads(listing.stdout) if row["runtime"].startswith("java")}


@pytest.fixture(scope="module")
def java(listed):
    """The newest Java runtime here, and javac and Maven beside it."""
    found = [name for name, row in listed.items() if row["available"] and name.removeprefix("java").isdigit()]
    if not found or shutil.which("javac") is None or shutil.which("mvn") is None:
        pytest.skip("needs:java:apt install openjdk-17-jdk-headless maven")
    return max(found)


@pytest.fixture(scope="module")
def libraries(java):
    """Fetch AWS's libraries and what they need, name to bytes."""
    if not LIBRARIES.is_dir():
        command = ["mvn", "--batch-mode", "--quiet", "-f", str(SOURCES / "pom.xml"), "dependency:copy-dependencies"]
        partial = LIBRARIES.with_name("lib.partial")
        done = subprocess.run([*command, f"-DoutputDirectory={partial}"], capture_output=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip("needs:java:Maven where it reaches a repository")
        partial.rename(LIBRARIES)
    return {path.name: path.read_bytes() for path in LIBRARIES.glob("*.jar")}


@pytest.fixture(scope="module")
def classes(libraries, tmp_path_factory):
    """Compile all functions, name to bytes."""
    folder = tmp_path_factory.mktemp("classes")
    sources = map(str, SOURCES.rglob("*.java"))
    command = [
        "javac",
        "-J-XX:TieredStopAtLevel=1",
        "--release",
        "17",
        "-proc:none",
        "-cp",
        f"{LIBRARIES}/*",
        "-d",
        str(folder),
        *sources,
    ]
    subprocess.run(command, check=True)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.class")}


@pytest.fixture(scope="module")
def archive(classes, libraries):
    """Classes at the root, jars in lib."""
    return zip_of({**classes, **{f"lib/{name}": content for name, content in libraries.items()}})


@pytest.fixture
def make_java(make_function, java, archive):
    def make(handler, **settings):
        wanted = {"Runtime": java, "Handler": handler, "Timeout": 20, "MemorySize": 512, "archive": archive, **settings}
        return make_function(**wanted)

    return make


def test_forms_of_handlers(make_java, lambda_client):
    """RT-02: a class by itself and with its method, a static method, streams; unknown members are left out."""
    event = {"title": "t", "n": 3, "unknown": {"a": [1]}}
    name = make_java("x.H")
    assert invoke(lambda_client, name, event)[1] == {"text": "t 3"}
    for handler, expected in (
        ("x.H::handleRequest", {"text": "t 3"}),
        ("x.S::handle", f"{name} t Integer"),
        ("x.R", event),
    ):
        lambda_client.update_function_configuration(FunctionName=name, Handler=handler)
        wait_updated(lambda_client, name)
        answer, payload = invoke(lambda_client, name, event)
        assert ("FunctionError" not in answer, payload) == (True, expected)


def test_a_package_of_jars(make_java, lambda_client, classes, libraries):
    """RT-02: the function itself may be a jar in lib; a whole package is a jar as well, uploaded as it is."""
    jars = {f"lib/{name}": content for name, content in libraries.items()}
    name = make_java("x.R", archive=zip_of({"lib/function.jar": zip_of(classes), **jars}))
    assert invoke(lambda_client, name, [1])[1] == [1]


EVENTS = {
    "api": (
        {
            "httpMethod": "POST",
            "queryStringParameters": {"q": "1"},
            "requestContext": {"identity": {"sourceIp": "1.2.3.4"}},
            "isBase64Encoded": True,
            "version": "1.0",
        },
        {"statusCode": 200, "headers": {"A": "b"}, "body": "POST 1 1.2.3.4 true"},
    ),
    "sqs": (
        {"Records": [{"body": "b", "eventSourceARN": "arn:q", "messageAttributes": {"a": {"stringValue": "s"}}}]},
        {"batchItemFailures": [{"itemIdentifier": "b arn:q s"}]},
    ),
    "s3": (
        {
            "Records": [
                {
                    "eventTime": "2019-09-03T19:37:27.192Z",
                    "eventName": "ObjectCreated:Put",
                    "responseElements": {"x-amz-id-2": "vl"},
                    "s3": {"bucket": {"name": "b"}, "object": {"key": "a+b%20c.jpg", "size": 1305107}},
                }
            ]
        },
        ["ObjectCreated:Put", "b", "a b c.jpg", 1567539447192, 1305107, "vl"],
    ),
    "sns": (
        {
            "Records": [
                {
                    "EventSource": "aws:sns",
                    "Sns": {
                        "Message": "m",
                        "Timestamp": "2019-01-02T12:45:07.000Z",
                        "MessageAttributes": {"T": {"Type": "String", "Value": "V"}},
                    },
                }
            ]
        },
        ["aws:sns", "m", 1546433107000, "V"],
    ),
    "scheduled": (
        {"detail-type": "Scheduled Event", "time": "2015-10-08T16:53:06Z", "detail": {"a": 1}},
        ["Scheduled Event", 2015, {"a": 1}],
    ),
    "dynamodb": (
        {
            "Records": [
                {
                    "eventName": "INSERT",
                    "eventSourceARN": "arn:d",
                    "dynamodb": {
                        "ApproximateCreationDateTime": 1428537600.5,
                        "Keys": {"Id": {"N": "101"}},
                        "NewImage": {"Message": {"S": "New item!"}},
                    },
                }
            ]
        },
        ["INSERT", "New item!", "101", 1428537600500, "arn:d"],
    ),
    "kinesis": (
        {
            "Records": [
                {
                    "eventSourceARN": "arn:k",
                    "kinesis": {"data": "SGVsbG8=", "approximateArrivalTimestamp": 1545084650.987},
                }
            ]
        },
        ["Hello", 1545084650987, "arn:k"],
    ),
}


@pytest.mark.parametrize("kind", EVENTS)
def test_classes_of_events(make_java, lambda_client, kind):
    """RT-02: those of aws-lambda-java-events are filled, dates and odd names among them."""
    event, expected = EVENTS[kind]
    answer, payload = invoke(lambda_client, make_java(f"x.E::{kind}"), event, LogType="Tail")
    assert ("FunctionError" not in answer, payload) == (True, expected), tail_of(answer)


@pytest.fixture
def worker(make_java):
    return make_java("x.H")


def test_errors(worker, lambda_client, make_java):
    """RT-02: an exception, a class that is missing, and an exit; each in the result and in the log."""
    answer, payload = invoke(lambda_client, worker, {"title": "fail"}, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert list(payload) == ["errorMessage", "errorType", "stackTrace"]
    assert (payload["errorMessage"], payload["errorType"]) == ("boom", "java.lang.RuntimeException")
    assert payload["stackTrace"][0].startswith("x.H.handleRequest(H.java:")
    assert "boom: java.lang.RuntimeException" in tail_of(answer)
    answer, _ = invoke(lambda_client, worker, {"title": "t"}, LogType="Tail")
    assert "Init Duration" not in tail_of(answer)
    answer, payload = invoke(lambda_client, worker, {"title": "exit"})
    assert payload["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")

    answer, payload = invoke(lambda_client, make_java("x.Nope"), {}, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert payload == {"errorMessage": "Class not found: x.Nope", "errorType": "java.lang.ClassNotFoundException"}
    assert "Class not found: x.Nope" in tail_of(answer)


def test_context_and_logs(worker, lambda_client, logs_client):
    """RT-03, PL-03: what AWS's own Context tells, and what each way of writing leaves in the log."""
    sent = base64.b64encode(b'{"custom": {"foo": "bar"}}').decode()
    answer, payload = invoke(lambda_client, worker, {"title": "context"}, ClientContext=sent)
    shown = lambda_client.get_function_configuration(FunctionName=worker)
    request_id = answer["ResponseMetadata"]["RequestId"]
    group = f"/aws/lambda/{worker}"
    told = [request_id, shown["FunctionArn"], worker, "$LATEST", group, 512, True, {"foo": "bar"}, True]
    assert payload["told"] == told
    invoke(lambda_client, worker, {"title": "print"}, LogType="Tail")

    def messages():
        events = logs_client.filter_log_events(logGroupName=group)["events"]
        found = [event["message"] for event in events]
        return found if "[WARN] logged é 愛 😀" in found else None

    found = wait_for(messages)
    places = [found.index(message) for message in ("to stdout\n", "to stderr\n", "[WARN] logged é 愛 😀")]
    assert places == sorted(places)


def test_json_logs(make_java, lambda_client):
    """PL-03: LambdaLogger writes records, and those below the level are not written."""
    config = {"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"}
    name = make_java("x.H", LoggingConfig=config)
    answer, _ = invoke(lambda_client, name, {"title": "print"}, LogType="Tail")
    assert "logged" not in tail_of(answer)
    answer, _ = invoke(lambda_client, name, {"title": "fail"}, LogType="Tail")
    (line,) = [line for line in tail_of(answer).splitlines() if '"level":"ERROR"' in line]
    assert json.loads(line)["AWSRequestId"] == answer["ResponseMetadata"]["RequestId"]


def test_versions_that_are_not_here(lambda_client, listed, archive, unique_name):
    """Java before 17 is refused by name; a newer one that is missing fails with the command that adds it."""
    wanted = {"FunctionName": unique_name, "Role": ROLE, "Handler": "x.H", "Code": {"ZipFile": archive}}
    with pytest.raises(ClientError) as refused:
        lambda_client.create_function(Runtime="java11", **wanted)
    assert error_of(refused)[2] == "Runtime java11 is not offered by this version of Lambent"
    assert listed["java11"]["detail"] == "not offered: Java 17 or newer"
    missing = [name for name, row in listed.items() if row["provider"] == "host" and not row["available"]]
    if missing:
        lambda_client.create_function(Runtime=missing[0], **wanted)
        try:
            shown = wait_for(
                lambda: (
                    (state := lambda_client.get_function_configuration(FunctionName=unique_name))["State"] == "Failed"
                    and state
                )
            )
            assert f"lambent runtimes install {missing[0]}" in shown["StateReason"]
        finally:
            lambda_client.delete_function(FunctionName=unique_name)
