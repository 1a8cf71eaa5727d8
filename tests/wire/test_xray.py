"""The X-Ray API as its clients use it: segments in, summaries, traces and graphs out, sampling and groups."""

import json
import os
import secrets
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from wire.support import REGION

_accounts = iter(range(700_000_000_001, 800_000_000_000))


@pytest.fixture
def account():
    """An account with no traces, rules or groups."""
    return str(next(_accounts))


@pytest.fixture
def xray(server, account):
    return server.client("xray", account=account)


def hex_id(size_bytes=8):
    return secrets.token_hex(size_bytes)


def new_trace_id():
    return f"1-{int(time.time()):08x}-{hex_id(12)}"


def segment(trace_id, name="shop", **fields):
    now = time.time()
    made = {"id": hex_id(), "trace_id": trace_id, "name": name, "start_time": now - 2, "end_time": now - 1, **fields}
    return {name: value for name, value in made.items() if value is not None}


def put(xray, *documents):
    answer = xray.put_trace_segments(TraceSegmentDocuments=[json.dumps(document) for document in documents])
    return answer["UnprocessedTraceSegments"]


def lately(**more):
    now = datetime.now(UTC)
    return {"StartTime": now - timedelta(minutes=5), "EndTime": now + timedelta(minutes=1), **more}


def ids(xray, expression="", **more):
    pages = xray.get_paginator("get_trace_summaries").paginate(**lately(FilterExpression=expression, **more))
    return [summary["Id"] for page in pages for summary in page["TraceSummaries"]]


def refusal(call, **parameters):
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return refused.value.response


def code_of(call, **parameters):
    answer = refusal(call, **parameters)
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def call_of_function(trace_id):
    """Return what a program that calls a function and a table writes, in pieces, and what the function writes."""
    call, root = hex_id(), hex_id()
    now = time.time()
    function = {
        "name": "pay",
        "parent_id": call,
        "origin": "AWS::Lambda",
        "resource_arn": "arn:aws:lambda:us-east-1:000000000000:function:pay",
        "fault": True,
        "cause": {"exceptions": [{"id": hex_id(), "type": "KeyError", "message": "no money"}]},
    }
    return [
        {
            "id": call, "trace_id": trace_id, "parent_id": root, "type": "subsegment", "name": "Lambda",
            "namespace": "aws", "start_time": now - 1.9, "end_time": now - 1.2, "annotations": {"tier": "gold"},
        },
        {
            "id": hex_id(), "trace_id": trace_id, "parent_id": root, "type": "subsegment", "name": "DynamoDB",
            "namespace": "aws", "start_time": now - 1.9, "end_time": now - 1.8,
            "aws": {"operation": "PutItem", "table_name": "t", "resource_names": ["t"]},
        },
        segment(trace_id, **function, start_time=now - 2, end_time=now - 1),
        segment(
            trace_id, id=root, user="ann", annotations={"items": 3, "new": True}, start_time=now - 2, end_time=now - 1,
            http={"request": {"method": "POST", "url": "http://shop/buy"}, "response": {"status": 200}},
        ),
    ]  # fmt: skip


def test_a_trace_is_read_as_one(xray):
    """Pieces are put where they belong, the call that nobody answered has a segment; documents are JSON in JSON."""
    trace_id = new_trace_id()
    sent = call_of_function(trace_id)
    assert put(xray, sent[0]) == put(xray, *sent[1:]) == []
    pages = xray.get_paginator("batch_get_traces").paginate(TraceIds=[trace_id, new_trace_id(), "nonsense"])
    (answer,) = pages
    assert answer["UnprocessedTraceIds"] == ["nonsense"]
    (trace,) = answer["Traces"]
    assert (trace["Id"], trace["LimitExceeded"]) == (trace_id, False)
    assert 0.9 < trace["Duration"] < 1.5
    documents = [json.loads(one["Document"]) for one in trace["Segments"]]
    assert [one["id"] for one in documents] == [one["Id"] for one in trace["Segments"]]
    assert all(one["trace_id"] == trace_id for one in documents)
    by_name = {one["name"]: one for one in documents}
    assert set(by_name) == {"shop", "pay", "DynamoDB"}
    calls = {one["name"]: one for one in by_name["shop"]["subsegments"]}
    assert calls["Lambda"]["annotations"] == {"tier": "gold"}
    assert not calls["Lambda"].keys() & {"type", "trace_id", "parent_id"}
    table = by_name["DynamoDB"]
    assert (table["inferred"], table["origin"], table["parent_id"]) == (
        True, "AWS::DynamoDB::Table", calls["DynamoDB"]["id"]
    )  # fmt: skip


def test_summaries(xray):
    """One for each trace, with what is searched by; its revision rises when the trace changes."""
    trace_id = new_trace_id()
    sent = call_of_function(trace_id)
    put(xray, *sent)
    (summary,) = xray.get_trace_summaries(**lately(TimeRangeType="Event", Sampling=False))["TraceSummaries"]
    sampled = xray.get_trace_summaries(**lately(SamplingStrategy={"Name": "FixedRate", "Value": 0.5}))
    assert [one["Id"] for one in sampled["TraceSummaries"]] == [trace_id]
    assert summary["Id"] == trace_id
    assert (summary["HasFault"], summary["HasError"], summary["HasThrottle"], summary["IsPartial"]) == (False,) * 4
    assert summary["Http"] == {"HttpURL": "http://shop/buy", "HttpMethod": "POST", "HttpStatus": 200}
    assert summary["ResponseTime"] == pytest.approx(1, abs=0.01)
    assert {key: values[0]["AnnotationValue"] for key, values in summary["Annotations"].items()} == {
        "tier": {"StringValue": "gold"}, "items": {"NumberValue": 3.0}, "new": {"BooleanValue": True}
    }  # fmt: skip
    assert [(one["Name"], one.get("Type")) for one in summary["ServiceIds"]].count(("pay", "AWS::Lambda")) == 1
    assert summary["ResourceARNs"] == [{"ARN": "arn:aws:lambda:us-east-1:000000000000:function:pay"}]
    assert summary["EntryPoint"]["Name"] == "shop"
    assert summary["Users"][0]["UserName"] == "ann"
    assert summary["FaultRootCauses"][0]["Services"][-1]["EntityPath"][-1]["Exceptions"] == [
        {"Name": "KeyError", "Message": "no money"}
    ]
    assert isinstance(summary["MatchedEventTime"], datetime)
    put(xray, segment(trace_id, name="late", end_time=None, in_progress=True, parent_id=sent[3]["id"]))
    (later,) = xray.get_trace_summaries(**lately())["TraceSummaries"]
    assert later["Revision"] > summary["Revision"] and later["IsPartial"]


def test_searches_that_test_libraries_make(xray):
    """Expressions as published tests of function libraries have them, and what the root's flags are for."""
    trace_id, other = new_trace_id(), new_trace_id()
    put(xray, *call_of_function(trace_id), segment(other, name="other", error=True, end_time=time.time()))
    for expression, expected in [
        ("", {trace_id, other}),
        ('resource.arn ENDSWITH ":function:pay"', {trace_id}),
        ('service("pay")', {trace_id}),
        ('service(id(name: "pay", type: "AWS::Lambda"))', {trace_id}),
        ('annotation.tier = "gold" AND annotation.items > 2', {trace_id}),
        ("fault", set()),
        ("service() { fault }", {trace_id}),
        ("error OR fault", {other}),
        ("!error", {trace_id}),
        ("ok !partial duration <3", {trace_id}),
        ('edge("shop", "pay") { fault }', {trace_id}),
        ('http.url CONTAINS "/buy" user = "ann"', {trace_id}),
    ]:
        assert set(ids(xray, expression)) == expected, expression
    # By the last moment of a segment.
    moment = time.time() - 30
    put(xray, segment(third := new_trace_id(), start_time=moment - 5, end_time=moment))
    around = {"StartTime": moment - 1, "EndTime": moment + 1}
    (found,) = xray.get_trace_summaries(TimeRangeType="Service", **around)["TraceSummaries"]
    assert found["Id"] == third
    assert xray.get_trace_summaries(TimeRangeType="TraceId", **around)["TraceSummaries"] == []


def test_searches_that_are_refused(xray):
    """With the error of the model; the text says what is wrong and where."""
    for parameters in [
        lately(FilterExpression="nonsense"),
        lately(FilterExpression="(ok"),
        lately(NextToken="nonsense"),
        {"StartTime": time.time(), "EndTime": time.time() - 60},
        {"StartTime": time.time() - 7 * 3600, "EndTime": time.time()},
    ]:
        assert code_of(xray.get_trace_summaries, **parameters) == (400, "InvalidRequestException")
    answer = refusal(xray.get_trace_summaries, **lately(FilterExpression='rootcause.fault.service { name = "x" }'))
    assert "root causes are not offered" in answer["Message"]
    assert code_of(xray.batch_get_traces, TraceIds=[new_trace_id() for _ in range(101)])[1] == "InvalidRequestException"
    assert code_of(xray.batch_get_traces, TraceIds=[], NextToken="x")[1] == "InvalidRequestException"


def test_many_traces_come_in_pages(xray):
    """Each once, by any of their times; of many documents as well."""
    made = [new_trace_id() for _ in range(250)]
    for start in range(0, 250, 50):
        put(xray, *(segment(trace_id, user="x" * 100) for trace_id in made[start : start + 50]))
    for range_type in ("TraceId", "Event", "Service"):
        found = ids(xray, TimeRangeType=range_type)
        assert sorted(found) == sorted(made)
    first = xray.get_trace_summaries(**lately())
    assert len(first["TraceSummaries"]) == first["TracesProcessedCount"] == 100
    # Another search's token.
    parameters = lately(FilterExpression="ok", NextToken=first["NextToken"])
    assert code_of(xray.get_trace_summaries, **parameters) == (400, "InvalidRequestException")
    big = [new_trace_id() for _ in range(9)]
    for trace_id in big:
        put(xray, *(segment(trace_id, metadata={"default": {"x": "y" * 62_000}}) for _ in range(10)))
    pages = list(xray.get_paginator("batch_get_traces").paginate(TraceIds=[*big, *made[:50]]))
    assert len(pages) > 1
    assert sorted(trace["Id"] for page in pages for trace in page["Traces"]) == sorted([*big, *made[:50]])


def test_what_a_writer_gets_wrong(xray):
    """Bad documents are named one by one, and no good one suffers from it."""
    trace_id = new_trace_id()
    good = segment(trace_id)
    bad = {
        "InvalidName": segment(trace_id, name="a|b"),
        "InvalidTraceId": segment("x"),
        "MissingId": segment(trace_id, id=None),
        "MissingName": segment(trace_id, name=None),
        "MissingStartTime": segment(trace_id, start_time=None),
        "MissingTraceId": segment(None),
        "InvalidId": segment(trace_id, id="x"),
        "InvalidParentId": segment(trace_id, parent_id="x"),
        "InvalidSegment": segment(trace_id, user="x" * 70_000),
    }
    found = put(xray, *bad.values(), good)
    assert [one["ErrorCode"] for one in found] == list(bad)
    assert found[0]["Message"] == "Invalid segment. ErrorCode: InvalidName, Cause: null"
    assert [one.get("Id") for one in found[:3]] == [bad["InvalidName"]["id"], bad["InvalidTraceId"]["id"], None]
    answer = xray.put_trace_segments(TraceSegmentDocuments=["{", "", "[1]"])
    assert [one["ErrorCode"] for one in answer["UnprocessedTraceSegments"]] == ["ParseError"] * 3
    assert ids(xray) == [trace_id]


def test_a_trace_has_an_end(xray):
    """What a full trace takes no more is named, and who reads it is told that something is missing."""
    trace_id = new_trace_id()
    refused = []
    for _ in range(4):
        refused += put(xray, *(segment(trace_id, metadata={"x": "y" * 62_000}) for _ in range(10)))
    assert {one["ErrorCode"] for one in refused} == {"InvalidSegment"}
    (trace,) = xray.batch_get_traces(TraceIds=[trace_id])["Traces"]
    assert trace["LimitExceeded"] and len(trace["Segments"]) == 40 - len(refused)


def test_graphs(xray):
    """Services and who calls them, over a time, of a group, and of single traces; and over time."""
    traces = [new_trace_id() for _ in range(3)]
    for trace_id in traces[:2]:
        put(xray, *call_of_function(trace_id))
    put(xray, segment(traces[2], name="lonely"))
    xray.create_group(GroupName="pay", FilterExpression='service("pay")')
    arn = xray.get_group(GroupName="pay")["Group"]["GroupARN"]

    def named(services):
        return {(one["Name"], one.get("Type")): one for one in services}

    whole = xray.get_service_graph(**lately())
    assert ("lonely", None) in named(whole["Services"]) and whole["ContainsOldGroupVersions"] is False
    for given in ({"GroupName": "pay"}, {"GroupARN": arn}):
        (page,) = xray.get_paginator("get_service_graph").paginate(**lately(**given))
        found = named(page["Services"])
        assert set(found) == {
            ("shop", None), ("shop", "client"), ("pay", "AWS::Lambda"), ("DynamoDB", "AWS::DynamoDB::Table")
        }  # fmt: skip
    pay = found["pay", "AWS::Lambda"]
    assert pay["SummaryStatistics"]["FaultStatistics"] == {"OtherCount": 2, "TotalCount": 2}
    assert found["shop", None]["Root"] and found["shop", None]["SummaryStatistics"]["OkCount"] == 2
    edges = {edge["ReferenceId"]: edge for edge in found["shop", None]["Edges"]}
    assert edges[pay["ReferenceId"]]["SummaryStatistics"]["TotalCount"] == 2
    (only,) = xray.get_paginator("get_trace_graph").paginate(TraceIds=traces[2:])
    assert set(named(only["Services"])) == {("lonely", None), ("lonely", "client")}

    def series(**more):
        (page,) = xray.get_paginator("get_time_series_service_statistics").paginate(**lately(**more))
        return page["TimeSeriesServiceStatistics"]

    def total(found, member="ServiceSummaryStatistics"):
        return sum(one[member]["TotalCount"] for one in found)

    assert total(series()) == 3
    assert total(series(GroupName="pay", Period=60)) == total(series(GroupARN=arn, Period=300)) == 2
    assert total(series(EntitySelectorExpression='service("DynamoDB")')) == 2
    of_edge = series(EntitySelectorExpression='edge("shop", "pay")', ForecastStatistics=False)
    assert total(of_edge, "EdgeSummaryStatistics") == 2
    for wrong in ({"Period": 7}, {"EntitySelectorExpression": "ok"}, {"GroupName": "gone"}):
        code = code_of(xray.get_time_series_service_statistics, **lately(**wrong))
        assert code == (400, "InvalidRequestException")


def test_groups(xray):
    """Made, used in searches, changed, shown by name and ARN, deleted; one is always there."""
    put(xray, segment(trace_id := new_trace_id(), fault=True), segment(other := new_trace_id()))
    made = xray.create_group(
        GroupName="failed",
        FilterExpression="fault",
        InsightsConfiguration={"InsightsEnabled": True, "NotificationsEnabled": False},
        Tags=[{"Key": "team", "Value": "a"}],
    )["Group"]
    assert made["GroupARN"].startswith("arn:aws:xray:us-east-1:") and ":group/failed/" in made["GroupARN"]
    assert ids(xray, 'group.name = "failed"') == ids(xray, f'group.arn = "{made["GroupARN"]}"') == [trace_id]
    assert set(ids(xray, 'group.name = "Default"')) == {trace_id, other}
    assert xray.update_group(GroupName="failed", FilterExpression="!fault")["Group"]["FilterExpression"] == "!fault"
    assert ids(xray, 'group.name = "failed"') == [other]
    insights = {"InsightsEnabled": False, "NotificationsEnabled": False}
    updated = xray.update_group(GroupARN=made["GroupARN"], InsightsConfiguration=insights)["Group"]
    assert updated == xray.get_group(GroupARN=made["GroupARN"])["Group"]
    assert (updated["FilterExpression"], updated["InsightsConfiguration"]) == ("!fault", insights)
    (page,) = xray.get_paginator("get_groups").paginate()
    assert [group["GroupName"] for group in page["Groups"]] == ["Default", "failed"]
    for call, parameters in [
        (xray.create_group, {"GroupName": "failed"}),
        (xray.create_group, {"GroupName": "Default"}),
        (xray.create_group, {"GroupName": "x", "FilterExpression": "nonsense"}),
        (xray.create_group, {"GroupName": "x", "FilterExpression": 'group.name = "failed"'}),
        (xray.get_group, {"GroupName": "gone"}),
        (xray.get_group, {}),
        (xray.update_group, {"GroupName": "Default", "FilterExpression": "ok"}),
        (xray.delete_group, {"GroupName": "Default"}),
        (xray.get_groups, {"NextToken": "nonsense"}),
    ]:
        assert code_of(call, **parameters) == (400, "InvalidRequestException")
    xray.delete_group(GroupName="failed")
    again = xray.create_group(GroupName="failed")["Group"]["GroupARN"]
    assert again != made["GroupARN"]
    xray.delete_group(GroupARN=again)
    for number in range(25):
        xray.create_group(GroupName=f"g{number}")
    assert code_of(xray.create_group, GroupName="one-more") == (400, "InvalidRequestException")


RULE = {
    "RuleName": "shop",
    "Priority": 5,
    "FixedRate": 0.1,
    "ReservoirSize": 10,
    "ServiceName": "shop",
    "ServiceType": "*",
    "Host": "*",
    "HTTPMethod": "GET",
    "URLPath": "/api/*",
    "ResourceARN": "*",
    "Version": 1,
    "Attributes": {"tier": "gold"},
}


def test_sampling_rules(xray):
    """Made, shown, changed by name or ARN, deleted; Default is there and stays."""
    made = xray.create_sampling_rule(SamplingRule=RULE, Tags=[{"Key": "team", "Value": "a"}])["SamplingRuleRecord"]
    arn = made["SamplingRule"].pop("RuleARN")
    assert made["SamplingRule"] == RULE
    assert arn.endswith(":sampling-rule/shop")
    (page,) = xray.get_paginator("get_sampling_rules").paginate()
    default = page["SamplingRuleRecords"][1]["SamplingRule"]
    assert [one["SamplingRule"]["RuleName"] for one in page["SamplingRuleRecords"]] == ["shop", "Default"]
    assert (default["Priority"], default["FixedRate"], default["ReservoirSize"]) == (10_000, 0.05, 1)
    changes = {name: RULE[name] for name in RULE if name not in ("RuleName", "Version")}
    changes |= {"FixedRate": 0.5, "SamplingRateBoost": {"MaxRate": 1.0, "CooldownWindowMinutes": 5}}
    changed = xray.update_sampling_rule(SamplingRuleUpdate={"RuleARN": arn, **changes})["SamplingRuleRecord"]
    assert changed["SamplingRule"]["FixedRate"] == 0.5
    assert changed["SamplingRule"]["SamplingRateBoost"] == {"MaxRate": 1.0, "CooldownWindowMinutes": 5}
    assert changed["ModifiedAt"] > changed["CreatedAt"]
    xray.update_sampling_rule(SamplingRuleUpdate={"RuleName": "Default", "FixedRate": 1.0, "ReservoirSize": 0})
    boosted = {**RULE, "RuleName": "boosted", "SamplingRateBoost": {"MaxRate": 0.5, "CooldownWindowMinutes": 1}}
    xray.create_sampling_rule(SamplingRule=boosted)
    for call, parameters in [
        (xray.create_sampling_rule, {"SamplingRule": RULE}),
        (xray.create_sampling_rule, {"SamplingRule": {**RULE, "RuleName": "v2", "Version": 2}}),
        (xray.create_sampling_rule, {"SamplingRule": {**RULE, "RuleName": "Default"}}),
        (xray.update_sampling_rule, {"SamplingRuleUpdate": {"RuleName": "gone", "FixedRate": 0.5}}),
        (xray.update_sampling_rule, {"SamplingRuleUpdate": {"RuleName": "shop", "Priority": 0}}),
        (xray.update_sampling_rule, {"SamplingRuleUpdate": {"RuleName": "Default", "Host": "x"}}),
        (xray.delete_sampling_rule, {"RuleName": "Default"}),
        (xray.delete_sampling_rule, {}),
    ]:
        assert code_of(call, **parameters) == (400, "InvalidRequestException")
    assert xray.delete_sampling_rule(RuleARN=arn)["SamplingRuleRecord"]["SamplingRule"]["RuleName"] == "shop"
    xray.delete_sampling_rule(RuleName="boosted")
    for number in range(25):
        xray.create_sampling_rule(SamplingRule={**RULE, "RuleName": f"r{number}"})
    code = code_of(xray.create_sampling_rule, SamplingRule={**RULE, "RuleName": "one-more"})
    assert code == (400, "RuleLimitExceededException")


def test_sampling_targets(xray):
    """A reservoir is shared by the clients that report; what they report is summed; changes are told."""
    xray.create_sampling_rule(SamplingRule=RULE)

    def report(client, rule="shop", **more):
        return {
            "RuleName": rule, "ClientID": client * 12, "Timestamp": time.time(), "RequestCount": 10, "SampledCount": 2,
            **more,
        }  # fmt: skip

    first = xray.get_sampling_targets(
        SamplingStatisticsDocuments=[report("aa", BorrowCount=1), report("aa", "Default"), report("aa", "gone")]
    )
    targets = {one["RuleName"]: one for one in first["SamplingTargetDocuments"]}
    assert (targets["shop"]["ReservoirQuota"], targets["shop"]["FixedRate"], targets["shop"]["Interval"]) == (
        10,
        0.1,
        10,
    )
    assert targets["shop"]["ReservoirQuotaTTL"] > datetime.now(UTC)
    assert [one["RuleName"] for one in first["UnprocessedStatistics"]] == ["gone"]
    boost = {"RuleName": "shop", "ServiceName": "s", "Timestamp": time.time()}
    boost |= {"AnomalyCount": 1, "TotalCount": 1, "SampledAnomalyCount": 1}
    second = xray.get_sampling_targets(
        SamplingStatisticsDocuments=[report("bb")], SamplingBoostStatisticsDocuments=[boost]
    )
    assert second["SamplingTargetDocuments"][0]["ReservoirQuota"] == 5
    (page,) = xray.get_paginator("get_sampling_statistic_summaries").paginate()
    found = [one for one in page["SamplingStatisticSummaries"] if one["RuleName"] == "shop"]
    assert [sum(one[name] for one in found) for name in ("RequestCount", "SampledCount", "BorrowCount")] == [20, 4, 1]
    xray.delete_sampling_rule(RuleName="shop")
    third = xray.get_sampling_targets(SamplingStatisticsDocuments=[report("aa")])
    assert third["LastRuleModification"] > second["LastRuleModification"]
    assert third["SamplingTargetDocuments"] == []
    assert code_of(xray.get_sampling_statistic_summaries, NextToken="nonsense") == (400, "InvalidRequestException")


def test_tags(xray, account):
    """Of groups and rules."""
    group = xray.create_group(GroupName="g", Tags=[{"Key": "a", "Value": "1"}])["Group"]["GroupARN"]
    xray.create_sampling_rule(SamplingRule=RULE, Tags=[{"Key": "a", "Value": "1"}])
    rule = f"arn:aws:xray:{REGION}:{account}:sampling-rule/shop"
    for arn in (group, rule):
        xray.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
        (page,) = xray.get_paginator("list_tags_for_resource").paginate(ResourceARN=arn)
        assert page["Tags"] == [{"Key": "a", "Value": "3"}, {"Key": "b", "Value": "2"}]
        xray.untag_resource(ResourceARN=arn, TagKeys=["a", "gone"])
        assert xray.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert code_of(xray.tag_resource, ResourceARN=rule, Tags=many) == (400, "TooManyTagsException")
    reserved = [{"Key": "aws:x", "Value": ""}]
    assert code_of(xray.tag_resource, ResourceARN=rule, Tags=reserved) == (400, "InvalidRequestException")
    answer = refusal(xray.list_tags_for_resource, ResourceARN=f"{rule}-gone")
    assert answer["Error"]["Code"] == "ResourceNotFoundException"
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["ResourceName"]) == (404, f"{rule}-gone")


def test_what_consoles_and_daemons_ask(xray):
    """Encryption, where segments go, insights, telemetry of a daemon."""
    config = {"Status": "ACTIVE", "Type": "NONE"}
    assert xray.get_encryption_config()["EncryptionConfig"] == config
    assert xray.put_encryption_config(Type="NONE")["EncryptionConfig"] == config
    assert code_of(xray.put_encryption_config, Type="KMS", KeyId="alias/x") == (400, "InvalidRequestException")
    assert xray.get_trace_segment_destination()["Destination"] == "XRay"
    arn = xray.create_group(GroupName="g")["Group"]["GroupARN"]
    for given in ({"GroupName": "g"}, {"GroupARN": arn, "States": ["ACTIVE"], "MaxResults": 10}):
        assert xray.get_insight_summaries(**lately(**given))["InsightSummaries"] == []
    record = {"Timestamp": time.time(), "SegmentsReceivedCount": 1, "SegmentsSentCount": 1}
    record |= {"SegmentsSpilloverCount": 0, "SegmentsRejectedCount": 0, "BackendConnectionErrors": {"OtherCount": 1}}
    xray.put_telemetry_records(TelemetryRecords=[record], EC2InstanceId="i", Hostname="h", ResourceARN="r")
    assert code_of(xray.get_indexing_rules) == (501, "NotImplementedException")


def test_errors_are_as_the_model_has_them(server):
    """`Message` with a capital, and the type in a header: what clients in typed languages read."""
    import urllib.error
    import urllib.request

    body = json.dumps({"StartTime": 1, "EndTime": 2, "FilterExpression": "nonsense"}).encode()
    credential = (
        f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/xray/aws4_request, SignedHeaders=host, Signature=0"
    )
    request = urllib.request.Request(
        f"{server.endpoint}/TraceSummaries", body, {"Authorization": credential, "Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    with refused.value as answer:
        assert answer.headers["x-amzn-ErrorType"].startswith("InvalidRequestException")
        assert "nonsense" in json.load(answer)["Message"]


def test_programs_ask_for_rules_without_a_signature(server):
    """As they ask a daemon, whose address may name the server's port."""
    import urllib.request

    request = urllib.request.Request(f"{server.endpoint}/GetSamplingRules", b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        rules = json.load(answer)["SamplingRuleRecords"]
    assert rules[-1]["SamplingRule"]["RuleName"] == "Default"


def test_traces_survive_a_crash(lone_server):
    """What was answered is on disk."""
    xray = lone_server.client("xray")
    trace_id = new_trace_id()
    put(xray, *call_of_function(trace_id))
    xray.create_sampling_rule(SamplingRule=RULE)
    lone_server.kill()
    lone_server.restart()
    xray = lone_server.client("xray")
    assert ids(xray, 'service("pay")') == [trace_id]
    assert xray.get_sampling_rules()["SamplingRuleRecords"][0]["SamplingRule"]["RuleName"] == "shop"
    xray.delete_sampling_rule(RuleName="shop")


@pytest.mark.parametrize("program", ["aws_cli_1", "aws_cli_2"])
def test_the_command_line(request, program, server, account, xray, tmp_path):
    """`aws xray`: times as whole seconds, documents from a file, output as JSON."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": server.endpoint,
    }

    def aws(*arguments):
        command = [request.getfixturevalue(program), "--endpoint-url", server.endpoint, "xray", *arguments]
        command += ["--output", "json"]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    trace_id = new_trace_id()
    documents = [json.dumps(one) for one in call_of_function(trace_id)]
    assert aws("put-trace-segments", "--trace-segment-documents", *documents) == {"UnprocessedTraceSegments": []}
    now = int(time.time())
    around = ("--start-time", str(now - 600), "--end-time", str(now + 60))
    found = aws("get-trace-summaries", *around, "--filter-expression", 'service("pay") { fault }')
    assert [one["Id"] for one in found["TraceSummaries"]] == [trace_id]
    assert len(aws("batch-get-traces", "--trace-ids", trace_id)["Traces"][0]["Segments"]) == 3
    assert {one["Name"] for one in aws("get-service-graph", *around)["Services"]} == {"shop", "pay", "DynamoDB"}


SAMPLER = """
import sys, time
from aws_xray_sdk.core import xray_recorder

sampler = xray_recorder.sampler
sampler.start()
deadline = time.monotonic() + 60
while not sampler._cache.last_updated:
    assert time.monotonic() < deadline, "no rules came"
    time.sleep(0.05)
for service in ("always-wire", "never-wire"):
    request = {"service": service, "host": "h", "method": "GET", "path": "/"}
    began = int(time.time())
    print(sum(bool(sampler.should_trace(dict(request))) for _ in range(100)), int(time.time()) - began)
# What it does by itself, ten seconds later.
sampler._target_poller._do_work()
(rule,) = (one for one in sampler._cache.rules if one.name == "always-wire")
print(rule.reservoir.quota)
"""


def test_the_sdk_samples_by_rules(server, tmp_path):
    """It asks for rules, and reports, without a signature, where its daemon would be; rules decide what it samples."""
    xray = server.client("xray", account="0" * 12)
    for name, rate in (("always-wire", 1.0), ("never-wire", 0.0)):
        size = 40 if rate else 0
        rule = {**RULE, "RuleName": name, "ServiceName": name, "FixedRate": rate, "ReservoirSize": size}
        xray.create_sampling_rule(SamplingRule={**rule, "URLPath": "*", "Attributes": {}})
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_XRAY_DAEMON_ADDRESS": f"tcp:127.0.0.1:{server.port} udp:127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-c", SAMPLER], capture_output=True, text=True, env=environ, timeout=120, check=False
    )
    for name in ("always-wire", "never-wire"):
        xray.delete_sampling_rule(RuleName=name)
    assert done.returncode == 0, done.stderr
    always, _, never, further_s, quota = map(int, done.stdout.split())
    assert (always, quota) == (100, 40)
    # What it may borrow each second, of a reservoir that is empty.
    assert never <= 1 + further_s


PROGRAM = '''
import json, os, sys
import boto3
from aws_xray_sdk.core import xray_recorder
from aws_xray_sdk.core.emitters.udp_emitter import UDPEmitter

class Sender:
    """What a daemon does with what it gets."""

    def __init__(self):
        self.client = boto3.client("xray")

    def send_entity(self, entity):
        answer = self.client.put_trace_segments(TraceSegmentDocuments=[entity.serialize()])
        assert answer["UnprocessedTraceSegments"] == [], answer

    def set_daemon_address(self, address):
        pass

xray_recorder.configure(service="shop", sampling=False, emitter=Sender(), streaming_threshold=2)
segment = xray_recorder.begin_segment("shop")
segment.set_user("ann")
segment.put_annotation("tier", "gold")
segment.put_metadata("cart", {"items": [1, 2]})
for number in range(5):
    with xray_recorder.in_subsegment(f"step {number}") as subsegment:
        subsegment.put_annotation("step", number)
try:
    with xray_recorder.in_subsegment("call", namespace="remote"):
        raise KeyError("money")
except KeyError:
    pass
print(segment.trace_id)
xray_recorder.end_segment()
'''


def test_a_program_with_the_sdk(server, account, xray, tmp_path):
    """Its segments, and the subsegments that it sends ahead, are one trace; its annotations are found."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": server.endpoint,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environ, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    trace_id = done.stdout.strip()
    assert ids(xray, 'annotation.tier = "gold" annotation.step = 4 service("call") { fault }') == [trace_id]
    (trace,) = xray.batch_get_traces(TraceIds=[trace_id])["Traces"]
    by_name = {document["name"]: document for document in (json.loads(one["Document"]) for one in trace["Segments"])}
    assert set(by_name) == {"shop", "call"}
    steps = by_name["shop"]["subsegments"]
    assert sorted(one["name"] for one in steps) == ["call", *(f"step {number}" for number in range(5))]
    assert by_name["shop"]["metadata"] == {"default": {"cart": {"items": [1, 2]}}}
    (summary,) = xray.get_trace_summaries(**lately())["TraceSummaries"]
    assert not summary["IsPartial"] and summary["Users"][0]["UserName"] == "ann"
