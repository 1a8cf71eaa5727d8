"""Asynchronous invocations: accepted with 202, run, retried, and told to where it is configured."""

import json
import re
import time

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, FunctionMaker, Server, error_of, invoke, wait_for

SCALE = 0.005
"""So that a retry comes after 0.3 and 0.6 seconds, and events of 60 seconds are old after 0.3."""

# Writes each event to the log, with what the context says of it; fails if told to.
SOURCE = """
import json, os, time
def handler(event, context):
    print("RAN", json.dumps({
        "event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn,
        "client": None if context.client_context is None else 1, "tenant": context.tenant_id,
        "trace": os.environ.get("_X_AMZN_TRACE_ID"), "version": context.function_version,
    }))
    if isinstance(event, dict):
        time.sleep(event.get("sleep_s", 0))
        if event.get("fail"):
            raise ValueError("boom")
        if event.get("exit"):
            os._exit(1)
    return {"answer": event}
"""


@pytest.fixture(scope="module")
def server():
    """A server on which minutes are parts of a second."""
    shared = Server(None, "--async-time-scale", str(SCALE)).start()
    yield shared
    code = shared.stop()
    shared.discard()
    assert code == 0, "the server did not stop cleanly:\n" + "".join(shared.log[-50:])


@pytest.fixture(scope="module")
def lambda_client(server):
    return server.client("lambda")


@pytest.fixture(scope="module")
def logs_client(server):
    return server.client("logs")


@pytest.fixture(scope="module")
def collector(lambda_client, runtime):
    """A function that others name as their destination: its log holds the records."""
    return FunctionMaker(lambda_client, runtime, "collector")(
        "def handler(e, c):\n import json\n print('RAN', json.dumps(e))"
    )


@pytest.fixture
def ran(logs_client):
    """Returns what a function's runs wrote to its log, once it is as many."""

    def read(name, least=1, where=lambda one: True):
        def look():
            try:
                pages = logs_client.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
                messages = [event["message"] for page in pages for event in page["events"]]
            except logs_client.exceptions.ResourceNotFoundException:
                messages = []
            found = [json.loads(message[4:]) for message in messages if message.startswith("RAN ")]
            found = [one for one in found if where(one)]
            return found if len(found) >= least else None

        return wait_for(look) if least else (look() or [])

    return read


def arn_of(name, qualifier=None):
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    return arn if qualifier is None else f"{arn}:{qualifier}"


def send(client, name, event, **options):
    """Invoke asynchronously; return the request id."""
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **options)
    assert answer["StatusCode"] == 202
    return answer["ResponseMetadata"]["RequestId"]


def refused(call, **parameters):
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    status, code, message = error_of(excinfo)
    return (status, code), message


def of_request(request_id):
    """Return what picks the record of one request among those of a collector."""
    return lambda record: record["requestContext"]["requestId"] == request_id


@pytest.mark.parametrize("size", [0, 300_000, 1_048_574])
def test_er04_pl01_event_invocations(lambda_client, make_function, ran, size):
    """ER-04, PL-01: Event is 202 with an empty body and no version, up to a MiB, and the event runs."""
    name = make_function("def handler(e, c): print('RAN', len(e))")
    payload = json.dumps("x" * size)
    answer = lambda_client.invoke(FunctionName=name, InvocationType="Event", LogType="Tail", Payload=payload)
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    assert {"ExecutedVersion", "FunctionError", "LogResult"}.isdisjoint(answer)
    assert ran(name) == [size]


def test_pl01_what_event_refuses(lambda_client, make_function):
    """PL-01: more than a MiB, what is no JSON, functions that are not there or not ready: as other invocations."""
    name = make_function(SOURCE)

    def event(payload, function=name, **options):
        return refused(lambda_client.invoke, FunctionName=function, InvocationType="Event", Payload=payload, **options)

    size = 1_200_000
    problem, message = event(json.dumps("x" * (size - 2)))
    assert problem == (413, "RequestTooLargeException")
    assert message == f"{size} byte payload is too large for the Event invocation type (limit 1048576 bytes)"
    problem, message = event(b"{")
    assert problem == (400, "InvalidRequestContentException")
    assert message.startswith("Could not parse request body into json: Could not parse payload into json: ")
    assert event(b"{}", "nobody") == (
        (404, "ResourceNotFoundException"),
        f"Function not found: {arn_of('nobody', '$LATEST')}",
    )
    assert event(b"{}", Qualifier="1")[0] == (404, "ResourceNotFoundException")
    assert event(b"{}", TenantId="blue")[0] == (400, "InvalidParameterValueException")
    assert event(b"{}", ClientContext="!")[0] == (400, "InvalidRequestContentException")


def test_er04_invoke_async(lambda_client, make_function, ran):
    """ER-04: the old InvokeAsync answers 202 and runs the event; it takes 256 KiB, and passes no trace on."""
    name = make_function(SOURCE)
    answer = lambda_client.invoke_async(FunctionName=name, InvokeArgs=b'{"k": 1}')
    assert answer["Status"] == answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    (one,) = ran(name)
    assert one["event"] == {"k": 1}
    assert one["id"] == answer["ResponseMetadata"]["RequestId"]
    invoke_async = lambda_client.invoke_async
    assert refused(invoke_async, FunctionName=name, InvokeArgs=json.dumps("x" * 262_144)) == (
        (413, "RequestTooLargeException"),
        "262146 byte payload is too large for the Event invocation type (limit 262144 bytes)",
    )
    assert refused(invoke_async, FunctionName=name, InvokeArgs=b"{")[0] == (400, "InvalidRequestContentException")
    assert refused(invoke_async, FunctionName="nobody", InvokeArgs=b"{}")[0] == (404, "ResourceNotFoundException")


def test_as02_every_attempt_has_the_request_id_of_the_answer(lambda_client, make_function, collector, ran):
    """AS-02, AS-01: three runs of one request id; then the record: RetriesExhausted, count 3, the error as payload."""
    name = make_function(SOURCE)
    lambda_client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn_of(collector)}}
    )
    request_id = send(lambda_client, name, {"fail": True})
    (record,) = ran(collector, where=of_request(request_id))
    runs = ran(name, 3)
    assert [one["id"] for one in runs] == [request_id] * 3
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("timestamp"))
    error = record.pop("responsePayload")
    assert (error["errorType"], error["errorMessage"], error["requestId"]) == ("ValueError", "boom", request_id)
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": arn_of(name, "$LATEST"),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"fail": True},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
    }


def test_as01_records_of_success_and_failure(lambda_client, make_function, collector, ran):
    """AS-01: without retries, one record each; synchronous invocations leave none."""
    name = make_function(SOURCE)
    lambda_client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={on: {"Destination": arn_of(collector)} for on in ("OnSuccess", "OnFailure")},
    )
    assert invoke(lambda_client, name, {"fail": True})[0]["FunctionError"] == "Unhandled"
    good = send(lambda_client, name, {"ok": True})
    bad = send(lambda_client, name, {"exit": True})
    (record,) = ran(collector, where=of_request(good))
    assert record["requestContext"]["condition"] == "Success"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert record["responsePayload"] == {"answer": {"ok": True}}
    (record,) = ran(collector, where=of_request(bad))
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responsePayload"]["errorType"] == "Runtime.ExitError"
    told = ran(collector, where=lambda one: one["requestContext"]["functionArn"] == arn_of(name, "$LATEST"))
    assert len(told) == 2


def test_as01_events_that_would_be_too_old_end_at_once(own_server, runtime):
    """AS-01: with 60 seconds there is no retry, with 150 one: EventAgeExceeded as soon as the next would be late."""
    # Minutes of three seconds: long beside what a busy machine takes to begin a run.
    server = own_server(None, "--async-time-scale", "0.05").start()
    client, sqs = server.client("lambda"), server.client("sqs")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    told = {"OnFailure": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:told"}}
    make, counts = FunctionMaker(client, runtime, "too-old"), {}
    for age_s, count in ((60, 1), (150, 2)):
        name = make(SOURCE)
        client.put_function_event_invoke_config(
            FunctionName=name, MaximumEventAgeInSeconds=age_s, DestinationConfig=told
        )
        # So that the first run takes none of the time that there is.
        invoke(client, name, {})
        counts[send(client, name, {"fail": True})] = count
    records = {}

    def all_told():
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            record = json.loads(message["Body"])
            records[record["requestContext"]["requestId"]] = record
        return records.keys() >= counts.keys()

    wait_for(all_told)
    for request_id, count in counts.items():
        assert records[request_id]["requestContext"]["condition"] == "EventAgeExceeded"
        assert records[request_id]["requestContext"]["approximateInvokeCount"] == count
        assert records[request_id]["responsePayload"]["errorMessage"] == "boom"


def test_the_qualifiers_own_config_applies(lambda_client, make_function, collector, ran):
    """An event by an alias follows the alias's config and its version; the ARN is as it was invoked."""
    name = make_function(SOURCE)
    lambda_client.publish_version(FunctionName=name)
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    lambda_client.put_function_event_invoke_config(
        FunctionName=name,
        Qualifier="live",
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": arn_of(collector)}},
    )
    request_id = send(lambda_client, f"{name}:live", {"fail": True})
    (record,) = ran(collector, where=of_request(request_id))
    assert record["requestContext"]["functionArn"] == arn_of(name, "live")
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responseContext"]["executedVersion"] == "1"
    runs = ran(name, 2)
    assert {(one["arn"], one["version"]) for one in runs} == {(arn_of(name, "live"), "1")}


def test_what_reaches_the_function(lambda_client, make_function, ran):
    """The tenant and the trace do, the client context does not."""
    name = make_function(SOURCE, TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    client_context = "eyJjdXN0b20iOnsiayI6MX19"
    header = "Root=1-6b000001-aabbccddeeff001122334455;Sampled=1"

    def add(request, **_):
        request.headers["X-Amzn-Trace-Id"] = header

    lambda_client.meta.events.register("before-send.lambda.Invoke", add)
    try:
        send(lambda_client, name, {}, TenantId="blue", ClientContext=client_context)
    finally:
        lambda_client.meta.events.unregister("before-send.lambda.Invoke", add)
    (one,) = ran(name)
    assert one["tenant"] == "blue"
    assert one["client"] is None
    assert one["trace"].startswith("Root=1-6b000001-aabbccddeeff001122334455;Parent=")
    assert ";Sampled=1" in one["trace"]
    problem, message = refused(lambda_client.invoke, FunctionName=name, InvocationType="Event")
    assert problem == (400, "InvalidParameterValueException")
    assert "Add a valid tenant ID" in message
    assert refused(lambda_client.invoke_async, FunctionName=name, InvokeArgs=b"{}")[0] == problem


def test_nothing_runs_where_nothing_may(lambda_client, make_function, collector, ran):
    """With a reservation of 0 events are accepted and go straight to the failure destination, without a response."""
    name = make_function(SOURCE)
    lambda_client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn_of(collector)}}
    )
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    request_id = send(lambda_client, name, {"k": 1})
    (record,) = ran(collector, where=of_request(request_id))
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["requestPayload"] == {"k": 1}
    assert {"responseContext", "responsePayload"}.isdisjoint(record)
    assert ran(name, 0) == []


def test_events_wait_for_what_a_function_may_have(lambda_client, make_function, ran):
    """With one execution reserved ten events run one after the other, none is lost and none counts as failed."""
    name = make_function(SOURCE)
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    sent = [send(lambda_client, name, {"sleep_s": 0.02, "number": number}) for number in range(10)]
    runs = ran(name, 10)
    assert sorted(one["id"] for one in runs) == sorted(sent)


def test_events_of_a_deleted_function_are_dropped(server, lambda_client, make_function, ran):
    """What waits when a function is deleted never runs, not even in a new function of its name."""
    # The first is still at it when the function goes.
    name = make_function(SOURCE, Timeout=30)
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    sent = {send(lambda_client, name, {"sleep_s": 10}) for _ in range(4)}
    began = {one["id"] for one in ran(name)}
    lambda_client.delete_function(FunctionName=name)
    make_function(SOURCE, name=name)
    last = send(lambda_client, name, {})
    ids = {one["id"] for one in ran(name, where=lambda one: one["id"] == last)}
    wait_for(lambda: [line for line in server.log if f"event.queue_dropped function={name}" in line])
    ids = {one["id"] for one in ran(name)}
    assert last in ids
    # One may have run on, whose function went under it.
    assert len(ids & sent - began) <= 1


CALLS_ITSELF = """
import json, os, urllib.request
def handler(event, context):
    print("RAN", json.dumps({"depth": event["depth"], "trace": os.environ.get("_X_AMZN_TRACE_ID")}))
    path = f"/2015-03-31/functions/{context.function_name}/invocations"
    request = urllib.request.Request(
        os.environ["AWS_ENDPOINT_URL"] + path,
        json.dumps({**event, "depth": event["depth"] + 1}).encode(),
        {"X-Amz-Invocation-Type": event["type"]},
    )
    if event["depth"] >= event["most"]:
        return "the end"
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        return [error.code, error.headers["x-amzn-errortype"], event["depth"]]
"""
"""Says nothing of its past: the server knows from which environment it calls."""


def test_a_function_that_calls_itself_is_stopped(lambda_client, make_function, ran):
    """The chain's 17th invocation is refused with RecursiveInvocationException; Allow lets it go on."""
    name = make_function(CALLS_ITSELF, Timeout=60, MemorySize=1769)
    event = {"depth": 1, "most": 17, "type": "RequestResponse"}
    assert invoke(lambda_client, name, event)[1] == [400, "RecursiveInvocationException", 16]
    assert len(ran(name, 16)) == 16
    lambda_client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert invoke(lambda_client, name, event)[1] == "the end"


def test_a_chain_that_comes_from_elsewhere_is_stopped(lambda_client, make_function, ran):
    """A service that passes the trace on is part of the chain: with 16 passes behind it a caller is refused."""
    name = make_function(SOURCE)
    invoke(lambda_client, name, {})
    trace = ran(name)[0]["trace"]
    assert re.search(r";Lineage=[0-9a-f]{8}:1$", trace)

    def add(request, **_):
        request.headers["X-Amzn-Trace-Id"] = trace.removesuffix(":1") + ":16"

    lambda_client.meta.events.register("before-send.lambda.Invoke", add)
    try:
        problem, message = refused(lambda_client.invoke, FunctionName=name)
    finally:
        lambda_client.meta.events.unregister("before-send.lambda.Invoke", add)
    assert problem == (400, "RecursiveInvocationException")
    assert "recursive loop" in message


def test_a_chain_of_events_ends_in_the_failure_destination(lambda_client, make_function, collector, ran):
    """Asynchronous chains are accepted with 202 and end after 16 runs; what was to be the 17th is told of."""
    name = make_function(CALLS_ITSELF, MemorySize=1769)
    lambda_client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn_of(collector)}}
    )
    send(lambda_client, name, {"depth": 1, "most": 40, "type": "Event"})

    def of_it(record):
        return record["requestContext"]["functionArn"] == arn_of(name, "$LATEST")

    (record,) = ran(collector, where=of_it)
    assert record["requestPayload"]["depth"] == 17
    assert record["requestContext"]["condition"] == "RecursiveInvocationDetected"
    assert sorted(one["depth"] for one in ran(name, 16)) == list(range(1, 17))


def test_a_destination_does_not_break_the_chain(lambda_client, make_function, ran):
    """Two functions that are each other's destination of success stop as well."""
    # They answer with nothing: each record holds the one before.
    source = "def handler(e, c): print('RAN', 1)"
    first, second = make_function(source), make_function(source)
    for one, other in ((first, second), (second, first)):
        lambda_client.put_function_event_invoke_config(
            FunctionName=one, DestinationConfig={"OnSuccess": {"Destination": arn_of(other)}}
        )
    send(lambda_client, first, {"k": 1})
    assert len(ran(first, 16)) == 16
    assert len(ran(second, 16)) == 16
    # The 17th of the first is not to come. It would have within milliseconds.
    time.sleep(0.5)
    assert len(ran(first, 16)) == 16


def test_a_destination_that_is_gone_is_tried_until_it_is_back(server, lambda_client, make_function, ran):
    """The record waits for its function to be made again."""
    target, name = make_function(SOURCE), make_function(SOURCE)
    lambda_client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": arn_of(target)}}
    )
    lambda_client.delete_function(FunctionName=target)
    request_id = send(lambda_client, name, {"k": 1})
    wait_for(lambda: [line for line in server.log if "destination.failed" in line and request_id in line])
    make_function(SOURCE, name=target)
    (one,) = ran(target)
    assert one["event"]["requestContext"]["requestId"] == request_id
