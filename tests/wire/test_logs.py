"""CloudWatch Logs as boto3 reads it: groups, streams, events page by page, deletion, retention, a crash."""

import pytest
from botocore.exceptions import ClientError
from wire.support import FunctionMaker, error_of, invoke, wait_for

COUNTING = """
def handler(e, c):
    for number in range(e["lines"]):
        print(f"line {number}")
    return c.log_stream_name
"""
GROUP_MISSING = (400, "ResourceNotFoundException", "The specified log group does not exist.")
STREAM_MISSING = (400, "ResourceNotFoundException", "The specified log stream does not exist.")


@pytest.fixture
def written(lambda_client, logs_client, make_function):
    """A function that has written 20 lines in one call; return (group, stream)."""
    name = make_function(COUNTING)
    stream = invoke(lambda_client, name, {"lines": 20}, LogType="Tail")[1]
    group = f"/aws/lambda/{name}"
    # INIT_START, START, 20 lines, END, REPORT.
    wait_for(lambda: len(logs_client.filter_log_events(logGroupName=group)["events"]) == 24)
    return group, stream


def refusal(call, **arguments):
    with pytest.raises(ClientError) as excinfo:
        call(**arguments)
    return error_of(excinfo)


def messages(page):
    return [event["message"].rstrip("\n") for event in page["events"]]


def test_groups_are_described_in_order_of_name(lambda_client, logs_client, make_function, unique_name):
    """DescribeLogGroups: every member, by prefix or by pattern, in pages."""
    prefix = f"/groups/{unique_name}/"
    for name in ("c", "a", "B"):
        function = make_function(COUNTING, LoggingConfig={"LogGroup": prefix + name})
        invoke(lambda_client, function, {"lines": 0}, LogType="Tail")
    wait_for(lambda: len(logs_client.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]) == 3)
    pages = logs_client.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=prefix, PaginationConfig={"PageSize": 2}
    )
    counted = [[group["logGroupName"] for group in page["logGroups"]] for page in pages]
    assert counted == [[prefix + "B", prefix + "a"], [prefix + "c"]]

    (group,) = logs_client.describe_log_groups(logGroupNamePrefix=prefix + "a")["logGroups"]
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{prefix}a"
    assert group.pop("creationTime") > 1_700_000_000_000
    assert group.pop("storedBytes") >= 0
    assert group == {
        "logGroupName": prefix + "a",
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "logGroupClass": "STANDARD",
        "deletionProtectionEnabled": False,
    }
    (found,) = logs_client.describe_log_groups(logGroupNamePattern=f"{unique_name}/c")["logGroups"]
    assert found["logGroupName"] == prefix + "c"
    assert refusal(logs_client.describe_log_groups, logGroupNamePrefix="a", logGroupNamePattern="abc")[1:] == (
        "InvalidParameterException",
        "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
    )


def test_streams_are_described_newest_first_when_asked(lambda_client, logs_client, make_function):
    """DescribeLogStreams: one stream per environment; the one written last is found by LastEventTime."""
    name = make_function(COUNTING)
    first = invoke(lambda_client, name, {"lines": 1}, LogType="Tail")[1]
    # Another environment, by a change of the settings.
    lambda_client.update_function_configuration(FunctionName=name, Description="again")
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})
    second = invoke(lambda_client, name, {"lines": 1}, LogType="Tail")[1]
    group = f"/aws/lambda/{name}"
    wait_for(lambda: len(logs_client.describe_log_streams(logGroupName=group)["logStreams"]) == 2)

    by_name = logs_client.describe_log_streams(logGroupName=group)["logStreams"]
    assert [stream["logStreamName"] for stream in by_name] == sorted([first, second])
    by_time = logs_client.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=1)
    (newest,) = by_time["logStreams"]
    assert newest["logStreamName"] == second
    assert newest["arn"] == f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:log-stream:{second}"
    assert newest["storedBytes"] == 0
    assert newest["creationTime"] <= newest["lastEventTimestamp"]
    assert newest["firstEventTimestamp"] <= newest["lastEventTimestamp"]
    assert "nextToken" in by_time
    assert refusal(
        logs_client.describe_log_streams, logGroupName=group, orderBy="LastEventTime", logStreamNamePrefix="2"
    ) == (400, "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")


def test_get_log_events_goes_forward_until_the_token_repeats(lambda_client, logs_client, written):
    """GetLogEvents: pages ascend, at the end the forward token stays the same and yields what comes later."""
    group, stream = written
    asked = {"logGroupName": group, "logStreamName": stream, "limit": 10}
    seen, page = [], logs_client.get_log_events(**asked, startFromHead=True)
    while True:
        seen += messages(page)
        token = page["nextForwardToken"]
        page = logs_client.get_log_events(**asked, nextToken=token)
        if page["nextForwardToken"] == token:
            break
    assert page["events"] == []
    assert seen[2:22] == [f"line {number}" for number in range(20)]
    assert len(seen) == 24

    name = group.rsplit("/", 1)[1]
    assert invoke(lambda_client, name, {"lines": 1}, LogType="Tail")[1] == stream
    later = wait_for(lambda: messages(logs_client.get_log_events(**asked, nextToken=token)))
    assert later[1] == "line 0"


def test_get_log_events_goes_backward_from_the_newest(logs_client, written):
    """GetLogEvents: without startFromHead the newest page comes first, each page ascending in itself."""
    group, stream = written
    asked = {"logGroupName": group, "logStreamName": stream, "limit": 10}
    newest = logs_client.get_log_events(**asked)
    assert messages(newest)[:8] == [f"line {number}" for number in range(12, 20)]
    before = logs_client.get_log_events(**asked, nextToken=newest["nextBackwardToken"])
    assert messages(before) == [f"line {number}" for number in range(2, 12)]
    oldest = logs_client.get_log_events(**asked, nextToken=before["nextBackwardToken"])
    assert messages(oldest)[2:] == ["line 0", "line 1"]
    beyond = logs_client.get_log_events(**asked, nextToken=oldest["nextBackwardToken"])
    assert (beyond["events"], beyond["nextBackwardToken"]) == ([], oldest["nextBackwardToken"])


def test_times_bound_what_is_read(logs_client, written):
    """startTime is inclusive; endTime is exclusive in GetLogEvents and inclusive in FilterLogEvents."""
    group, stream = written
    events = logs_client.filter_log_events(logGroupName=group)["events"]
    first, last = events[0]["timestamp"], events[-1]["timestamp"]
    of_stream = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
    assert len(logs_client.get_log_events(**of_stream, startTime=first, endTime=last + 1)["events"]) == 24
    exclusive = logs_client.get_log_events(**of_stream, startTime=first, endTime=last)["events"]
    assert {event["timestamp"] for event in exclusive} == {e["timestamp"] for e in events if e["timestamp"] < last}
    inclusive = logs_client.filter_log_events(logGroupName=group, startTime=last, endTime=last)["events"]
    assert inclusive == [event for event in events if event["timestamp"] == last]


def test_filter_log_events_ends_without_a_token(logs_client, written):
    """FilterLogEvents: stable unique ids, pages in order of time, and no token on the last page."""
    group, stream = written
    whole = logs_client.filter_log_events(logGroupName=group, interleaved=True)
    assert "nextToken" not in whole
    assert whole["searchedLogStreams"] == []
    ids = [event["eventId"] for event in whole["events"]]
    assert ids == sorted(set(ids))
    pages = logs_client.get_paginator("filter_log_events").paginate(
        logGroupName=group, logStreamNames=[stream], PaginationConfig={"PageSize": 8}
    )
    sizes, paged = [], []
    for page in pages:
        sizes.append(len(page["events"]))
        paged += page["events"]
    assert (sizes, paged) == ([8, 8, 8], whole["events"])
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    assert logs_client.filter_log_events(logGroupIdentifier=arn)["events"] == whole["events"]
    assert logs_client.filter_log_events(logGroupName=group, logStreamNamePrefix="1999/")["events"] == []


def test_what_is_missing_or_wrong_is_named(logs_client, written):
    """Missing groups and streams, foreign tokens and values beyond the limits have the service's own texts."""
    group, stream = written
    of_missing = {"logGroupName": "/nowhere"}
    assert refusal(logs_client.filter_log_events, **of_missing) == GROUP_MISSING
    assert refusal(logs_client.describe_log_streams, **of_missing) == GROUP_MISSING
    assert refusal(logs_client.delete_log_group, **of_missing) == GROUP_MISSING
    assert refusal(logs_client.put_retention_policy, **of_missing, retentionInDays=1) == GROUP_MISSING
    assert refusal(logs_client.get_log_events, **of_missing, logStreamName="s") == GROUP_MISSING
    assert refusal(logs_client.get_log_events, logGroupName=group, logStreamName="s") == STREAM_MISSING
    invalid_token = (400, "InvalidParameterException", "The specified nextToken is invalid.")
    of_stream = {"logGroupName": group, "logStreamName": stream}
    assert refusal(logs_client.get_log_events, **of_stream, nextToken="f/12/s") == invalid_token
    assert refusal(logs_client.filter_log_events, logGroupName=group, nextToken="nonsense") == invalid_token
    assert refusal(logs_client.filter_log_events, logGroupName=group, limit=10_001) == (
        400,
        "InvalidParameterException",
        "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: "
        "Member must have value less than or equal to 10000",
    )
    assert refusal(logs_client.get_log_events, **of_stream, logGroupIdentifier=group)[1:] == (
        "ValidationException",
        "LogGroup name and LogGroup ARN are mutually exclusive parameters.",
    )
    assert refusal(logs_client.put_retention_policy, logGroupName=group, retentionInDays=2)[:2] == (
        400,
        "InvalidParameterException",
    )


def test_a_deleted_group_comes_back_with_the_next_call(lambda_client, logs_client, written):
    """DeleteLogGroup takes events and retention along; the function that lives makes the group anew."""
    group, _ = written
    logs_client.put_retention_policy(logGroupName=group, retentionInDays=14)
    logs_client.delete_log_group(logGroupName=group)
    assert refusal(logs_client.filter_log_events, logGroupName=group) == GROUP_MISSING
    invoke(lambda_client, group.rsplit("/", 1)[1], {"lines": 1}, LogType="Tail")

    def again():
        groups = logs_client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        return groups and len(logs_client.filter_log_events(logGroupName=group)["events"]) == 4 and groups

    (made,) = wait_for(again)
    assert "retentionInDays" not in made


def test_a_crash_keeps_lines_ids_and_tokens(lone_server, runtime, unique_name):
    """After kill -9 and a restart the same events have the same ids, and a reader goes on with its old token."""
    name = FunctionMaker(lone_server.client("lambda"), runtime, unique_name)(COUNTING)
    stream = invoke(lone_server.client("lambda"), name, {"lines": 5}, LogType="Tail")[1]
    asked = {"logGroupName": f"/aws/lambda/{name}", "logStreamName": stream, "startFromHead": True}
    group = {"logGroupName": asked["logGroupName"]}
    events = lone_server.client("logs").filter_log_events(**group)["events"]
    assert len(events) == 9
    token = lone_server.client("logs").get_log_events(**asked)["nextForwardToken"]
    lone_server.kill()
    lone_server.restart()
    assert lone_server.client("logs").filter_log_events(**group)["events"] == events

    assert invoke(lone_server.client("lambda"), name, {"lines": 1}, LogType="Tail")[1] != stream
    wait_for(lambda: len(lone_server.client("logs").filter_log_events(**group)["events"]) == 14)
    assert lone_server.client("logs").get_log_events(**asked, nextToken=token)["events"] == []


def test_logs_of_accounts_are_separate(server, logs_client, written):
    """A group is its account's and its region's alone."""
    group, _ = written
    for other in (server.client("logs", account="111122223333"), server.client("logs", region="eu-west-1")):
        assert refusal(other.filter_log_events, logGroupName=group) == GROUP_MISSING
        assert other.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
