"""Filters of log groups as boto3 knows them: tried, kept, and what they make of what functions print."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, FunctionMaker, error_of, invoke, newest_python, wait_for

PRINTING = """
import sys

def handler(event, context):
    for line in event["lines"]:
        print(line)
"""

# Prints what it is given as it is, and what is in it.
SUBSCRIBER = """
import base64, gzip, json

def handler(event, context):
    data = base64.b64decode(event["awslogs"]["data"])
    print("GOT " + json.dumps([sorted(event), sorted(event["awslogs"]), json.loads(gzip.decompress(data))]))
"""
BUSY = """
import time

def busy(event, context):
    return time.sleep(event["seconds"]) if "seconds" in event else handler(event, context)
"""
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
GROUP_MISSING = (400, "ResourceNotFoundException", "The specified log group does not exist.")


@pytest.fixture(scope="module")
def cloudwatch(server):
    return server.client("cloudwatch")


def refusal(call, **arguments):
    with pytest.raises(ClientError) as excinfo:
        call(**arguments)
    return error_of(excinfo)


def print_lines(client, name, *lines):
    """Have a function print lines; return once it is done with all of that."""
    assert invoke(client, name, {"lines": list(lines)}, LogType="Tail")[0]["StatusCode"] == 200


def let_logs_in(client, name, group, account=ACCOUNT):
    client.add_permission(
        FunctionName=name,
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
        SourceArn=f"arn:aws:logs:{REGION}:{account}:log-group:{group}:*",
        SourceAccount=account,
    )


def received(logs, name):
    """Return the payloads that a subscriber has printed."""
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        events = [event for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []
    printed = [json.loads(one["message"][4:]) for one in events if one["message"].startswith("GOT ")]
    assert all(outer == [["awslogs"], ["data"]] for *outer, _ in printed)
    return [payload for *_, payload in printed]


def sum_of(cloudwatch, namespace, metric, statistic="Sum", **dimensions):
    now = datetime.now(UTC)
    answer = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=60,
        Statistics=[statistic],
    )
    return sum(point[statistic] for point in answer["Datapoints"])


# Patterns -----------------------------------------------------------------------------------------------------------


def test_patterns_are_tried(logs_client):
    """TestMetricFilter: each kind of pattern, with what it takes out."""
    access = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /apache_pb.gif HTTP/1.0" 200 1534'

    def matches(pattern, *messages):
        answer = logs_client.test_metric_filter(filterPattern=pattern, logEventMessages=list(messages))
        return [(one["eventNumber"], one.get("extractedValues", {})) for one in answer["matches"]]

    assert matches("ERROR -ARGUMENTS", "ERROR 400", "ERROR ARGUMENTS", "INFO") == [(1, {})]
    assert matches("?WARN ?ERROR", "INFO", "a WARN", "an ERROR") == [(2, {}), (3, {})]
    assert matches("%AUTHORI[ZS]ED%", "UNAUTHORIZED", "AUTHORISED", "no") == [(1, {}), (2, {})]
    assert matches('{ $.latency > 10 && $.user.id = "a*" }', '{"latency": 50, "user": {"id": "abc"}}', "x") == [
        (1, {"$.latency": "50", "$.user.id": "abc"})
    ]
    assert matches("[ip, identity, user_id, timestamp, request, status_code=2*, size]", access, "x") == [
        (
            1,
            {
                "$ip": "127.0.0.1",
                "$identity": "-",
                "$user_id": "frank",
                "$timestamp": "10/Oct/2000:13:25:15 -0700",
                "$request": "GET /apache_pb.gif HTTP/1.0",
                "$status_code": "200",
                "$size": "1534",
            },
        )
    ]
    assert refusal(logs_client.test_metric_filter, filterPattern="a=b", logEventMessages=["x"]) == (
        400,
        "InvalidParameterException",
        "Invalid character(s) in term '='",
    )


# Metric filters -----------------------------------------------------------------------------------------------------


def test_metric_filters_are_kept(lambda_client, logs_client, make_function):
    """Put, described in pages by name, replaced, deleted; refused where they say what cannot be."""
    name = make_function(PRINTING)
    group = f"/aws/lambda/{name}"
    asked = {
        "logGroupName": group,
        "filterName": "latency",
        "filterPattern": "{ $.latency = * }",
        "metricTransformations": [
            {
                "metricName": "Latency",
                "metricNamespace": name,
                "metricValue": "$.latency",
                "dimensions": {"Route": "$.route"},
                "unit": "Milliseconds",
            }
        ],
    }
    assert refusal(logs_client.put_metric_filter, **asked) == GROUP_MISSING
    print_lines(lambda_client, name)
    logs_client.put_metric_filter(**asked)
    counting = {"metricName": "Errors", "metricNamespace": name, "metricValue": "1", "defaultValue": 0.0}
    logs_client.put_metric_filter(
        logGroupName=group, filterName="errors", filterPattern="ERROR", metricTransformations=[counting]
    )
    (described,) = logs_client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert described["metricFilterCount"] == 2
    pages = logs_client.get_paginator("describe_metric_filters").paginate(
        logGroupName=group, PaginationConfig={"PageSize": 1}
    )
    first, second = (page["metricFilters"][0] for page in pages)
    assert abs(first.pop("creationTime") - time.time() * 1000) < 600_000
    assert first == {
        "filterName": "errors",
        "filterPattern": "ERROR",
        "logGroupName": group,
        "metricTransformations": [{**counting, "unit": "None"}],
        "applyOnTransformedLogs": False,
    }
    assert {key: second[key] for key in asked} == asked
    found = logs_client.describe_metric_filters(metricName="Latency", metricNamespace=name)["metricFilters"]
    assert [one["filterName"] for one in found] == ["latency"]
    found = logs_client.describe_metric_filters(logGroupName=group, filterNamePrefix="e")["metricFilters"]
    assert [one["filterName"] for one in found] == ["errors"]
    both = {**asked, "metricTransformations": [{**asked["metricTransformations"][0], "defaultValue": 1.0}]}
    assert refusal(logs_client.put_metric_filter, **both)[1:] == (
        "InvalidParameterException",
        "Invalid metric transformation: dimensions and default value are mutually exclusive properties",
    )
    status, code, text = refusal(
        logs_client.put_metric_filter, **{**asked, "metricTransformations": [counting, counting]}
    )
    assert (status, code) == (400, "InvalidParameterException")
    assert "Member must have length less than or equal to 1" in text
    for member, value in (
        ("applyOnTransformedLogs", True),
        ("emitSystemFieldDimensions", ["@aws.region"]),
        ("fieldSelectionCriteria", '@aws.region = "us-east-1"'),
    ):
        assert refusal(logs_client.put_metric_filter, **asked, **{member: value})[1:] == (
            "InvalidParameterException",
            f"{member} is not offered by this version of Lambent",
        )
    logs_client.delete_metric_filter(logGroupName=group, filterName="errors")
    assert refusal(logs_client.delete_metric_filter, logGroupName=group, filterName="errors") == (
        400,
        "ResourceNotFoundException",
        "The specified metric filter does not exist.",
    )


def test_a_group_has_five_filters_with_regular_expressions(lambda_client, logs_client, make_function):
    """Whatever they are for."""
    name = make_function(PRINTING)
    print_lines(lambda_client, name)

    def put(number, pattern):
        logs_client.put_metric_filter(
            logGroupName=f"/aws/lambda/{name}",
            filterName=f"f{number}",
            filterPattern=pattern,
            metricTransformations=[{"metricName": "M", "metricNamespace": name, "metricValue": "1"}],
        )

    for number in range(5):
        put(number, "%x%")
    put(5, "x")
    with pytest.raises(ClientError) as excinfo:
        put(6, "{ $.a = %x% }")
    assert error_of(excinfo) == (400, "LimitExceededException", "Resource limit exceeded.")
    put(4, "%y%")


def test_what_functions_print_becomes_figures(lambda_client, logs_client, cloudwatch, make_function):
    """Exactly once: values and dimensions out of the lines, constants, and documents that need no filter."""
    name = make_function(PRINTING)
    group = f"/aws/lambda/{name}"
    print_lines(lambda_client, name, '{"latency": 1000, "route": "/before"}')
    for filter_name, pattern, transformation in (
        ("latency", "{ $.latency = * }", {"metricValue": "$.latency", "dimensions": {"Route": "$.route"}}),
        ("errors", "[level=ERROR, ...]", {"metricValue": "1"}),
        ("bytes", "[level, code, bytes>0]", {"metricValue": "$bytes"}),
    ):
        logs_client.put_metric_filter(
            logGroupName=group,
            filterName=filter_name,
            filterPattern=pattern,
            metricTransformations=[{"metricName": filter_name, "metricNamespace": name, **transformation}],
        )
    embedded = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {"Namespace": name, "Dimensions": [["service"], []], "Metrics": [{"Name": "items", "Unit": "Count"}]},
                {"Namespace": name, "Dimensions": [["nope"]], "Metrics": [{"Name": "items"}]},
            ],
        },
        "service": "checkout",
        "items": [1, 2.5],
    }
    print_lines(
        lambda_client,
        name,
        '{"latency": 20, "route": "/a"}',
        '{"latency": 22.5, "route": "/a"}',
        '{"latency": "slow", "route": "/a"}',
        '{"latency": 5}',
        "ERROR one",
        "ERROR two of them",
        "INFO 200 1534",
        json.dumps(embedded),
        json.dumps(embedded)[:-1],
    )
    wait_for(lambda: sum_of(cloudwatch, "AWS/Logs", "EMFParsingErrors", LogGroupName=group) == 1)
    assert sum_of(cloudwatch, name, "latency", Route="/a") == 42.5
    assert sum_of(cloudwatch, name, "latency", "SampleCount", Route="/a") == 2
    assert sum_of(cloudwatch, name, "latency", Route="/before") == 0
    assert sum_of(cloudwatch, name, "errors") == 2
    assert sum_of(cloudwatch, name, "bytes") == 1534
    assert sum_of(cloudwatch, name, "items", service="checkout") == 3.5
    assert sum_of(cloudwatch, name, "items") == 3.5
    assert sum_of(cloudwatch, "AWS/Logs", "EMFValidationErrors", LogGroupName=group) == 1


def test_points_are_of_the_time_of_what_a_writer_sends(logs_client, cloudwatch, unique_name):
    """PutLogEvents: what it answered for is counted by then, in the minutes that the events say."""
    group = f"/writers/{unique_name}"
    logs_client.create_log_group(logGroupName=group)
    for stream in ("a", "b"):
        logs_client.create_log_stream(logGroupName=group, logStreamName=stream)
    logs_client.put_metric_filter(
        logGroupName=group,
        filterName="size",
        filterPattern="[level != DEBUG, size > 0]",
        metricTransformations=[{"metricName": "Size", "metricNamespace": unique_name, "metricValue": "$size"}],
    )
    minute_ms = int(time.time() - 1800) // 60 * 60_000
    for stream, events in (
        ("a", [(minute_ms, "INFO 1"), (minute_ms + 59_999, "INFO 2"), (minute_ms + 60_000, "DEBUG 4")]),
        ("b", [(minute_ms, "INFO 8"), (minute_ms + 60_000, "INFO 16"), (minute_ms + 60_000, "INFO x")]),
    ):
        logs_client.put_log_events(
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": at_ms, "message": message} for at_ms, message in events],
        )
    answer = cloudwatch.get_metric_statistics(
        Namespace=unique_name,
        MetricName="Size",
        StartTime=datetime.fromtimestamp(minute_ms / 1000, UTC),
        EndTime=datetime.fromtimestamp(minute_ms / 1000 + 120, UTC),
        Period=60,
        Statistics=["Sum", "SampleCount"],
    )
    points = sorted((int(one["Timestamp"].timestamp() * 1000), one["Sum"]) for one in answer["Datapoints"])
    assert points == [(minute_ms, 11), (minute_ms + 60_000, 16)]


# Subscription filters -----------------------------------------------------------------------------------------------


def test_subscription_filters_are_kept(lambda_client, logs_client, make_function):
    """Put, described in pages, two of a group, deleted; refused where no function can get the events."""
    source = make_function(PRINTING)
    target = make_function(SUBSCRIBER)
    group = f"/aws/lambda/{source}"
    asked = {
        "logGroupName": group,
        "filterName": "errors",
        "filterPattern": "ERROR",
        "destinationArn": f"{FUNCTION}{target}",
    }

    def refused(**changed):
        return refusal(logs_client.put_subscription_filter, **{**asked, **changed})[1:]

    closed = (
        "InvalidParameterException",
        "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your "
        "function.",
    )
    assert refused() == closed
    let_logs_in(lambda_client, target, group)
    assert refusal(logs_client.put_subscription_filter, **asked) == GROUP_MISSING
    assert refused(destinationArn=f"{FUNCTION}nope") == (
        "AccessDeniedException",
        "Cross-account lambda invocation passing is not allowed. You must use DestinationPolicies to create cross "
        "account lambda triggers.",
    )
    print_lines(lambda_client, source)
    assert refused(filterPattern='"open') == ("InvalidParameterException", "Invalid filter pattern")
    assert refused(destinationArn=f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s") == (
        "InvalidParameterException",
        "destinationArn for vendor kinesis cannot be used without roleArn",
    )
    assert refused(roleArn=f"arn:aws:iam::{ACCOUNT}:role/r") == (
        "InvalidParameterException",
        "destinationArn for vendor lambda cannot be used with roleArn",
    )
    assert refused(logGroupName=f"/aws/lambda/{target}")[1].startswith("The log group provided is reserved")
    for member, value in (
        ("applyOnTransformedLogs", True),
        ("emitSystemFields", ["@aws.region"]),
        ("fieldSelectionCriteria", '@aws.region = "us-east-1"'),
    ):
        assert refused(**{member: value})[1] == f"{member} is not offered by this version of Lambent"

    logs_client.put_subscription_filter(**asked)
    logs_client.put_subscription_filter(**{**asked, "filterName": "all", "filterPattern": "", "distribution": "Random"})
    assert refused(filterName="third") == ("LimitExceededException", "Resource limit exceeded.")
    pages = logs_client.get_paginator("describe_subscription_filters").paginate(
        logGroupName=group, PaginationConfig={"PageSize": 1}
    )
    first, second = (page["subscriptionFilters"][0] for page in pages)
    assert abs(second.pop("creationTime") - time.time() * 1000) < 600_000
    assert second == {**asked, "distribution": "ByLogStream", "applyOnTransformedLogs": False}
    assert (first["filterName"], first["distribution"]) == ("all", "Random")
    found = logs_client.describe_subscription_filters(logGroupName=group, filterNamePrefix="e", limit=5)
    assert [one["filterName"] for one in found["subscriptionFilters"]] == ["errors"]
    for name in ("errors", "all"):
        logs_client.delete_subscription_filter(logGroupName=group, filterName=name)
    assert refusal(logs_client.delete_subscription_filter, logGroupName=group, filterName="all") == (
        400,
        "ResourceNotFoundException",
        "The specified subscription filter does not exist.",
    )
    assert logs_client.describe_subscription_filters(logGroupName=group)["subscriptionFilters"] == []


def test_a_function_gets_the_events_it_subscribed_to(lambda_client, logs_client, cloudwatch, make_function):
    """As AWS sends them, within seconds, with the ids that FilterLogEvents shows, columns taken out."""
    source = make_function(PRINTING)
    target = make_function(SUBSCRIBER)
    group = f"/aws/lambda/{source}"
    print_lines(lambda_client, source, "ERROR 1 before")
    let_logs_in(lambda_client, target, group)
    logs_client.put_subscription_filter(
        logGroupName=group,
        filterName="errors",
        filterPattern="[level=ERROR, code, ...]",
        destinationArn=f"{FUNCTION}{target}",
    )
    print_lines(lambda_client, source, "INFO fine", "ERROR 404 not föund", "ERROR 500")

    def got():
        payloads = received(logs_client, target)
        return payloads if sum(len(one["logEvents"]) for one in payloads) == 2 else None

    # One payload, or two where the lines came apart.
    payloads = wait_for(got)
    events = {
        event["message"]: event
        for event in logs_client.filter_log_events(logGroupName=group)["events"]
        if event["message"].startswith("ERROR")
    }
    said = [event for one in payloads for event in one.pop("logEvents")]
    for payload in payloads:
        assert payload == {
            "messageType": "DATA_MESSAGE",
            "owner": ACCOUNT,
            "logGroup": group,
            "logStream": events["ERROR 500\n"]["logStreamName"],
            "subscriptionFilters": ["errors"],
        }
    assert sorted(said, key=lambda event: event["message"]) == [
        {
            "id": events[message]["eventId"],
            "timestamp": events[message]["timestamp"],
            "message": message,
            "extractedFields": fields,
        }
        for message, fields in (
            ("ERROR 404 not föund\n", {"level": "ERROR", "code": "404", "3": "not", "4": "föund"}),
            ("ERROR 500\n", {"level": "ERROR", "code": "500"}),
        )
    ]
    dimensions = {"LogGroupName": group, "FilterName": "errors", "DestinationType": "Lambda"}
    wait_for(lambda: sum_of(cloudwatch, "AWS/Logs", "ForwardedLogEvents", **dimensions) == 2)
    assert sum_of(cloudwatch, "AWS/Lambda", "AsyncEventsReceived", FunctionName=target) == len(payloads)
    # What its policy does not let in any more it does not get.
    lambda_client.remove_permission(FunctionName=target, StatementId="logs")
    print_lines(lambda_client, source, "ERROR 600")
    wait_for(lambda: sum_of(cloudwatch, "AWS/Logs", "DeliveryErrors", **dimensions) == 1)
    assert len(received(logs_client, target)) == len(payloads)


def test_much_reaches_a_subscriber_whole(lambda_client, logs_client, make_function):
    """Thousands of lines, long ones among them, each once and in order."""
    source = make_function(PRINTING)
    target = make_function(
        """
import base64, gzip, json

def handler(event, context):
    got = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    print("GOT " + json.dumps([int(one["message"].split()[1]) for one in got["logEvents"]]))
""",
        Timeout=30,
    )
    group = f"/aws/lambda/{source}"
    print_lines(lambda_client, source)
    let_logs_in(lambda_client, target, group)
    logs_client.put_subscription_filter(
        logGroupName=group, filterName="all", filterPattern="LINE", destinationArn=f"{FUNCTION}{target}"
    )
    lines = [f"LINE {number} {'x' * (100_000 if number % 100 == 0 else 20)}" for number in range(3_000)]
    print_lines(lambda_client, source, *lines)

    def numbers():
        pages = logs_client.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{target}")
        try:
            events = [event for page in pages for event in page["events"]]
        except logs_client.exceptions.ResourceNotFoundException:
            return []
        return [json.loads(one["message"][4:]) for one in events if one["message"].startswith("GOT ")]

    wait_for(lambda: sum(map(len, numbers())) >= 3_000)
    assert sorted(number for some in numbers() for number in some) == list(range(3_000))
    assert all(some == sorted(some) for some in numbers())


def test_a_crash_loses_nothing_and_counts_nothing_twice(lone_server):
    """kill -9 between a line and its way into the store: figures are exact, and events come at least once."""
    clients = {name: lone_server.client(name) for name in ("lambda", "logs", "cloudwatch")}
    maker = FunctionMaker(clients["lambda"], newest_python(), "crash")
    source, target = maker(PRINTING), maker(SUBSCRIBER)
    group, account = f"/aws/lambda/{source}", lone_server.account
    print_lines(clients["lambda"], source)
    let_logs_in(clients["lambda"], target, group, account)
    wait_for(lambda: clients["logs"].describe_log_groups(logGroupNamePrefix=group)["logGroups"])
    clients["logs"].put_subscription_filter(
        logGroupName=group,
        filterName="errors",
        filterPattern="ERROR",
        destinationArn=f"arn:aws:lambda:{REGION}:{account}:function:{target}",
    )
    clients["logs"].put_metric_filter(
        logGroupName=group,
        filterName="errors",
        filterPattern="ERROR",
        metricTransformations=[{"metricName": "Errors", "metricNamespace": source, "metricValue": "1"}],
    )
    for round_ in range(3):
        print_lines(clients["lambda"], source, *(f"ERROR {round_} {number}" for number in range(50)))
        lone_server.kill()
        lone_server.restart()
        clients = {name: lone_server.client(name) for name in clients}
    wait_for(lambda: sum_of(clients["cloudwatch"], source, "Errors") == 150)

    def got():
        return {
            (event["id"], event["message"]) for one in received(clients["logs"], target) for event in one["logEvents"]
        }

    wait_for(lambda: len(got()) >= 150)
    shown = clients["logs"].filter_log_events(logGroupName=group)["events"]
    # Delivered again or not, an event has one id, which is that of the store.
    assert got() == {(one["eventId"], one["message"]) for one in shown if one["message"].startswith("ERROR")}


def test_a_full_queue_holds_up_the_logs_for_seconds_at_most(own_server, runtime):
    """What finds no room is dropped and counted; logs are read as ever; what comes when there is room arrives."""
    server = own_server(None, "--queue-events-max", "2", "--shutdown-grace-s", "1").start()
    functions, logs, cloudwatch = (server.client(name) for name in ("lambda", "logs", "cloudwatch"))
    maker = FunctionMaker(functions, runtime, "full")
    source, target = maker(PRINTING), maker(f"{SUBSCRIBER}{BUSY}", Handler="app.busy", Timeout=600)
    group = f"/aws/lambda/{source}"
    print_lines(functions, source)
    let_logs_in(functions, target, group)
    wait_for(lambda: logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"])
    logs.put_subscription_filter(
        logGroupName=group, filterName="all", filterPattern="LINE", destinationArn=f"{FUNCTION}{target}"
    )
    # It has one execution, which is taken: its events wait.
    functions.put_function_concurrency(FunctionName=target, ReservedConcurrentExecutions=1)
    functions.invoke(FunctionName=target, InvocationType="Event", Payload=json.dumps({"seconds": 590}))
    dimensions = {"LogGroupName": group, "FilterName": "all", "DestinationType": "Lambda"}

    def shown():
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, filterPattern="LINE")
        return [event["message"].strip() for page in pages for event in page["events"]]

    for number in range(5):
        print_lines(functions, source, f"LINE {number}")
        # Long before there is room.
        wait_for(lambda number=number: len(shown()) == number + 1)
    assert shown() == [f"LINE {number}" for number in range(5)]
    dropped = sum_of(cloudwatch, "AWS/Logs", "DeliveryErrors", **dimensions)
    assert 0 < dropped == 5 - sum_of(cloudwatch, "AWS/Logs", "ForwardedLogEvents", **dimensions)
    wait_for(lambda: any("logs.not_delivered" in line and "too many events wait" in line for line in server.log))
    functions.delete_function_concurrency(FunctionName=target)

    def arrived():
        return [event["message"].strip() for one in received(logs, target) for event in one["logEvents"]]

    wait_for(lambda: arrived() or None)
    print_lines(functions, source, "LINE after")
    wait_for(lambda: "LINE after" in arrived())
