"""The real AWS CLI, versions 1 and 2, and Lambent's own command line, against a server."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from wire.support import LAMBENT, ROLE, wait_for, zip_of

HELLO = "def handler(e, c):\n    print('printed', e)\n    return {'hello': e.get('name')}\n"


def run(command, server, **options):
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(server.data_dir),
        # Where interpreters are looked for, which would follow HOME.
        "PYENV_ROOT": os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv")),
        "UV_PYTHON_INSTALL_DIR": os.environ.get(
            "UV_PYTHON_INSTALL_DIR", str(Path.home() / ".local" / "share" / "uv" / "python")
        ),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PAGER": "",
        "AWS_EC2_METADATA_DISABLED": "true",
        "LAMBENT_ENDPOINT": server.endpoint,
    }
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120, check=False, **options)


@pytest.fixture(params=["aws_cli_1", "aws_cli_2"])
def aws(request, server):
    """Run one of the two AWS CLIs; return its standard output."""
    program = request.getfixturevalue(request.param)

    def call(*arguments):
        done = run([program, "--endpoint-url", server.endpoint, "--output", "json", *arguments], server)
        assert done.returncode == 0, done.stderr
        return done.stdout

    call.version = "v1" if request.param == "aws_cli_1" else "v2"
    return call


def test_the_aws_cli_creates_invokes_and_deletes(aws, runtime, unique_name, tmp_path):
    """What a user types: create-function, wait, invoke, get-function, list, delete."""
    archive = tmp_path / "f.zip"
    archive.write_bytes(zip_of({"app.py": HELLO}))
    named = ("--function-name", unique_name)
    settings = ("--runtime", runtime, "--handler", "app.handler", "--role", ROLE, "--zip-file", f"fileb://{archive}")
    created = json.loads(aws("lambda", "create-function", *named, *settings))
    assert created["State"] == "Pending"
    aws("lambda", "wait", "function-active-v2", *named)
    raw_payload = () if aws.version == "v1" else ("--cli-binary-format", "raw-in-base64-out")
    answer_file = tmp_path / "answer.json"
    answer = json.loads(aws("lambda", "invoke", *named, *raw_payload, "--payload", '{"name": "you"}', str(answer_file)))
    assert (answer["StatusCode"], json.loads(answer_file.read_text())) == (200, {"hello": "you"})
    assert json.loads(aws("lambda", "get-function", *named))["Configuration"]["State"] == "Active"
    listed = json.loads(aws("lambda", "list-functions"))["Functions"]
    assert unique_name in {item["FunctionName"] for item in listed}
    if aws.version == "v2":
        # Only version 2 has `logs tail`.
        group = f"/aws/lambda/{unique_name}"
        wait_for(lambda: "REPORT" in aws("logs", "tail", group))
        tail = aws("logs", "tail", group, "--since", "5m", "--format", "short")
        assert "printed {'name': 'you'}" in tail
    aws("lambda", "delete-function", *named)


def test_the_aws_cli_makes_urls_and_routes_that_want_signatures(aws, runtime, unique_name, tmp_path):
    """AWS_IAM of a function URL, with a grant for another account, and of a route."""
    archive = tmp_path / "f.zip"
    archive.write_bytes(zip_of({"app.py": HELLO}))
    named = ("--function-name", unique_name)
    settings = ("--runtime", runtime, "--handler", "app.handler", "--role", ROLE, "--zip-file", f"fileb://{archive}")
    aws("lambda", "create-function", *named, *settings)
    made = json.loads(aws("lambda", "create-function-url-config", *named, "--auth-type", "AWS_IAM"))
    assert made["AuthType"] == "AWS_IAM"
    grant = ("--statement-id", "s", "--principal", "444455556666", "--action", "lambda:InvokeFunctionUrl")
    added = json.loads(aws("lambda", "add-permission", *named, *grant, "--function-url-auth-type", "AWS_IAM"))
    condition = json.loads(added["Statement"])["Condition"]
    assert condition == {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}
    listed = json.loads(aws("lambda", "list-function-url-configs", *named))["FunctionUrlConfigs"]
    assert [one["AuthType"] for one in listed] == ["AWS_IAM"]
    api = json.loads(aws("apigatewayv2", "create-api", "--name", unique_name, "--protocol-type", "HTTP"))["ApiId"]
    route = json.loads(
        aws("apigatewayv2", "create-route", "--api-id", api, "--route-key", "GET /a", "--authorization-type", "AWS_IAM")
    )
    assert route["AuthorizationType"] == "AWS_IAM"
    aws("apigatewayv2", "delete-api", "--api-id", api)
    aws("lambda", "delete-function", *named)


def test_the_aws_cli_makes_and_moves_an_http_api(aws, unique_name, tmp_path):
    """Quick create, a route more, what it is as a definition, and another API of that."""
    apis = ("apigatewayv2",)
    target = "arn:aws:lambda:us-east-1:000000000000:function:items"
    made = json.loads(
        aws(*apis, "create-api", "--name", unique_name, "--protocol-type", "HTTP", "--target", target, "--tags", "a=b")
    )
    named = ("--api-id", made["ApiId"])
    (integration,) = json.loads(aws(*apis, "get-integrations", *named))["Items"]
    more = ("--route-key", "GET /items/{id}", "--target", f"integrations/{integration['IntegrationId']}")
    aws(*apis, "create-route", *named, *more)
    (stage,) = json.loads(aws(*apis, "get-stages", *named))["Items"]
    assert stage["StageName"] == "$default" and stage["AutoDeploy"] is True
    settings = ("--default-route-settings", "ThrottlingBurstLimit=5,ThrottlingRateLimit=2.5")
    aws(*apis, "update-stage", *named, "--stage-name", "$default", *settings)
    assert {one["ApiId"] for one in json.loads(aws(*apis, "get-apis"))["Items"]} >= {made["ApiId"]}
    definition = tmp_path / "api.json"
    form = ("--specification", "OAS30", "--output-type", "JSON")
    aws(*apis, "export-api", *named, *form, str(definition))
    again = json.loads(aws(*apis, "import-api", "--body", f"file://{definition}", "--fail-on-warnings"))
    assert again["Name"] == unique_name and again["Tags"] == {"a": "b"}
    routes = json.loads(aws(*apis, "get-routes", "--api-id", again["ApiId"]))["Items"]
    assert {route["RouteKey"] for route in routes} == {"$default", "GET /items/{id}"}
    for api in (made, again):
        aws(*apis, "delete-api", "--api-id", api["ApiId"])


def test_the_aws_cli_sends_and_receives(aws, unique_name):
    """Queues by their URL: make, send, receive with all there is."""
    url = json.loads(aws("sqs", "create-queue", "--queue-name", unique_name))["QueueUrl"]
    sent = json.loads(aws("sqs", "send-message", "--queue-url", url, "--message-body", "hello"))
    received = json.loads(aws("sqs", "receive-message", "--queue-url", url, "--attribute-names", "All"))
    (message,) = received["Messages"]
    assert (message["Body"], message["MessageId"]) == ("hello", sent["MessageId"])
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_lambents_own_command_line(server, make_function):
    """ls, invoke and logs are clients of the gateway; --json prints data alone."""
    name = make_function(HELLO)
    listed = json.loads(run([LAMBENT, "ls", "--json"], server).stdout)
    assert name in json.dumps(listed)
    invoked = run([LAMBENT, "invoke", name, "--payload", '{"name": "you"}'], server)
    assert (invoked.returncode, json.loads(invoked.stdout)) == (0, {"hello": "you"}), invoked.stderr
    wait_for(lambda: "REPORT" in run([LAMBENT, "logs", name], server).stdout)
    missing = run([LAMBENT, "invoke", "nope"], server)
    assert missing.returncode == 2
    assert "Function not found" in missing.stderr


def test_doctor_and_runtimes_report_data(server, runtime):
    """doctor and runtimes say what this machine can do, as data with --json."""
    rows = json.loads(run([LAMBENT, "runtimes", "--json"], server).stdout)
    by_name = {row["runtime"]: row for row in rows}
    assert by_name[runtime]["available"]
    assert not by_name["ruby2.7"]["available"]
    assert by_name["nodejs22.x"]["detail"]
    report = run([LAMBENT, "doctor", "--json"], server)
    assert json.loads(report.stdout)


# Without walls, interpreters below a private home are out of reach for anyone but the server's own user.
AS_ROOT = ("--function-user", "root") if os.geteuid() == 0 else ()


def pythons():
    """Return what `lambent runtimes` says of each Python, functions being run by the server's own user."""
    command = [LAMBENT, "runtimes", "--json", *AS_ROOT]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return [row for row in listed if row["runtime"].startswith("python3.")]


def test_every_python_that_is_here_runs_a_function(own_server):
    """PL-02: each CPython of the machine runs the official client; the answer's encoding follows its version."""
    server = own_server(None, *AS_ROOT).start()
    names = [row["runtime"] for row in pythons() if row["available"]]
    assert names
    client = server.client("lambda")
    archive = zip_of({"app.py": "import sys\ndef handler(e, c): return [sys.version_info[1], e]"})
    for name in names:
        client.create_function(
            FunctionName=name.replace(".", "-"),
            Runtime=name,
            Handler="app.handler",
            Role=ROLE,
            Code={"ZipFile": archive},
        )
    for name in names:
        function = name.replace(".", "-")
        client.get_waiter("function_active_v2").wait(
            FunctionName=function, WaiterConfig={"Delay": 0.2, "MaxAttempts": 600}
        )
        body = client.invoke(FunctionName=function, Payload='"é"'.encode())["Payload"].read()
        minor = int(name.split(".")[1])
        assert json.loads(body) == [minor, "é"]
        assert body.isascii() == (minor < 12)


def test_a_python_that_is_not_here_makes_the_function_failed(own_server, runtime):
    """A version that this machine lacks: State Failed with the remedy; Invoke says so; nearest runs it on another."""
    missing = [row["runtime"] for row in pythons() if not row["available"] and row["runtime"].startswith("python3.1")]
    assert missing, "this machine has every Python there is"
    archive = zip_of({"app.py": "import os\ndef handler(e, c): return os.environ['AWS_EXECUTION_ENV']"})
    settings = {"Runtime": missing[0], "Handler": "app.handler", "Role": ROLE, "Code": {"ZipFile": archive}}

    server = own_server(None, *AS_ROOT).start()
    client = server.client("lambda")
    client.create_function(FunctionName="f", **settings)
    shown = wait_for(
        lambda: (found := client.get_function_configuration(FunctionName="f"))["State"] != "Pending" and found
    )
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "InvalidRuntime")
    assert missing[0].removeprefix("python") in shown["StateReason"]
    with pytest.raises(client.exceptions.ResourceConflictException, match="currently in the following state: Failed"):
        client.invoke(FunctionName="f")

    lenient = own_server(None, "--runtime-fallback", "nearest", *AS_ROOT).start().client("lambda")
    lenient.create_function(FunctionName="f", **settings)
    lenient.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.2, "MaxAttempts": 600})
    assert json.loads(lenient.invoke(FunctionName="f")["Payload"].read()) == f"AWS_Lambda_{missing[0]}"


def test_the_aws_cli_writes_and_tails_logs(aws, unique_name):
    """`aws logs`: create, put, filter by a pattern and, where the program has it, tail with one."""
    group = f"/cli/{unique_name}"
    stream = ("--log-group-name", group, "--log-stream-name", "s")
    aws("logs", "create-log-group", "--log-group-name", group)
    aws("logs", "create-log-stream", *stream)
    now_ms = int(time.time() * 1000)
    events = [{"timestamp": now_ms, "message": text} for text in ("an ERROR", "fine")]
    aws("logs", "put-log-events", *stream, "--log-events", json.dumps(events))
    found = json.loads(aws("logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", "ERROR"))
    assert [event["message"] for event in found["events"]] == ["an ERROR"]
    if aws.version == "v2":
        (line,) = aws("logs", "tail", group, "--filter-pattern=-ERROR", "--format", "short").splitlines()
        assert line.endswith(" fine")
    aws("logs", "delete-log-group", "--log-group-name", group)
