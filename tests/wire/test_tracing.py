"""Sampled invocations, as X-Ray's API shows them: what is traced, and what functions add with AWS's own SDK."""

import gzip
import importlib.util
import json
import os
import re
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from wire.http_api_stage import Api, arn_of, let_in
from wire.iam import put_role, refused
from wire.mapping_stage import Stage
from wire.support import ACCOUNT, LAMBENT, FunctionMaker, invoke, newest_python, tail_of, wait_for, wait_updated, zip_of
from wire.test_snapstart import PUBLISHED, publish
from wire.urls import ask, make_url

CALLER = "53995c3f42cd8ad8"
ACTIVE = {"Mode": "Active"}
SAYS = """
import os
INIT = os.environ.get("_X_AMZN_TRACE_ID")
def handler(event, context):
    if event.get("fails"):
        raise ValueError("boom")
    return {"init": INIT, "header": os.environ["_X_AMZN_TRACE_ID"]}
"""


def new_trace_id():
    return f"1-{int(time.time()):08x}-{os.urandom(12).hex()}"


def with_header(client, header):
    """Have a client send a trace header with each invocation."""

    def add(request, **_):
        request.headers["X-Amzn-Trace-Id"] = header

    client.meta.events.register("before-sign.lambda.Invoke", add)
    return client


def segments_of(server, trace_id, count=2):
    """Return a trace's segments once there are so many and all have ended, by when they began."""
    xray = server.client("xray")

    def read():
        traces = xray.batch_get_traces(TraceIds=[trace_id])["Traces"]
        found = [json.loads(one["Document"]) for trace in traces for one in trace["Segments"]]
        return len(found) >= count and not any(one.get("in_progress") for one in found) and found

    return sorted(wait_for(read), key=lambda one: (one["start_time"], one["origin"] != "AWS::Lambda"))


def part(segment, name):
    (found,) = [one for one in segment.get("subsegments", ()) if one["name"] == name]
    return found


def fields_of(header):
    return dict(field.split("=", 1) for field in header.split(";"))


def test_lf02_an_active_function_is_traced(server, make_function, lambda_client):
    """
    The first call of a second is; two segments come of it, the function's below the service's. What the function sees
    as its parent is its Invocation, and nothing while it is loaded. REPORT names the trace.
    """
    name = make_function(SAYS, TracingConfig=ACTIVE)
    assert lambda_client.get_function_configuration(FunctionName=name)["TracingConfig"] == ACTIVE
    answer, said = invoke(lambda_client, name, {}, LogType="Tail")
    assert said["init"] is None
    header = fields_of(said["header"])
    assert header["Sampled"] == "1"
    service, function = segments_of(server, header["Root"])
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    assert (service["origin"], service["name"], service["resource_arn"]) == ("AWS::Lambda", name, arn)
    assert service["aws"]["request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert service["http"] == {"response": {"status": 200}}
    assert "parent_id" not in service and "fault" not in service
    assert (function["origin"], function["name"], function["parent_id"]) == (
        "AWS::Lambda::Function",
        name,
        service["id"],
    )
    assert function["aws"]["cloudwatch_logs"][0]["log_group"] == f"/aws/lambda/{name}"
    assert [one["name"] for one in function["subsegments"]] == ["Initialization", "Invocation", "Overhead"]
    init, invocation, overhead = function["subsegments"]
    assert invocation["id"] == header["Parent"]
    assert service["start_time"] <= init["start_time"] < init["end_time"] <= function["start_time"] + 0.001
    assert function["start_time"] == invocation["start_time"] <= invocation["end_time"] == overhead["start_time"]
    assert overhead["end_time"] == function["end_time"]
    report = re.search(r"XRAY TraceId: (\S+)\tSegmentId: (\S+)\tSampled: true\t", tail_of(answer))
    assert report.groups() == (header["Root"], function["id"])
    # A warm one has no init, and each is: it comes when the one before is over, which those with their tail wait for.
    # Others of the same second are mostly not sampled.
    said = [invoke(lambda_client, name, {}, LogType="Tail")[1]["header"] for _ in range(40)]
    decisions = [fields_of(header)["Sampled"] for header in said]
    assert "0" in decisions
    traced = next(fields_of(header)["Root"] for header in said if ";Sampled=1" in header) if "1" in decisions else None
    if traced:
        assert "Initialization" not in [one["name"] for one in segments_of(server, traced)[1]["subsegments"]]


def test_pass_through_follows_its_caller(server, make_function):
    """What the caller wants traced is, below the caller's segment; what it does not want or says nothing of is not."""
    name = make_function(SAYS)
    for sampled in ("Sampled=1", "Sampled=0", "Sampled=?", ""):
        trace_id = new_trace_id()
        header = f"Root={trace_id};Parent={CALLER};{sampled}".rstrip(";")
        _, said = invoke(with_header(server.client("lambda"), header), name, {})
        seen = fields_of(said["header"])
        assert (seen["Root"], seen["Sampled"]) == (trace_id, "1" if sampled == "Sampled=1" else "0")
        assert seen["Parent"] != CALLER
        if sampled == "Sampled=1":
            wanted = trace_id
    service, function = segments_of(server, wanted)
    assert (service["parent_id"], function["parent_id"]) == (CALLER, service["id"])
    # Those without: whoever was first has been written by now.
    assert server.client("xray").batch_get_traces(TraceIds=[trace_id])["Traces"] == []


def test_answers_name_their_trace(server, make_function, lambda_client):
    """In the header in which it came, whatever was asked for; with what the function sees, where it has run by then."""
    name = make_function(SAYS)

    def told(answer):
        return answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-trace-id"]

    answer, said = invoke(lambda_client, name, {})
    assert told(answer) == said["header"].partition(";Lineage=")[0]
    trace_id = new_trace_id()
    client = with_header(server.client("lambda"), f"Root={trace_id};Parent={CALLER};Sampled=1")
    for kind in ("RequestResponse", "Event", "DryRun"):
        seen = fields_of(told(client.invoke(FunctionName=name, InvocationType=kind, Payload=b"{}")))
        assert (seen["Root"], seen["Sampled"], seen.keys()) == (trace_id, "1", {"Root", "Parent", "Sampled"})
        assert seen["Parent"] != CALLER
    streamed = lambda_client.invoke_with_response_stream(FunctionName=name, Payload=b"{}")
    assert fields_of(told(streamed))["Sampled"] == "0"
    assert list(streamed["EventStream"])


def test_an_error_is_a_fault_with_its_cause(server, make_function):
    """On the service's segment too, which filters read; type, message and stack are the runtime's own."""
    name = make_function(SAYS)
    trace_id = new_trace_id()
    client = with_header(server.client("lambda"), f"Root={trace_id};Sampled=1")
    assert invoke(client, name, {"fails": True})[0]["FunctionError"] == "Unhandled"
    service, function = segments_of(server, trace_id)
    assert service["fault"] is function["fault"] is part(function, "Invocation")["fault"] is True
    (exception,) = part(function, "Invocation")["cause"]["exceptions"]
    assert (exception["type"], exception["message"]) == ("ValueError", "boom")
    assert exception["stack"][0]["label"] == "handler"
    summaries = server.client("xray").get_trace_summaries(
        StartTime=time.time() - 600, EndTime=time.time() + 60, FilterExpression=f'fault AND service("{name}")'
    )["TraceSummaries"]
    assert [one["Id"] for one in summaries] == [trace_id]


def test_a_refused_call_is_traced(server, make_function, lambda_client):
    """A function at its limit: the service's segment alone, a throttle."""
    name = make_function(SAYS)
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    trace_id = new_trace_id()
    with pytest.raises(ClientError):
        invoke(with_header(server.client("lambda"), f"Root={trace_id};Sampled=1"), name, {})
    (service,) = segments_of(server, trace_id, 1)
    assert (service["throttle"], service["error"], service["http"]["response"]["status"]) == (True, True, 429)


def test_a_timeout_is_a_fault(server, make_function):
    """No runtime tells of it; the trace does."""
    name = make_function("import time\ndef handler(e, c): time.sleep(60)", Timeout=1)
    trace_id = new_trace_id()
    invoke(with_header(server.client("lambda"), f"Root={trace_id};Sampled=1"), name, {})
    _, function = segments_of(server, trace_id)
    (exception,) = function["cause"]["exceptions"]
    assert (exception["type"], exception["message"]) == ("Sandbox.Timedout", "Task timed out after 1.00 seconds")
    assert function["end_time"] - function["start_time"] >= 1


def test_an_event_says_how_long_it_waited(server, make_function, lambda_client):
    """One segment of the service, with the wait and the attempt; the function's is below that."""
    name = make_function(SAYS)
    lambda_client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    trace_id = new_trace_id()
    client = with_header(server.client("lambda"), f"Root={trace_id};Parent={CALLER};Sampled=1")
    client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"fails": true}')
    service, function = segments_of(server, trace_id)
    assert (service["parent_id"], service["http"]["response"]["status"]) == (CALLER, 202)
    dwell, attempt = service["subsegments"]
    assert [dwell["name"], attempt["name"]] == ["Dwell Time", "Attempt #1"]
    assert service["start_time"] == dwell["start_time"] <= dwell["end_time"] == attempt["start_time"]
    assert attempt["fault"] is service["fault"] is True
    assert function["parent_id"] == attempt["id"]


def test_a_restore_stands_in_the_place_of_an_init(server, make_function):
    """SnapStart: between the request and the event; the next one has neither."""
    name = make_function(SAYS, SnapStart=PUBLISHED)
    client = server.client("lambda")
    publish(client, name)
    for names in (["Restore", "Invocation", "Overhead"], ["Invocation", "Overhead"]):
        trace_id = new_trace_id()
        invoke(with_header(server.client("lambda"), f"Root={trace_id};Sampled=1"), f"{name}:1", {})
        service, function = segments_of(server, trace_id)
        assert [one["name"] for one in function["subsegments"]] == names
        first = function["subsegments"][0]
        assert service["start_time"] <= first["start_time"] <= first["end_time"] <= function["end_time"]


# What functions add -------------------------------------------------------------------------------------------------

TELLS = """
import json
import boto3
from aws_xray_sdk.core import patch, xray_recorder
patch(["boto3"])

sqs = boto3.client("sqs")

def handler(event, context):
    with xray_recorder.in_subsegment("## work") as work:
        work.put_annotation("order", 7)
        work.put_metadata("event", event)
        for number in range(event.get("many", 0)):
            with xray_recorder.in_subsegment(f"step {number}"):
                pass
        if "queue" in event:
            sqs.send_message(QueueUrl=event["queue"], MessageBody="{}")
    return "done"
"""


def sdk():
    """Return AWS's X-Ray SDK and what it needs beside boto3, as files of a package."""
    entries = {}
    for package in ("aws_xray_sdk", "wrapt"):
        folder = Path(importlib.util.find_spec(package).origin).parent
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix in {".py", ".json"}:
                entries[str(path.relative_to(folder.parent))] = path.read_bytes()
    return entries


def names_below(segment):
    """Return the names of all subsegments of a segment, however deep."""
    found = []
    for one in segment.get("subsegments", ()):
        found += [one["name"], *names_below(one)]
    return found


def test_subsegments_of_awss_sdk_are_below_invocation(server, make_function):
    """The real SDK, unmodified: hundreds at a burst, with annotations that filters find, before the answer is there."""
    name = make_function(entries={**sdk(), "app.py": TELLS}, MemorySize=1769, Timeout=30)
    trace_id = new_trace_id()
    client = with_header(server.client("lambda"), f"Root={trace_id};Sampled=1")
    assert invoke(client, name, {"many": 300})[1] == "done"
    _, function = segments_of(server, trace_id)
    (work,) = part(function, "Invocation")["subsegments"]
    assert (work["name"], work["annotations"], work["metadata"]["default"]["event"]) == (
        "## work",
        {"order": 7},
        {"many": 300},
    )
    assert sorted(names_below(work)) == sorted(f"step {number}" for number in range(300))
    found = server.client("xray").get_trace_summaries(
        StartTime=time.time() - 600,
        EndTime=time.time() + 60,
        FilterExpression=f'annotation.order = 7 AND service("{name}")',
    )["TraceSummaries"]
    assert [one["Id"] for one in found] == [trace_id]
    # One that is not sampled sends nothing, and what it sends is nobody's.
    other = new_trace_id()
    invoke(with_header(server.client("lambda"), f"Root={other};Sampled=0"), name, {"many": 3})
    invoke(client, name, {})
    assert server.client("xray").batch_get_traces(TraceIds=[other])["Traces"] == []


def test_a_queue_links_two_traces(server, make_function, unique_name):
    """
    The consumer of a message has a trace of its own, and each names the other: the producer's by the subsegment of the
    SDK that sent the message.
    """
    stage = Stage(server, make_function, unique_name)
    try:
        consumer = stage.function()
        stage.map(stage.queue())
        producer = make_function(entries={**sdk(), "app.py": TELLS}, MemorySize=1769, Timeout=30)
        trace_id = new_trace_id()
        client = with_header(server.client("lambda"), f"Root={trace_id};Sampled=1")
        assert invoke(client, producer, {"queue": stage.urls[""]})[1] == "done"
        (told,) = stage.ran(1)
        assert f"Root={trace_id};" in told["records"][0]["attributes"]["AWSTraceHeader"]

        def linked():
            _, function, *_ = segments_of(server, trace_id)
            (work,) = part(function, "Invocation")["subsegments"]
            return part(work, "sqs").get("links") and part(work, "sqs")

        sent = wait_for(linked)
        (link,) = sent["links"]
        assert link["attributes"]["aws.xray.reserved.reference_type"] == "child"
        assert link["attributes"]["aws.xray.reserved.names"] == [consumer]
        assert link["trace_id"] != trace_id
        service, function = segments_of(server, link["trace_id"])
        assert (service["id"], service["name"], function["parent_id"]) == (link["id"], consumer, service["id"])
        (back,) = service["links"]
        assert (back["trace_id"], back["id"]) == (trace_id, sent["id"])
        assert back["attributes"] == {"aws.xray.reserved.reference_type": "parent"}
    finally:
        stage.clear()


def test_a_function_that_calls_another_is_the_callers_parent(server, make_function):
    """Through boto3 alone, which passes the header on: the callee's segment is below the caller's Invocation."""
    callee = make_function(SAYS)
    caller = make_function(
        f"import boto3\ndef handler(e, c):\n  boto3.client('lambda').invoke(FunctionName='{callee}')\n", Timeout=30
    )
    trace_id = new_trace_id()
    invoke(with_header(server.client("lambda"), f"Root={trace_id};Sampled=1"), caller, {})
    segments = segments_of(server, trace_id, 4)
    (function,) = [one for one in segments if (one["name"], one["origin"]) == (caller, "AWS::Lambda::Function")]
    (below,) = [one for one in segments if (one["name"], one["origin"]) == (callee, "AWS::Lambda")]
    assert below["parent_id"] == part(function, "Invocation")["id"]


# The front doors ----------------------------------------------------------------------------------------------------


def test_a_stage_of_an_http_api_is_above_its_function(server, make_function, lambda_client, apis):
    """Where the client wants a trace, with the request; its Lambda subsegment is the service segment's parent."""
    name = make_function(SAYS)
    let_in(lambda_client, name)
    made = Api(apis, Target=arn_of(name))
    try:
        trace_id = new_trace_id()
        header = f"Root={trace_id};Parent={CALLER};Sampled=1"
        assert made.ask("/items", headers=[("X-Amzn-Trace-Id", header), ("User-Agent", "me")]).status == 200
        segments = {one["origin"]: one for one in segments_of(server, trace_id, 3)}
        stage = segments["AWS::ApiGateway::Stage"]
        assert (stage["parent_id"], stage["http"]["response"]["status"]) == (CALLER, 200)
        assert (stage["http"]["request"]["method"], stage["http"]["request"]["user_agent"]) == ("GET", "me")
        assert stage["http"]["request"]["url"].endswith("/items")
        assert segments["AWS::Lambda"]["parent_id"] == part(stage, "Lambda")["id"]
    finally:
        made.delete()


def test_a_url_has_its_request_in_the_services_segment(server, make_function, lambda_client):
    """There is no service before Lambda that could have one of its own."""
    name = make_function(SAYS)
    url = make_url(lambda_client, name)
    trace_id = new_trace_id()
    assert ask(url, target="/p?q=1", headers=[("X-Amzn-Trace-Id", f"Root={trace_id};Sampled=1")]).status == 200
    service, _ = segments_of(server, trace_id)
    assert (service["http"]["request"]["method"], service["http"]["response"]["status"]) == ("GET", 200)
    assert service["http"]["request"]["url"].endswith("/p")


# Elsewhere -----------------------------------------------------------------------------------------------------------


def test_lambent_trace_shows_where_the_time_went(server, make_function):
    """By id, and the newest of a function: each segment on its line, with its bar."""
    name = make_function(SAYS)
    trace_id = new_trace_id()
    invoke(with_header(server.client("lambda"), f"Root={trace_id};Sampled=1"), name, {"fails": True})
    segments_of(server, trace_id)
    for arguments in ((trace_id,), ("--function", name)):
        done = subprocess.run(
            [LAMBENT, "trace", *arguments, "--endpoint", server.endpoint], capture_output=True, text=True, check=True
        )
        head, *lines = done.stdout.splitlines()
        assert head.startswith(trace_id)
        for part_, line in zip((name, name, "Initialization", "Invocation", "Overhead"), lines, strict=False):
            assert part_[:20] in line
        assert "ValueError: boom" in done.stdout


def test_a_collector_gets_spans(own_server, runtime, unique_name, tmp_path):
    """By OTLP over HTTP, with the trace's id in 32 digits: the two segments, and what is below the function's."""
    bodies = []

    class Collector(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
            bodies.append((self.path, self.headers["x-key"], body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        headers = tmp_path / "headers"
        headers.touch(mode=0o600)
        headers.write_text("x-key: secret\n")
        try:
            to = f"http://127.0.0.1:{collector.server_address[1]}"
            server = own_server(None, "--otlp-endpoint", to, "--otlp-headers-file", str(headers)).start()
            name = FunctionMaker(server.client("lambda"), runtime, unique_name)(SAYS)
            trace_id = new_trace_id()
            invoke(with_header(server.client("lambda"), f"Root={trace_id};Sampled=1"), name, {})
            wanted = bytes.fromhex(trace_id.replace("-", "")[1:])

            def spans():
                return [one for one in list(bodies) if one[0] == "/v1/traces" and wanted in one[2]]

            # At once or one after the other.
            wait_for(lambda: sum(body.count(wanted) for _, _, body in spans()) == 5)
        finally:
            collector.shutdown()
    assert {key for _, key, _ in spans()} == {"secret"}
    sent = b"".join(body for _, _, body in spans())
    assert all(word.encode() in sent for word in (name, "Initialization", "Invocation", "Overhead"))


# Without walls, and with rights -------------------------------------------------------------------------------------


def test_without_a_network_of_its_own_each_environment_has_a_port(own_server, unique_name):
    """The driver `process`: the SDK finds it by the variable."""
    server = own_server(None, "--sandbox", "process").start()
    maker = FunctionMaker(server.client("lambda"), newest_python("process"), unique_name)
    name = maker(archive=zip_of({**sdk(), "app.py": TELLS}), MemorySize=1769, Timeout=30)
    trace_id = new_trace_id()
    client = with_header(server.client("lambda"), f"Root={trace_id};Sampled=1")
    assert invoke(client, name, {"many": 3})[1] == "done"
    _, function = segments_of(server, trace_id)
    assert sorted(names_below(part(function, "Invocation"))) == ["## work", "step 0", "step 1", "step 2"]


def test_active_tracing_needs_a_role_that_may_write_traces(own_server):
    """Where policies are in force: by the text that tools know; PassThrough needs nothing."""
    server = own_server(None, "--iam", "enforce").start()
    client, iam = server.client("lambda"), server.client("iam")
    role, _ = put_role(iam)
    name = FunctionMaker(client, newest_python(), "f")(SAYS, Role=role)
    expected = (
        400,
        "InvalidParameterValueException",
        "The provided execution role does not have permissions to call PutTraceSegments on XRAY",
    )
    assert refused(client.update_function_configuration, FunctionName=name, TracingConfig=ACTIVE) == expected
    writes = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
    iam.attach_role_policy(RoleName=role.rpartition("/")[2], PolicyArn=writes)
    updated = client.update_function_configuration(FunctionName=name, TracingConfig=ACTIVE)
    assert updated["TracingConfig"] == ACTIVE
    wait_updated(client, name)
    other, _ = put_role(iam)
    assert refused(client.update_function_configuration, FunctionName=name, Role=other) == expected
