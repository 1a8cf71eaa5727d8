"""The API of CloudWatch for metrics and dashboards, with real clients in each protocol that they speak."""

import gzip
import http.client
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from wire.support import REGION

PROTOCOLS = ("smithy-rpc-v2-cbor", "json", "query")
BODY = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "hello"}}]})

_accounts = iter(range(800_000_000_001, 900_000_000_000))


@pytest.fixture(params=PROTOCOLS)
def cloudwatch(request, server, monkeypatch):
    """A client that speaks one of the protocols, with an account of its own."""
    monkeypatch.setattr("botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", (request.param,))
    client = server.client("cloudwatch", account=str(next(_accounts)))
    assert client.meta.service_model.resolved_protocol == request.param
    return client


@pytest.fixture(autouse=True)
def this_minute(monkeypatch):
    """The minute in which a test begins is the same for all of it, also where the next one begins meanwhile."""
    monkeypatch.setattr(sys.modules[__name__], "_began", datetime.now(UTC).replace(second=0, microsecond=0))


_began = None


def minute(back=0):
    """Return the begin of a minute, of two minutes ago and more: what is put there stays in one period."""
    return _began - timedelta(minutes=2 + back)


def metric(name="m", stat="Sum", period=60, **dimensions):
    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {
        "Metric": {"Namespace": "App", "MetricName": name, "Dimensions": pairs},
        "Period": period,
        "Stat": stat,
    }


def window(back=30):
    return {"StartTime": minute(back), "EndTime": datetime.now(UTC) + timedelta(minutes=1)}


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    response = error.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_what_is_put_is_read(cloudwatch):
    """Values, counts, sets; statistics and percentiles; with dimensions and without; by the minute, by the second."""
    at = minute()
    data = [
        {"MetricName": "m", "Value": 21.0, "Timestamp": at, "Unit": "Count"},
        {"MetricName": "m", "Values": [1.0, 6.0], "Counts": [3.0, 2.0], "Timestamp": at, "Unit": "Count"},
        {"MetricName": "d", "Dimensions": [{"Name": "a", "Value": "x"}], "Value": 2.5, "Timestamp": at},
        {"MetricName": "now", "Value": 1.0, "StorageResolution": 1},
    ]
    answer = cloudwatch.put_metric_data(Namespace="App", MetricData=data)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    stats = {"SampleCount": 4.0, "Sum": 10.0, "Minimum": 1.0, "Maximum": 5.0}
    cloudwatch.put_metric_data(Namespace="App", MetricData=[{"MetricName": "set", "StatisticValues": stats}])
    entity = {"KeyAttributes": {"Type": "Service", "Name": "shop"}, "Attributes": {"k": "v"}}
    cloudwatch.put_metric_data(
        Namespace="App",
        EntityMetricData=[{"Entity": entity, "MetricData": [{"MetricName": "set", "StatisticValues": stats}]}],
        StrictEntityValidation=False,
    )
    asked = {"Namespace": "App", "MetricName": "m", "Period": 60, **window()}
    answer = cloudwatch.get_metric_statistics(**asked, Statistics=["Sum", "SampleCount", "Maximum"], Unit="Count")
    assert answer["Label"] == "m"
    (point,) = answer["Datapoints"]
    assert (point["Timestamp"], point["Unit"]) == (at, "Count")
    assert (point["Sum"], point["SampleCount"], point["Maximum"]) == (36.0, 6.0, 21.0)
    answer = cloudwatch.get_metric_statistics(**asked, ExtendedStatistics=["p50", "tc50"])
    assert answer["Datapoints"][0]["ExtendedStatistics"] == {"p50": 1.0, "tc50": 3.0}
    of_a = {"Dimensions": [{"Name": "a", "Value": "x"}], "Statistics": ["Average"]}
    answer = cloudwatch.get_metric_statistics(**(asked | of_a | {"MetricName": "d"}))
    assert [point["Average"] for point in answer["Datapoints"]] == [2.5]
    answer = cloudwatch.get_metric_statistics(**(asked | {"MetricName": "set"}), Statistics=["Sum", "Maximum"])
    assert [(point["Sum"], point["Maximum"]) for point in answer["Datapoints"]] == [(20.0, 5.0)]
    # There is no roll-up, and an empty list is a list.
    answer = cloudwatch.get_metric_statistics(**(asked | {"MetricName": "d"}), Statistics=["Sum"])
    assert answer["Datapoints"] == []


def test_queries_are_answered(cloudwatch):
    """Metric math with what is missing, labels, order, pages that the paginator joins."""
    for back, errors, calls in ((6, 1, 10), (5, None, 10), (4, 3, 10)):
        data = [{"MetricName": "calls", "Value": float(calls), "Timestamp": minute(back)}]
        if errors is not None:
            data.append({"MetricName": "errors", "Value": float(errors), "Timestamp": minute(back)})
        cloudwatch.put_metric_data(Namespace="App", MetricData=data)
    queries = [
        {"Id": "rate", "Expression": "errors / calls * 100", "Label": "error rate"},
        {"Id": "errors", "MetricStat": metric("errors"), "Label": "max ${MAX} at ${MAX_TIME}"},
        {
            "Id": "calls",
            "MetricStat": metric("calls"),
            "ReturnData": False,
            "AccountId": cloudwatch_account(cloudwatch),
        },
        {"Id": "level", "Expression": "TIME_SERIES(7)", "Period": 3_600, "ReturnData": False},
        {"Id": "none", "MetricStat": metric("none")},
    ]
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries,
        ScanBy="TimestampAscending",
        LabelOptions={"Timezone": "+0200"},
        **window(),
    )
    rate, errors, none = answer["MetricDataResults"]
    assert (rate["Label"], rate["Values"]) == ("error rate", [10.0, 0.0, 30.0])
    assert rate["Timestamps"] == [minute(6), minute(5), minute(4)]
    local = (minute(4) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00")
    assert (errors["Label"], errors["StatusCode"]) == (f"max 3 at {local}", "Complete")
    assert (none["Timestamps"], none["Values"], none["StatusCode"]) == ([], [], "Complete")
    assert answer["Messages"] == []
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, MaxDatapoints=2, PaginationConfig={"MaxItems": 100}, **window()
    )
    joined = {}
    for page in pages:
        for result in page["MetricDataResults"]:
            joined.setdefault(result["Id"], []).extend(result["Values"])
    assert joined == {"rate": [30.0, 0.0, 10.0], "errors": [3.0, 1.0], "none": []}
    search = {"Id": "s", "Expression": "SEARCH('{App} MetricName=(\"calls\" OR \"errors\")', 'Sum', 60)"}
    found = cloudwatch.get_metric_data(MetricDataQueries=[search], **window())["MetricDataResults"]
    assert [(one["Id"], one["Label"], sum(one["Values"])) for one in found] == [("s", "calls", 30), ("s", "errors", 4)]


def cloudwatch_account(client):
    return client._request_signer._credentials.access_key


def test_units_are_kept_apart(cloudwatch):
    """Observed: the unit that comes first, and a message."""
    for unit in ("Seconds", "Milliseconds"):
        data = [{"MetricName": "t", "Value": 1.0, "Unit": unit, "Timestamp": minute()}]
        cloudwatch.put_metric_data(Namespace="App", MetricData=data)
    answer = cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "t", "MetricStat": metric("t")}], **window())
    (result,) = answer["MetricDataResults"]
    assert result["Messages"] == [
        {"Code": "MultipleUnits", "Value": "Multiple units returned: '[Milliseconds, Seconds]'"}
    ]


def test_metrics_are_listed(cloudwatch):
    """By the paginator, with each filter."""
    assert cloudwatch.list_metrics()["Metrics"] == []
    data = [
        {"MetricName": f"m{number:03}", "Value": 1.0, "Dimensions": [{"Name": "half", "Value": str(number % 2)}]}
        for number in range(600)
    ]
    cloudwatch.put_metric_data(Namespace="App", MetricData=data)
    cloudwatch.put_metric_data(Namespace="Other", MetricData=[{"MetricName": "x", "Value": 1.0}])
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace="App")
    sizes = [len(page["Metrics"]) for page in pages]
    assert sizes == [500, 100]
    found = cloudwatch.list_metrics(
        MetricName="m007",
        Dimensions=[{"Name": "half", "Value": "1"}],
        RecentlyActive="PT3H",
        IncludeLinkedAccounts=True,
        OwningAccount=cloudwatch_account(cloudwatch),
    )
    assert [one["MetricName"] for one in found["Metrics"]] == ["m007"]
    assert found["OwningAccounts"] == [cloudwatch_account(cloudwatch)]
    assert [one["Dimensions"] for one in cloudwatch.list_metrics(MetricName="x")["Metrics"]] == [[]]


def test_dashboards_are_kept(cloudwatch):
    """As they were put; their ARN has no region."""
    assert cloudwatch.put_dashboard(DashboardName="d", DashboardBody=BODY)["DashboardValidationMessages"] == []
    shown = cloudwatch.get_dashboard(DashboardName="d")
    account = cloudwatch_account(cloudwatch)
    arn = f"arn:aws:cloudwatch::{account}:dashboard/d"
    assert (shown["DashboardBody"], shown["DashboardArn"]) == (BODY, arn)
    (entry,) = cloudwatch.list_dashboards(DashboardNamePrefix="d")["DashboardEntries"]
    assert (entry["DashboardName"], entry["Size"]) == ("d", len(BODY))
    cloudwatch.delete_dashboards(DashboardNames=["d"])
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []
    assert refused(cloudwatch.get_dashboard, DashboardName="d") == (
        "ResourceNotFound",
        "Dashboard d does not exist",
        404,
    )
    code, text, status = refused(cloudwatch.put_dashboard, DashboardName="a b", DashboardBody=BODY)
    assert (code, status) == ("InvalidParameterInput", 400) and "only contain alphanumerics" in text
    code, text, _ = refused(cloudwatch.put_dashboard, DashboardName="d", DashboardBody="{}")
    assert code == "InvalidParameterInput"
    tags = [{"Key": "k", "Value": "v"}]
    code, text, _ = refused(cloudwatch.put_dashboard, DashboardName="d", DashboardBody=BODY, Tags=tags)
    assert (code, "Tags" in text) == ("InvalidParameterValue", True)


def test_refusals_are_worded_as_the_service_does(cloudwatch):
    """The same in all protocols: codes of the query protocol, the shape beside them."""
    nan = [{"MetricName": "m", "Value": float("nan")}]
    assert refused(cloudwatch.put_metric_data, Namespace="App", MetricData=nan) == (
        "InvalidParameterValue",
        "The value NaN for parameter MetricData.member.1.Value is invalid.",
        400,
    )
    both = [{"MetricName": "m", "Value": 1.0, "Values": [1.0]}]
    assert refused(cloudwatch.put_metric_data, Namespace="App", MetricData=both)[0] == "InvalidParameterCombination"
    assert refused(cloudwatch.put_metric_data, Namespace="App")[0] == "MissingParameter"
    asked = {"Namespace": "App", "MetricName": "m", "Period": 60, "Statistics": ["Sum"]}
    day = timedelta(days=60)
    code, text, _ = refused(cloudwatch.get_metric_statistics, **asked, StartTime=minute() - day, EndTime=minute())
    assert code == "InvalidParameterCombination" and text.startswith("You have requested up to 86400 datapoints")
    wrong = {"MetricDataQueries": [{"Id": "e", "Expression": "nope + 1"}], **window()}
    code, text, _ = refused(cloudwatch.get_metric_data, **wrong)
    assert (code, text) == ("ValidationError", "Error in expression 'e': Unknown id: nope")
    assert refused(cloudwatch.get_metric_data, **(wrong | {"MetricDataQueries": [], "NextToken": "x"}))[0] == (
        "InvalidNextToken"
    )
    assert refused(cloudwatch.put_metric_data, Namespace=":x", MetricData=nan)[0] == "ValidationError"
    code, text, status = refused(cloudwatch.put_anomaly_detector, Namespace="a", MetricName="b", Stat="Sum")
    assert (code, status) == ("NotImplementedException", 501) and "anomaly detection" in text


def test_compressed_bodies_are_unpacked(cloudwatch):
    """SDKs compress what is large without being asked; the smallest that compresses to little is bounded too."""
    sent = []
    cloudwatch.meta.events.register("before-send", lambda request, **_: sent.append(dict(request.headers)))
    data = [
        {"MetricName": "big", "Values": [float(value) for value in range(150)], "Timestamp": minute()}
        for _ in range(100)
    ]
    cloudwatch.put_metric_data(Namespace="App", MetricData=data)
    codings = {name.lower(): value for name, value in sent[-1].items()}
    coding = codings["content-encoding"]
    assert (coding.decode() if isinstance(coding, bytes) else coding) == "gzip"
    answer = cloudwatch.get_metric_statistics(
        Namespace="App", MetricName="big", Period=60, Statistics=["SampleCount"], **window()
    )
    assert [point["SampleCount"] for point in answer["Datapoints"]] == [15_000]


def test_the_aws_cli(server, aws_cli_1):
    """What a user types."""
    account = str(next(_accounts))

    def aws(*arguments):
        environ = {
            **os.environ, "AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": REGION,
            "AWS_PAGER": "",
        }  # fmt: skip
        command = [aws_cli_1, "--endpoint-url", server.endpoint, "--output", "json", "cloudwatch", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    at = minute().strftime("%Y-%m-%dT%H:%M:%SZ")
    named = ("--namespace", "Cli", "--metric-name", "m")
    put = ("--value", "4", "--unit", "Count", "--timestamp", at, "--dimensions", "a=1,b=2")
    aws("put-metric-data", *named, *put)
    (listed,) = aws("list-metrics", "--namespace", "Cli")["Metrics"]
    assert listed["Dimensions"] == [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]
    times = ("--start-time", minute(5).isoformat(), "--end-time", datetime.now(UTC).isoformat(), "--period", "300")
    found = aws(
        "get-metric-statistics", *named, *times, "--statistics", "Maximum", "--dimensions", "Name=b,Value=2",
        "Name=a,Value=1",
    )  # fmt: skip
    assert [(point["Maximum"], point["Unit"]) for point in found["Datapoints"]] == [(4.0, "Count")]


# An exchange in CBOR as bytes: clients show nothing of it that a person could read.
_ASKED = (
    b"\xbf" b"\x6aMetricName\x63bin" b"\x69Namespace\x7f\x62Cb\x62or\xff" b"\x6aDimensions\x9f\xff" b"\xff"
)  # fmt: skip
_SHOWN = (
    b"\xa1" b"\x67Metrics\x81\xa3" b"\x69Namespace\x64Cbor" b"\x6aMetricName\x63bin" b"\x6aDimensions\x80"
)  # fmt: skip


def test_an_exchange_in_cbor_to_the_byte(server):
    """Indefinite lengths, a whole number and a time of tag 1 in; definite lengths out, with both headers."""
    put = (
        b"\xa2\x69Namespace\x64Cbor\x6aMetricData\x81\xa3\x6aMetricName\x63bin\x65Value\x15\x69Timestamp\xc1\x1a"
        + int(minute().timestamp()).to_bytes(4, "big")
    )
    head, body = _send(server, "PutMetricData", put)
    assert (head.status, body, head.headers["smithy-protocol"]) == (200, b"", "rpc-v2-cbor")
    assert head.headers["content-type"] is None
    head, body = _send(server, "ListMetrics", _ASKED, before="/anything")
    assert (head.status, body) == (200, _SHOWN)
    assert (head.headers["smithy-protocol"], head.headers["content-type"]) == ("rpc-v2-cbor", "application/cbor")
    assert head.headers["x-amzn-requestid"]
    packed = gzip.compress(b"\xa1\x6dDashboardName\x64nope")
    for mode, status in ((None, 400), ("true", 404)):
        extra = {"content-encoding": "gzip"} | ({"x-amzn-query-mode": mode} if mode else {})
        head, body = _send(server, "GetDashboard", packed, extra)
        assert (head.status, head.headers["x-amzn-query-error"]) == (status, "ResourceNotFound;Sender")
        assert b"\x66__type\x78\x3bcom.amazonaws.cloudwatch.v2010_08_01#DashboardNotFoundError" in body
        assert head.headers["smithy-protocol"] == "rpc-v2-cbor"


def _send(server, operation, body, extra=(), before=""):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    headers = {
        "smithy-protocol": "rpc-v2-cbor",
        "content-type": "application/cbor",
        "accept": "application/cbor",
        "authorization": f"AWS4-HMAC-SHA256 Credential=700000000001/20260101/{REGION}/monitoring/aws4_request, "
        "SignedHeaders=host, Signature=0",
        **dict(extra),
    }
    connection.request("POST", f"{before}/service/GraniteServiceVersion20100801/operation/{operation}", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_what_was_answered_is_there_after_a_crash(lone_server):
    """On disk before the answer; what functions and clients put is one."""
    client = lone_server.client("cloudwatch")
    client.put_metric_data(Namespace="App", MetricData=[{"MetricName": "m", "Value": 3.0, "Timestamp": minute()}])
    lone_server.kill()
    lone_server.restart()
    client = lone_server.client("cloudwatch")
    answer = client.get_metric_data(MetricDataQueries=[{"Id": "m", "MetricStat": metric("m")}], **window())
    assert answer["MetricDataResults"][0]["Values"] == [3.0]
