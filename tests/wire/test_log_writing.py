"""CloudWatch Logs as boto3 writes it: groups, streams, events, tags, policies; patterns; a flood."""

import contextlib
import itertools
import json
import threading
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from wire.support import FunctionMaker, error_of, invoke, wait_for

GROUP_MISSING = (400, "ResourceNotFoundException", "The specified log group does not exist.")
STREAM_MISSING = (400, "ResourceNotFoundException", "The specified log stream does not exist.")
KEY = "arn:aws:kms:us-east-1:000000000000:key/1"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "logs:*"}]})
DAY_MS = 86_400_000


def refusal(call, **arguments):
    with pytest.raises(ClientError) as excinfo:
        call(**arguments)
    return error_of(excinfo)


def now_ms():
    return int(time.time() * 1000)


def events_of(*pairs):
    return [{"timestamp": at_ms, "message": message} for at_ms, message in pairs]


@pytest.fixture
def stream(logs_client, unique_name):
    """A group and a stream in it, made by hand; return what names both."""
    named = {"logGroupName": f"/app/{unique_name}", "logStreamName": "s"}
    logs_client.create_log_group(logGroupName=named["logGroupName"])
    logs_client.create_log_stream(**named)
    yield named
    with contextlib.suppress(ClientError):
        logs_client.delete_log_group(logGroupName=named["logGroupName"])


def arn_of(group):
    return f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"


def test_what_is_put_is_there_when_the_call_returns(logs_client, stream):
    """PutLogEvents: events are read as sent by the next call, in order of time; group and stream show it."""
    at_ms = now_ms()
    entity = {"keyAttributes": {"Type": "Service", "Name": "orders"}, "attributes": {"Platform": "here"}}
    answer = logs_client.put_log_events(
        **stream, logEvents=events_of((at_ms - 1, "late ü\n"), (at_ms, "x")), sequenceToken="any", entity=entity
    )
    assert len(answer["nextSequenceToken"]) == 56
    assert "rejectedLogEventsInfo" not in answer
    logs_client.put_log_events(**stream, logEvents=events_of((at_ms - 2, "early")))
    found = logs_client.filter_log_events(logGroupName=stream["logGroupName"])["events"]
    assert [(event["timestamp"] - at_ms, event["message"]) for event in found] == [
        (-2, "early"),
        (-1, "late ü\n"),
        (0, "x"),
    ]
    assert all(event["ingestionTime"] >= at_ms for event in found)
    (shown,) = logs_client.describe_log_streams(logGroupName=stream["logGroupName"])["logStreams"]
    assert (shown["firstEventTimestamp"], shown["lastEventTimestamp"]) == (at_ms - 2, at_ms)
    (group,) = logs_client.describe_log_groups(logGroupNamePrefix=stream["logGroupName"])["logGroups"]
    assert group["storedBytes"] == len("late ü\n".encode()) + len("x") + len("early") + 3 * 26


def test_what_is_too_old_or_too_new_is_told(logs_client, stream):
    """PutLogEvents: a 200 with the places of the events that were left out; the others are stored."""
    at_ms = now_ms()
    logs_client.put_retention_policy(logGroupName=stream["logGroupName"], retentionInDays=7)
    answer = logs_client.put_log_events(
        **stream,
        logEvents=events_of(
            (at_ms - 15 * DAY_MS, "old"), (at_ms - 8 * DAY_MS, "expired"), (at_ms, "kept"), (at_ms + DAY_MS, "new")
        ),
    )
    assert answer["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1,
        "expiredLogEventEndIndex": 2,
        "tooNewLogEventStartIndex": 3,
    }
    found = logs_client.filter_log_events(logGroupName=stream["logGroupName"])["events"]
    assert [event["message"] for event in found] == ["kept"]
    logs_client.delete_retention_policy(logGroupName=stream["logGroupName"])
    (group,) = logs_client.describe_log_groups(logGroupNamePrefix=stream["logGroupName"])["logGroups"]
    assert "retentionInDays" not in group


def test_what_cannot_be_put_is_refused(logs_client, server, stream):
    """PutLogEvents: order, span, size, count, and a place to put it."""
    at_ms = now_ms()

    def put(*events, **other):
        return refusal(logs_client.put_log_events, **{**stream, **other}, logEvents=events_of(*events))

    assert put((at_ms, "a"), (at_ms - 1, "b"))[1:] == (
        "InvalidParameterException",
        "Log events in a single PutLogEvents request must be in chronological order.",
    )
    assert put((at_ms - DAY_MS - 60_000, "a"), (at_ms, "b"))[1] == "InvalidParameterException"
    assert put((at_ms, "x" * 1_048_576))[1] == "InvalidParameterException"
    assert put(*[(at_ms, "x" * 600_000)] * 2)[2] == "Upload too large: 1200052 bytes exceeds limit of 1048576"
    assert put((at_ms, "a"), logGroupName="/nobody/here") == GROUP_MISSING
    assert put((at_ms, "a"), logStreamName="nobody") == STREAM_MISSING
    lenient = server.client("logs", parameter_validation=False)
    assert refusal(lenient.put_log_events, **stream, logEvents=[])[1] == "InvalidParameterException"
    assert refusal(lenient.put_log_events, **stream, logEvents=events_of(*[(at_ms, "x")] * 10_001))[1] == (
        "InvalidParameterException"
    )
    assert refusal(lenient.put_log_events, **stream, logEvents=events_of((at_ms, "")))[1] == "InvalidParameterException"
    assert logs_client.filter_log_events(logGroupName=stream["logGroupName"])["events"] == []


def test_ten_thousand_events_at_once_are_found_by_patterns(logs_client, stream):
    """FilterLogEvents with filterPattern: terms, JSON, columns and regular expressions, over pages, either way."""
    group = stream["logGroupName"]
    at_ms = now_ms() - 20_000

    def line(number):
        if number % 1_000 == 0:
            return f"ERROR number {number} failed"
        if number % 100 == 0:
            return json.dumps({"level": "WARN", "number": number, "user": {"name": "ö\n"}})
        return f"INFO number {number}"

    logs_client.put_log_events(
        **stream, logEvents=events_of(*((at_ms + number, line(number)) for number in range(10_000)))
    )

    def found(pattern, **other):
        pages = logs_client.get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern=pattern, PaginationConfig={"PageSize": 7}, **other
        )
        return [event["timestamp"] - at_ms for page in pages for event in page["events"]]

    errors = list(range(0, 10_000, 1_000))
    assert found("ERROR") == errors
    assert found("ERROR", startFromHead=False, startTime=at_ms) == errors[::-1]
    assert found('ERROR -"3000"') == [number for number in errors if number != 3_000]
    assert found("?ERROR ?WARN") == list(range(0, 10_000, 100))
    warnings = [number for number in range(0, 10_000, 100) if number % 1_000]
    assert found('{ $.level = "WARN" && $.number >= 9000 }') == [number for number in warnings if number >= 9_000]
    assert found('{ $.user.name = "ö*" }') == warnings
    assert found("[level, word, number = 123, ...]") == [123]
    assert found("%number 99[0-9]8$%") == [9908, 9918, 9928, 9938, 9948, 9958, 9968, 9978, 9988, 9998]
    assert found("nothing of this") == []
    assert found("") == found(" ") == list(range(10_000))
    assert found("ERROR", logStreamNames=["s"], startTime=at_ms + 1, endTime=at_ms + 2_000) == [1_000, 2_000]
    assert refusal(logs_client.filter_log_events, logGroupName=group, filterPattern="{ $.a = 1")[1:] == (
        "InvalidParameterException",
        "If a filter pattern starts with '{' it must end with '}'",
    )


def test_pl03_what_a_function_prints_is_found_by_patterns(lambda_client, logs_client, make_function):
    """PL-03: FilterLogEvents finds the platform's lines and the function's own."""
    name = make_function("def handler(e, c):\n    print('hello from ' + c.function_name)\n")
    lambda_client.invoke(FunctionName=name, LogType="Tail")
    group = f"/aws/lambda/{name}"
    for pattern in ("REPORT", '"hello from"', "[kind = REPORT, ...]"):
        (event,) = logs_client.filter_log_events(logGroupName=group, filterPattern=pattern)["events"]
        assert ("hello" in event["message"]) == ("hello" in pattern)


def test_pl04_a_long_line_is_one_event_that_a_pattern_reads(lambda_client, logs_client, make_function):
    """PL-04: a line of many kilobytes is whole, so that a JSON pattern matches it."""
    name = make_function("import json\ndef handler(e, c):\n    print(json.dumps({'pad': 'é' * 3000, 'end': 1}))\n")
    lambda_client.invoke(FunctionName=name, LogType="Tail")
    found = logs_client.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="{ $.end = 1 }")["events"]
    assert [json.loads(event["message"])["pad"] for event in found] == ["é" * 3000]


def test_groups_are_made_set_and_deleted(logs_client, unique_name):
    """CreateLogGroup with all it takes; protection, key, retention; again, and when it is gone."""
    name = f"/made/{unique_name}"
    logs_client.create_log_group(
        logGroupName=name,
        kmsKeyId=KEY,
        tags={"team": "a"},
        logGroupClass="INFREQUENT_ACCESS",
        deletionProtectionEnabled=True,
    )
    assert refusal(logs_client.create_log_group, logGroupName=name) == (
        400,
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
    )
    assert refusal(logs_client.create_log_group, logGroupName="x" * 513) == (
        400,
        "InvalidParameterException",
        "Invalid LogGroup or LogStream, both must have length less than or equal to 512.",
    )

    def described():
        (group,) = logs_client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        return group

    assert described()["kmsKeyId"] == KEY
    assert described()["logGroupClass"] == "INFREQUENT_ACCESS"
    assert refusal(logs_client.delete_log_group, logGroupName=name)[1] == "ValidationException"
    logs_client.put_log_group_deletion_protection(logGroupIdentifier=arn_of(name), deletionProtectionEnabled=False)
    assert described()["deletionProtectionEnabled"] is False
    logs_client.disassociate_kms_key(logGroupName=name)
    assert "kmsKeyId" not in described()
    logs_client.associate_kms_key(resourceIdentifier=arn_of(name), kmsKeyId=KEY)
    logs_client.disassociate_kms_key(resourceIdentifier=arn_of(name))
    logs_client.associate_kms_key(logGroupName=name, kmsKeyId=KEY)
    assert described()["kmsKeyId"] == KEY
    assert refusal(logs_client.associate_kms_key, kmsKeyId=KEY)[1] == "InvalidParameterException"
    logs_client.delete_log_group(logGroupName=name)
    for call, other in (
        (
            logs_client.put_log_group_deletion_protection,
            {"logGroupIdentifier": name, "deletionProtectionEnabled": True},
        ),
        (logs_client.associate_kms_key, {"logGroupName": name, "kmsKeyId": KEY}),
        (logs_client.disassociate_kms_key, {"logGroupName": name}),
        (logs_client.delete_retention_policy, {"logGroupName": name}),
        (logs_client.create_log_stream, {"logGroupName": name, "logStreamName": "s"}),
        (logs_client.delete_log_stream, {"logGroupName": name, "logStreamName": "s"}),
    ):
        assert refusal(call, **other) == GROUP_MISSING
    # Again at once.
    logs_client.create_log_group(logGroupName=name)
    logs_client.delete_log_group(logGroupName=name)
    for reserved in ({"logGroupName": "aws/x"}, {"logGroupName": name, "tags": {"aws:x": "y"}}):
        assert refusal(logs_client.create_log_group, **reserved)[1] == "InvalidParameterException"


def test_groups_are_listed(logs_client, unique_name):
    """ListLogGroups: small patterns, tags, classes, accounts, pages."""
    names = [f"/{kind}/{unique_name}" for kind in ("alpha", "beta")]
    for name in names:
        logs_client.create_log_group(logGroupName=name, tags={unique_name: name[1:5]})

    def listed(**narrowing):
        return [group["logGroupName"] for group in logs_client.list_log_groups(**narrowing)["logGroups"]]

    tagged = {"logGroupTags": [{"key": unique_name}]}
    assert listed(**tagged) == names
    assert listed(**tagged, logGroupNamePattern="^/beta|nothing") == names[1:]
    assert listed(logGroupTags=[{"key": unique_name, "values": ["alph", "x"]}]) == names[:1]
    assert listed(**tagged, logGroupClass="DELIVERY") == []
    assert listed(**tagged, accountIdentifiers=["111122223333"], includeLinkedAccounts=True) == []
    first = logs_client.list_log_groups(**tagged, limit=1)
    assert listed(**tagged, limit=1, nextToken=first["nextToken"]) == names[1:]
    refused = refusal(logs_client.list_log_groups, dataSources=[{"name": "x"}])
    assert refused[1] == "InvalidParameterException"
    assert refusal(logs_client.list_log_groups, fieldIndexNames=["x"])[1] == "InvalidParameterException"
    for name in names:
        logs_client.delete_log_group(logGroupName=name)


def test_streams_are_deleted_with_their_events(logs_client, stream):
    """DeleteLogStream: at once and for good; one that is made anew is empty."""
    at_ms = now_ms()
    group = stream["logGroupName"]
    logs_client.create_log_stream(logGroupName=group, logStreamName="other")
    # Enough for both to share a chunk.
    for name in ("s", "other"):
        logs_client.put_log_events(
            logGroupName=group, logStreamName=name, logEvents=events_of(*[(at_ms, name)] * 1_500)
        )
    logs_client.delete_log_stream(**stream)
    assert refusal(logs_client.delete_log_stream, **stream) == STREAM_MISSING
    assert refusal(logs_client.create_log_stream, logGroupName=group, logStreamName="other") == (
        400,
        "ResourceAlreadyExistsException",
        "The specified log stream already exists",
    )
    logs_client.create_log_stream(**stream)
    assert logs_client.get_log_events(**stream)["events"] == []
    left = logs_client.filter_log_events(logGroupName=group)["events"]
    assert (len(left), {event["message"] for event in left}) == (1_500, {"other"})


def test_tags_by_both_families(logs_client, stream):
    """TagResource and TagLogGroup see one set, and the ARN may end with `:*`; fifty-one are too many."""
    group = stream["logGroupName"]
    logs_client.tag_log_group(logGroupName=group, tags={"a": "1", "b": "2"})
    logs_client.tag_resource(resourceArn=arn_of(group), tags={"b": "3"})
    assert logs_client.list_tags_for_resource(resourceArn=arn_of(group))["tags"] == {"a": "1", "b": "3"}
    assert logs_client.list_tags_for_resource(resourceArn=arn_of(group) + ":*")["tags"] == {"a": "1", "b": "3"}
    logs_client.tag_resource(resourceArn=arn_of(group) + ":*", tags={"c": "4"})
    logs_client.untag_resource(resourceArn=arn_of(group) + ":*", tagKeys=["a", "c"])
    assert logs_client.list_tags_log_group(logGroupName=group)["tags"] == {"b": "3"}
    logs_client.untag_log_group(logGroupName=group, tags=["b"])
    assert logs_client.list_tags_log_group(logGroupName=group)["tags"] == {}
    logs_client.tag_resource(resourceArn=arn_of(group), tags={"a": ""})
    many = {f"k{number}": "" for number in range(50)}
    assert refusal(logs_client.tag_resource, resourceArn=arn_of(group), tags=many)[1] == "TooManyTagsException"
    assert refusal(logs_client.tag_log_group, logGroupName=group, tags=many)[1] == "InvalidParameterException"
    for call, named in (
        (logs_client.list_tags_for_resource, {"resourceArn": arn_of("nobody")}),
        (logs_client.untag_resource, {"resourceArn": arn_of("nobody"), "tagKeys": ["a"]}),
        (logs_client.tag_resource, {"resourceArn": arn_of("nobody"), "tags": {"a": "b"}}),
        (logs_client.list_tags_log_group, {"logGroupName": "nobody"}),
        (logs_client.tag_log_group, {"logGroupName": "nobody", "tags": {"a": "b"}}),
        (logs_client.untag_log_group, {"logGroupName": "nobody", "tags": ["a"]}),
    ):
        assert refusal(call, **named) == GROUP_MISSING


def test_resource_policies_are_kept(server):
    """PutResourcePolicy: ten of an account, shown in pages, replaced and deleted."""
    client = server.client("logs", account="777700000001")
    for number in range(10):
        client.put_resource_policy(policyName=f"p{number}", policyDocument=POLICY)
    assert refusal(client.put_resource_policy, policyName="more", policyDocument=POLICY)[1] == "LimitExceededException"
    first = client.describe_resource_policies(limit=8)
    rest = client.describe_resource_policies(limit=8, nextToken=first["nextToken"])["resourcePolicies"]
    assert [policy["policyName"] for policy in rest] == ["p8", "p9"]
    assert (rest[0]["policyDocument"], rest[0]["policyScope"]) == (POLICY, "ACCOUNT")
    assert client.describe_resource_policies(policyScope="RESOURCE")["resourcePolicies"] == []
    client.delete_resource_policy(policyName="p0")
    assert refusal(client.delete_resource_policy, policyName="p0")[1] == "ResourceNotFoundException"
    for wrong in ({"policyDocument": "{}"}, {"policyDocument": POLICY, "resourceArn": arn_of("g")}):
        assert refusal(client.put_resource_policy, policyName="p0", **wrong)[1] == "InvalidParameterException"
    for call in (client.describe_resource_policies, client.delete_resource_policy):
        assert refusal(call, resourceArn=arn_of("g"))[1] == "InvalidParameterException"
    assert refusal(client.delete_resource_policy, policyName="p1", expectedRevisionId="1")[1] == (
        "InvalidParameterException"
    )


def test_what_was_put_survives_a_kill_exactly_once(own_server):
    """After kill -9 in the middle of writing, each event that was acknowledged is there once, under the id it had."""
    server = own_server().start()
    group = "/crash"
    server.client("logs").create_log_group(logGroupName=group)
    acknowledged = []

    def write(stream):
        logs = server.client("logs")
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        for number in itertools.count():
            texts = [f"{stream} {number} {place}" for place in range(400)]
            try:
                logs.put_log_events(
                    logGroupName=group, logStreamName=stream, logEvents=events_of(*((now_ms(), text) for text in texts))
                )
            except Exception:
                return
            acknowledged.extend(texts)

    writers = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for writer in writers:
        writer.start()
    wait_for(lambda: len(acknowledged) > 12_000)
    server.kill()
    for writer in writers:
        writer.join()
    server.restart()

    def read():
        pages = server.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event for page in pages for event in page["events"]]

    events = read()
    messages = [event["message"] for event in events]
    assert len(set(messages)) == len(messages) == len({event["eventId"] for event in events})
    assert set(acknowledged) <= set(messages)
    # Of each writer one call may have been stored that was never answered.
    assert len(messages) <= len(acknowledged) + 3 * 400
    assert read() == events


FLOOD = """
import os, sys
def handler(event, context):
    line = ("x" * 999 + "\\n").encode() * 1000
    for _ in range(event["mib"]):
        sys.stdout.buffer.write(line)
    sys.stdout.flush()
    return "done"
"""


def test_a_flood_is_slowed_and_the_memory_stays(own_server, runtime, unique_name):
    """Of a function that prints without end every line is there, its log says that it waited, and memory is flat."""
    server = own_server().start()
    client = server.client("lambda")
    make = FunctionMaker(client, runtime, unique_name)
    name = make(FLOOD, Timeout=60)
    calm = make("def handler(e, c):\n    return 'calm'\n")
    invoke(client, name, {"mib": 1})
    invoke(client, calm, {})
    before = resident_mib(server.process.pid)
    begin = time.monotonic()
    assert invoke(client, name, {"mib": 48})[1] == "done"
    elapsed_s = time.monotonic() - begin
    assert invoke(client, calm, {})[1] == "calm"
    assert resident_mib(server.process.pid) - before < 96
    logs = server.client("logs")
    group = f"/aws/lambda/{name}"
    # Beyond what is free no more than so much a second is read.
    assert elapsed_s > (48_000_000 / 2**20 - 32 - 2) / 8
    wait_for(lambda: len(logs.filter_log_events(logGroupName=group, filterPattern="REPORT")["events"]) == 2)
    told = logs.filter_log_events(logGroupName=group, filterPattern='"Output throttled"')["events"]
    # A machine on which nobody prints faster than that slows nobody.
    assert told or elapsed_s > (48_000_000 / 2**20 - 32) / 8
    if told:
        wait_for(lambda: any("logs.throttled" in line and name in line for line in server.log))
    (stored,) = logs.describe_log_groups(logGroupIdentifiers=[group])["logGroups"]
    assert stored["storedBytes"] > 49 * 1_000 * 1_026
    assert resident_mib(server.process.pid) - before < 96


def resident_mib(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) // 1024
