"""Functions in Java over HTTP, with AWS's own libraries, which packages bring; their sources are in `java`."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from wire.support import ROLE, ROOT, error_of, invoke, listed_runtimes, tail_of, wait_for, wait_updated, zip_of

SOURCES = Path(__file__).with_name("java")
OFFICIAL_CLIENT = Path(__file__).with_name("java_official") / "pom.xml"
LIBRARIES = ROOT / ".cache" / "java"
"""AWS's libraries, fetched once."""


@pytest.fixture(scope="module")
def listed():
    """What `lambent runtimes` says of Java, by identifier."""
    return {name: row for name, row in listed_runtimes().items() if name.startswith("java")}


@pytest.fixture(scope="module")
def java(listed):
    """The newest Java runtime here, and javac and Maven beside it."""
    found = [name for name, row in listed.items() if row["available"] and name.removeprefix("java").isdigit()]
    if not found or shutil.which("javac") is None or shutil.which("mvn") is None:
        pytest.skip("needs:java:apt install openjdk-17-jdk-headless maven")
    return max(found)


def fetched(project, name):
    """Return a folder with what a project of Maven needs, fetched once."""
    folder = LIBRARIES / name
    if not folder.is_dir():
        partial = LIBRARIES / f"{name}.partial"
        command = ["mvn", "--batch-mode", "--quiet", "-f", str(project), "dependency:copy-dependencies"]
        done = subprocess.run([*command, f"-DoutputDirectory={partial}"], capture_output=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip("needs:java:Maven where it reaches a repository")
        partial.rename(folder)
    return folder


@pytest.fixture(scope="module")
def libraries(java):
    """AWS's libraries that functions bring, and what those need, name to bytes."""
    return {path.name: path.read_bytes() for path in fetched(SOURCES / "pom.xml", "lib").glob("*.jar")}


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
        f"{LIBRARIES}/lib/*",
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


OFFICIAL = """#!/bin/sh
# AWS's client, which the package brings, in the place of the runtime's.
exec "$1" -cp "$LAMBDA_TASK_ROOT/lib/*" com.amazonaws.services.lambda.runtime.api.client.AWSLambda "$_HANDLER"
"""
"""As examples/java/README.md has it."""


def test_rt05_the_official_client_by_a_wrapper(make_java, lambda_client, classes, libraries):
    """RT-05: AWS's own client from Maven Central serves calls and errors, where the function asks for it."""
    jars = {path.name: path.read_bytes() for path in fetched(OFFICIAL_CLIENT, "official").glob("*.jar")}
    assert any(name.startswith("aws-lambda-java-runtime-interface-client") for name in jars)
    files = {**classes, "official": OFFICIAL.encode()}
    files |= {f"lib/{name}": content for name, content in {**libraries, **jars}.items()}
    archive = zip_of(files, modes={"official": 0o755})
    name = make_java(
        "x.H", archive=archive, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/official"}}
    )
    for number in (1, 2):
        assert invoke(lambda_client, name, {"title": "t", "n": number})[1] == {"text": f"t {number}"}
    lambda_client.update_function_configuration(FunctionName=name, Handler="x.Nope")
    wait_updated(lambda_client, name)
    answer, told = invoke(lambda_client, name, {})
    assert (answer["FunctionError"], told["errorType"]) == ("Unhandled", "java.lang.ClassNotFoundException")
    assert told["errorMessage"] == "Class not found: x.Nope"


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


BEAN, SCALAR, PAIR = (f"lambent.runtime.Compare${name}" for name in ("Bean", "Scalar", "Pair"))
VALUES = {
    BEAN: [
        {
            "text": 'é 😀 \u0000 "\\/',
            "number": 5,
            "flag": True,
            "texts": ["a", None, 3, True],
            "counts": {"a": 1, "b": None},
        },
        {
            "child": {"number": "7", "child": []},
            "unknown": [{}],
            "open": "o",
            "hidden": "no",
            "URLName": "u",
            "fixed": "g",
        },
        {"urlname": 1, "Text": "case", "odd": False, "passing": 9, "real": 1500.0},
        *({"number": value} for value in ("", None, 3.9, "3", "x", 99999999999, [4], True)),
        *({"flag": value} for value in ("true", 1, 0, "", None)),
        *({"texts": value} for value in ("one", "", 5, [], None)),
        *({"text": value} for value in (5, 5.5, True, ["a"], {}, None)),
        *({"real": value} for value in ("NaN", "1e3", 1, None)),
        *({"maybe": value} for value in ("v", None)),
        *({"child": value} for value in ("", "x", [], 5)),
        *({"counts": value} for value in ("", [])),
        *(None, "", [], [{"number": 1}], 5),
    ],
    SCALAR: [
        {"instant": "2024-01-02T03:04:05.678Z", "day": "2024-01-02", "local": "2024-01-02T03:04:05", "letter": "x"},
        {"zoned": "2024-01-02T03:04:05+02:00", "offset": "2024-01-02T03:04:05+02:00", "duration": "PT1M2.5S"},
        {
            "bytes": "AQID/w==",
            "decimal": 12345678901234567890.5,
            "color": "GREEN",
            "byColor": {"RED": 1},
            "longs": [2, 1, 2],
        },
        {
            "uuid": "123e4567-e89b-12d3-a456-426614174000",
            "ints": [1, 2],
            "any": {"a": [1, 2.5, 2**40, 2**70, "x", None, {}]},
        },
        *({"instant": value} for value in (1700000000.5, 1700000000, "2024-01-02T03:04:05+01:00", "")),
        *(
            {"date": value}
            for value in (1700000000000, "2024-01-02", "2024-01-02T03:04:05+0100", "2024-01-02T03:04:05.1")
        ),
        *({"day": value} for value in ([2024, 1, 2], "2024-01-02T00:00:00", "")),
        *({"color": value} for value in ("BLUE", 1, "")),
        *({"letter": value} for value in ("xy", 65, "")),
        *({"duration": value} for value in (5, 5.5, "")),
        *({"any": value} for value in (True, 1.0, -0.0, 1e300)),
        *({"ints": value} for value in (5, None)),
    ],
    PAIR: [{"left": "x", "right": 2, "beans": [{"number": 1}], "more": 1}, {}, {"right": None}],
    **{
        f"java.{name}": [{"a": 1, "b": None}, [1, 2, None], "x", "", 5, 5.5, True, None, ["a"], [], {}, "5", 2**40]
        for name in ("lang.Object", "util.Map", "util.List", "lang.String", "lang.Integer", "lang.Double", "util.Set")
    },
}


def test_json_is_what_awss_library_makes_of_it(java, tmp_path):
    """RT-02: the client's own JSON beside AWS's serialization library: the same values in the same types, and back."""
    serialization = fetched(Path(__file__).with_name("java_json") / "pom.xml", "serialization")
    cases = [(name, value) for name, values in VALUES.items() for value in values]
    of_kinds = {
        "api": "APIGatewayProxyRequest",
        "sqs": "SQS",
        "s3": "S3",
        "sns": "SNS",
        "scheduled": "Scheduled",
        "dynamodb": "Dynamodb",
        "kinesis": "Kinesis",
    }
    events = "com.amazonaws.services.lambda.runtime.events"
    cases += [(f"{events}.{of_kinds[kind]}Event", event) for kind, (event, _) in EVENTS.items()]
    listed = tmp_path / "cases"
    listed.write_text("".join(f"{name}\t{json.dumps(value, ensure_ascii=False)}\n" for name, value in cases))
    sources = [
        *(ROOT / "src/lambent/runtimes/java_client").rglob("*.java"),
        *SOURCES.with_name("java_json").rglob("*.java"),
    ]
    options = ("-J-XX:TieredStopAtLevel=1", "--release", "17", "-proc:none", "-nowarn", "-cp", f"{serialization}/*")
    subprocess.run(["javac", *options, "-d", str(tmp_path), *map(str, sources)], check=True, capture_output=True)
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{tmp_path}:{serialization}/*", "lambent.runtime.Compare"]
    done = subprocess.run([*command, str(listed)], capture_output=True, text=True, check=False)
    assert done.stdout == "compared\n", done.stdout + done.stderr
