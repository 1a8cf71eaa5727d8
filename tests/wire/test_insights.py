"""Logs Insights as boto3 asks it: queries, their rows, saved queries, single records."""

import time

import pytest
from botocore.exceptions import ClientError
from wire.support import error_of, invoke, wait_for

LOGGING = """
import json

def handler(e, c):
    for number in range(e["lines"]):
        print(json.dumps({"level": "ERROR" if number % 3 == 0 else "INFO", "number": number, "user": {"name": "amy"}}))
    print("user=bob id=7")
    return c.log_stream_name
"""


@pytest.fixture
def written(lambda_client, make_function):
    """A function that has written ten JSON lines and one of text; return (group, stream)."""
    name = make_function(LOGGING)
    return f"/aws/lambda/{name}", invoke(lambda_client, name, {"lines": 10}, LogType="Tail")[1]


@pytest.fixture
def ask(logs_client):
    """Run a query as every client does: start it, and ask until it is over; return the answer."""

    def ask(group, query, **more):
        now = int(time.time())
        named = {"logGroupName": group} if isinstance(group, str) else {"logGroupNames": group}
        started = logs_client.start_query(**named, startTime=now - 600, endTime=now + 60, queryString=query, **more)

        def is_over():
            answer = logs_client.get_query_results(queryId=started["queryId"])
            return None if answer["status"] in {"Scheduled", "Running"} else {**answer, "queryId": started["queryId"]}

        answer = wait_for(is_over)
        assert answer["status"] == "Complete"
        return answer

    return ask


def rows(answer):
    return [{cell["field"]: cell["value"] for cell in row if cell["field"] != "@ptr"} for row in answer["results"]]


def refusal(call, **arguments):
    with pytest.raises(ClientError) as excinfo:
        call(**arguments)
    return error_of(excinfo), excinfo.value.response


def test_a_functions_log_is_asked(ask, written):
    """JSON members, parsed text, the platform's own lines with their figures; and what was looked at is counted."""
    group, stream = written
    answer = ask(group, 'filter level = "ERROR" | stats count(*) as n, max(number) as most by user.name')
    assert rows(answer) == [{"user.name": "amy", "n": "4", "most": "9"}]
    assert answer["statistics"]["recordsMatched"] == 4
    assert answer["statistics"]["recordsScanned"] == 15
    assert rows(ask(group, 'parse @message "user=* id=*" as who, id | filter ispresent(who) | display who, id')) == [
        {"who": "bob", "id": "7"}
    ]
    (report,) = rows(
        ask(group, 'filter @type = "REPORT" | fields @duration, @memorySize / 1000000 as mb, @logStream, @requestId')
    )
    assert float(report["@duration"]) > 0
    assert (report["mb"], report["@logStream"], len(report["@requestId"])) == ("128", stream, 36)
    assert [
        row["number"]
        for row in rows(ask(group, "fields number | filter ispresent(number) | sort number desc | limit 3"))
    ] == [
        "9",
        "8",
        "7",
    ]
    assert sum(int(row["count(*)"]) for row in rows(ask(group, "stats count(*) by bin(5m)"))) == 15


def test_rows_are_events_and_lead_to_their_records(ask, logs_client, written):
    """Newest first, with a pointer each; limit and pages are the request's."""
    group, stream = written
    answer = ask(group, "fields @timestamp, @message", limit=12)
    assert len(answer["results"]) == 12
    times = [row["@timestamp"] for row in rows(answer)]
    assert times == sorted(times, reverse=True)
    pointers = {cell["value"]: row[1]["value"] for row in answer["results"] for cell in row if cell["field"] == "@ptr"}
    assert len(pointers) == 12
    pointer, message = next(item for item in pointers.items() if '"number": 5' in item[1])
    record = logs_client.get_log_record(logRecordPointer=pointer, unmask=False)["logRecord"]
    assert (record["@message"], record["@logStream"], record["@log"]) == (message, stream, f"000000000000:{group}")
    assert (record["number"], record["user.name"]) == ("5", "amy")
    assert int(record["@timestamp"]) > 1_700_000_000_000

    seen, token = [], {}
    while True:
        page = logs_client.get_query_results(queryId=answer["queryId"], maxItems=5, **token)
        assert len(page["results"]) <= 5
        seen += page["results"]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert seen == answer["results"]

    fields = {
        field["name"]: field["percent"]
        for field in logs_client.get_log_group_fields(logGroupName=group)["logGroupFields"]
    }
    assert fields["@message"] == 100
    assert fields["user.name"] == 66
    around = logs_client.get_log_group_fields(logGroupIdentifier=group, time=1_700_000_000)
    assert around["logGroupFields"] == []


def test_groups_together(ask, logs_client, lambda_client, make_function):
    """By name or by ARN."""
    names = [make_function(LOGGING), make_function(LOGGING)]
    for name in names:
        invoke(lambda_client, name, {"lines": 1}, LogType="Tail")
    groups = [f"/aws/lambda/{name}" for name in names]
    counted = rows(ask(groups, "filter number = 0 | stats count(*) as n by @log | sort @log"))
    assert counted == [{"@log": f"000000000000:{group}", "n": "1"} for group in sorted(groups)]
    now = int(time.time())
    arns = [f"arn:aws:logs:us-east-1:000000000000:log-group:{group}" for group in groups]
    started = logs_client.start_query(
        logGroupIdentifiers=arns, startTime=now - 600, endTime=now + 60, queryString="stats count(*) as n"
    )
    answer = wait_for(
        lambda: (page := logs_client.get_query_results(queryId=started["queryId"]))["status"] == "Complete" and page
    )
    assert rows(answer) == [{"n": "12"}]
    assert answer["statistics"]["logGroupsScanned"] == 2


def test_queries_are_listed_and_cannot_be_stopped_once_they_are_over(ask, logs_client, written):
    group, _ = written
    first = ask(group, "fields @message | limit 1")["queryId"]
    second = ask(group, "stats count(*)")["queryId"]
    listed = logs_client.describe_queries(logGroupName=group, status="Complete", maxResults=1)
    (query,) = listed["queries"]
    assert (query["queryId"], query["status"], query["logGroupName"]) == (second, "Complete", group)
    assert query["queryString"].startswith(f'SOURCE "{group}" START=')
    assert query["queryString"].endswith("999 | stats count(*)")
    (query,) = logs_client.describe_queries(
        logGroupName=group, status="Complete", maxResults=1, nextToken=listed["nextToken"]
    )["queries"]
    assert query["queryId"] == first
    assert logs_client.describe_queries(logGroupName=group, queryLanguage="SQL")["queries"] == []
    (error, _) = refusal(logs_client.stop_query, queryId=first)
    assert error == (400, "InvalidParameterException", f"Query with ID {first} is already Complete")


def test_a_query_is_stopped(logs_client, lambda_client, make_function):
    """While it runs: it has no rows then, and stays as it is."""
    name = make_function(LOGGING, Timeout=60)
    invoke(lambda_client, name, {"lines": 5_000}, LogType="Tail")
    # Some hundred thousand searches: more than passes between two calls, mostly.
    query = "filter " + " or ".join(f"@message like /x{number}\\d$/" for number in range(100))

    def stopped():
        now = int(time.time())
        started = logs_client.start_query(
            logGroupName=f"/aws/lambda/{name}", startTime=now - 600, endTime=now + 60, queryString=query
        )
        try:
            assert logs_client.stop_query(queryId=started["queryId"])["success"] is True
        except ClientError as error:
            # It was over before: whoever asked was not served in time.
            assert "is already Complete" in str(error)
            return None
        return started["queryId"]

    answer = logs_client.get_query_results(queryId=wait_for(stopped))
    assert (answer["status"], answer["results"]) == ("Cancelled", [])


def test_what_is_no_query_is_told_with_its_place(logs_client, written):
    """And what is not there, in the service's own words."""
    group, _ = written
    wanted = {"startTime": 1, "endTime": 2, "queryString": "fields @message"}
    (error, response) = refusal(
        logs_client.start_query, logGroupName=group, **{**wanted, "queryString": "fields a | foo"}
    )
    assert error[:2] == (400, "MalformedQueryException")
    assert response["queryCompileError"]["location"] == {"startCharOffset": 11, "endCharOffset": 14}
    (error, _) = refusal(logs_client.start_query, logGroupName=group, **{**wanted, "queryString": "pattern @message"})
    assert "pattern is not offered" in error[2]
    (error, _) = refusal(logs_client.start_query, logGroupName="/none", **wanted)
    assert error[:2] == (400, "ResourceNotFoundException")
    assert error[2].startswith("Log group '/none' does not exist for account ID '000000000000' (Service: AWSLogs;")
    (error, _) = refusal(logs_client.start_query, logGroupName=group, queryLanguage="SQL", **wanted)
    assert error[:2] == (400, "InvalidParameterException")
    (error, _) = refusal(logs_client.get_query_results, queryId="none")
    assert error[:2] == (400, "ResourceNotFoundException")


def test_saved_queries(logs_client, unique_name):
    """Saved, changed, listed by prefix and in pages, deleted."""
    parameters = [{"name": "who", "defaultValue": "amy", "description": "a name"}]
    made = logs_client.put_query_definition(
        name=f"{unique_name}/b",
        queryString="limit 1",
        logGroupNames=["/g"],
        parameters=parameters,
        clientToken="t" * 36,
    )
    logs_client.put_query_definition(name=f"{unique_name}/a", queryString="limit 2")
    page = logs_client.describe_query_definitions(queryDefinitionNamePrefix=f"{unique_name}/", maxResults=1)
    assert [definition["name"] for definition in page["queryDefinitions"]] == [f"{unique_name}/a"]
    page = logs_client.describe_query_definitions(
        queryDefinitionNamePrefix=f"{unique_name}/", maxResults=1, nextToken=page["nextToken"]
    )
    (shown,) = page["queryDefinitions"]
    assert (shown["queryDefinitionId"], shown["logGroupNames"], shown["parameters"]) == (
        made["queryDefinitionId"],
        ["/g"],
        parameters,
    )
    logs_client.put_query_definition(
        queryDefinitionId=made["queryDefinitionId"], name=f"{unique_name}/c", queryString="limit 3"
    )
    assert logs_client.describe_query_definitions(queryLanguage="PPL")["queryDefinitions"] == []
    listed = logs_client.describe_query_definitions(queryDefinitionNamePrefix=f"{unique_name}/")["queryDefinitions"]
    assert [(each["name"], each["queryString"]) for each in listed] == [
        (f"{unique_name}/a", "limit 2"),
        (f"{unique_name}/c", "limit 3"),
    ]
    for definition in listed:
        deleted = logs_client.delete_query_definition(queryDefinitionId=definition["queryDefinitionId"])
        assert deleted["success"] is True
    (error, _) = refusal(logs_client.delete_query_definition, queryDefinitionId=made["queryDefinitionId"])
    assert error[:2] == (400, "ResourceNotFoundException")
