"""What the platform tells of itself in CloudWatch: the sums that a client reads are the calls that clients made."""

import gzip
import json
import re
import subprocess
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.exceptions import ClientError
from wire.http_api_stage import ECHO, Api, arn_of, let_in
from wire.support import LAMBENT, FunctionMaker, invoke, wait_for, wait_updated
from wire.urls import ask, make_url

WORKS = """
def handler(event, context):
    if event.get("raise"):
        raise RuntimeError("as asked")
    return "done"
"""


@pytest.fixture(scope="module")
def cloudwatch(server):
    return server.client("cloudwatch")


@pytest.fixture
def figures(cloudwatch):
    return Figures(cloudwatch)


class Figures:
    """Reads sums and the like of the last hours."""

    def __init__(self, client):
        self.client = client

    def points(self, namespace, name, statistic, **dimensions):
        """Return one statistic by the minute."""
        now = datetime.now(UTC)
        return self.client.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=now - timedelta(hours=3),
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=[statistic],
        )["Datapoints"]

    def read(self, namespace, name, statistic="Sum", **dimensions):
        """Return one statistic over all, None where there is no point."""
        values = [point[statistic] for point in self.points(namespace, name, statistic, **dimensions)]
        if not values:
            return None
        return max(values) if statistic == "Maximum" else sum(values)

    def of_lambda(self, name, statistic="Sum", **dimensions):
        return self.read("AWS/Lambda", name, statistic, **dimensions)

    def last(self, namespace, name, statistic="Sum", **dimensions):
        """Return the same of the newest point alone."""
        points = self.points(namespace, name, statistic, **dimensions)
        return max(points, key=lambda point: point["Timestamp"])[statistic] if points else None

    def wait_over(self, count, **dimensions):
        """Wait until so many invocations are over: the last one is a moment after its answer, and counts from then."""
        wait_for(lambda: self.of_lambda("Invocations", **dimensions) == count)


def test_invocations_errors_and_throttles(lambda_client, make_function, figures):
    """Of the function and as it was addressed; a refused call is no invocation; durations have percentiles."""
    name = make_function(WORKS, Publish=True)
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    # Each with its tail, which is there when it is over: none begins before the one before has ended.
    for _ in range(3):
        invoke(lambda_client, name, {}, LogType="Tail")
    invoke(lambda_client, name, {"raise": True}, LogType="Tail")
    invoke(lambda_client, name, {}, Qualifier="live", LogType="Tail")
    invoke(lambda_client, name, {"raise": True}, Qualifier="1", LogType="Tail")
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    for _ in range(2):
        with pytest.raises(ClientError) as refused:
            invoke(lambda_client, name, {})
        assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"

    of = figures.of_lambda
    figures.wait_over(6, FunctionName=name)
    assert [of(metric, FunctionName=name) for metric in ("Invocations", "Errors", "Throttles")] == [6, 2, 2]
    assert [of(metric, FunctionName=name, Resource=name) for metric in ("Invocations", "Errors")] == [4, 1]
    assert of("Throttles", FunctionName=name, Resource=name) == 2
    assert [of(metric, FunctionName=name, Resource=f"{name}:live") for metric in ("Invocations", "Errors")] == [1, 0]
    assert [of(metric, FunctionName=name, Resource=f"{name}:1") for metric in ("Invocations", "Errors")] == [1, 1]
    assert of("Duration", "SampleCount", FunctionName=name) == 6
    # Milliseconds, within the function's three seconds.
    assert 0 < of("Duration", "Maximum", FunctionName=name) <= 3000
    assert of("Invocations") >= 6
    # No invocation is of a resource alone, and no figure is rolled up.
    assert of("Invocations", Resource=name) is None
    assert of("Invocations", FunctionName=name, Resource=f"{name}:live", ExecutedVersion="1") is None
    wait_for(lambda: of("ConcurrentExecutions", "Maximum", FunctionName=name) == 1)
    assert of("ConcurrentExecutions", "Maximum") >= 1


def test_weights_tell_which_version_ran(lambda_client, make_function, figures):
    """The executed version is a dimension where an alias leads to two, and there alone."""
    name = make_function(WORKS, Publish=True)
    lambda_client.update_function_configuration(FunctionName=name, Description="another")
    wait_updated(lambda_client, name)
    lambda_client.publish_version(FunctionName=name)
    lambda_client.create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    ran = [invoke(lambda_client, name, {}, Qualifier="live")[0]["ExecutedVersion"] for _ in range(12)]
    alias = {"FunctionName": name, "Resource": f"{name}:live"}
    figures.wait_over(12, **alias)
    for version in ("1", "2"):
        found = figures.of_lambda("Invocations", **alias, ExecutedVersion=version) or 0
        assert found == ran.count(version)


def test_events(lambda_client, make_function, figures):
    """What was accepted, how long it waited, and that nothing was dropped."""
    name = make_function(WORKS)
    for _ in range(3):
        lambda_client.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    wait_for(lambda: figures.of_lambda("Invocations", FunctionName=name) == 3)
    assert figures.of_lambda("AsyncEventsReceived", FunctionName=name) == 3
    assert figures.of_lambda("AsyncEventAge", "SampleCount", FunctionName=name) == 3
    # Milliseconds: no event waits for minutes.
    assert 0 <= figures.of_lambda("AsyncEventAge", "Maximum", FunctionName=name) < 300_000
    assert figures.of_lambda("AsyncEventsDropped", FunctionName=name) is None
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    lambda_client.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    wait_for(lambda: figures.of_lambda("AsyncEventsDropped", FunctionName=name) == 1)
    assert figures.of_lambda("AsyncEventsReceived", FunctionName=name, Resource=name) == 4


def test_function_urls(lambda_client, make_function, figures):
    """Requests by what they came to; what the function's failure is to a client is the server's error."""
    name = make_function("def handler(event, context): return {'statusCode': int(event['rawPath'][1:])}")
    url = make_url(lambda_client, name)
    assert [ask(url, "GET", target).status for target in ("/200", "/200", "/404", "/x")] == [200, 200, 404, 502]
    for dimensions in ({"FunctionName": name}, {"FunctionName": name, "Resource": name}):
        found = [
            figures.of_lambda(metric, **dimensions) for metric in ("UrlRequestCount", "Url4xxCount", "Url5xxCount")
        ]
        assert found == [4, 1, 1]
        assert figures.of_lambda("UrlRequestLatency", "SampleCount", **dimensions) == 4
    figures.wait_over(4, FunctionName=name)
    assert figures.of_lambda("Errors", FunctionName=name) == 1


def test_http_apis(apis, lambda_client, make_function, figures):
    """Of the API and its stage; of single routes where the stage or the route asks for it."""
    name = make_function(ECHO)
    let_in(lambda_client, name)
    api = Api(apis)
    of_api = {"ApiId": api.id}
    route = {**of_api, "Stage": "$default", "Route": "GET /pets"}
    by_method = {**of_api, "Stage": "$default", "Method": "GET", "Resource": "/pets"}
    try:
        api.route("GET /pets", api.function(arn_of(name)))
        assert [api.ask(target).status for target in ("/pets", "/none")] == [200, 404]
        assert figures.read("AWS/ApiGateway", "Count", **route) is None
        api.stage(DefaultRouteSettings={"DetailedMetricsEnabled": True})
        assert api.ask("/pets").status == 200
        found = [figures.read("AWS/ApiGateway", metric, **of_api) for metric in ("Count", "4xx", "5xx")]
        assert found == [3, 1, 0]
        assert figures.read("AWS/ApiGateway", "Count", **of_api, Stage="$default") == 3
        assert figures.read("AWS/ApiGateway", "IntegrationLatency", "SampleCount", **of_api) == 2
        assert figures.read("AWS/ApiGateway", "DataProcessed", **of_api) > 500
        assert figures.read("AWS/ApiGateway", "Latency", "Maximum", **of_api) > 0
        assert figures.read("AWS/ApiGateway", "Count", **route) == 1
        assert figures.read("AWS/ApiGateway", "Count", **by_method) == 1
        made = apis.create_stage(
            ApiId=api.id, StageName="detailed", DefaultRouteSettings={"DetailedMetricsEnabled": True}
        )
        assert made["DefaultRouteSettings"]["DetailedMetricsEnabled"] is True
    finally:
        api.delete()


def test_queues(server, figures, unique_name):
    """What goes in and out of a queue at once, and at the end of the minute what it holds."""
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName=unique_name)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(number), "MessageBody": "hi"} for number in range(3)])
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    # Not visible for longer than the minute lasts at whose end it is looked at.
    rest = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600)["Messages"]
    answer = sqs.delete_message_batch(
        QueueUrl=url,
        Entries=[{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(rest[:2])],
    )
    assert len(answer["Successful"]) == 2
    assert "Messages" not in sqs.receive_message(QueueUrl=url)

    def of(name):
        return figures.read("AWS/SQS", name, QueueName=unique_name)

    def held(name):
        # As the last minute found it: another may have ended while messages came and went.
        return figures.last("AWS/SQS", f"ApproximateNumberOfMessages{name}", "Maximum", QueueName=unique_name)

    assert (of("NumberOfMessagesSent"), of("SentMessageSize")) == (4, 5 + 3 * 2)
    assert (of("NumberOfMessagesReceived"), of("NumberOfMessagesDeleted"), of("NumberOfEmptyReceives")) == (4, 3, 1)
    wait_for(lambda: (held("NotVisible"), held("Visible")) == (1, 0), within_s=240)
    assert figures.last("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", QueueName=unique_name) >= 0


def test_event_source_mappings(server, lambda_client, make_function, figures, unique_name):
    """What became of the records of a mapping that asks for it; the queue tells what its poller took."""
    name = make_function(WORKS)
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName=unique_name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    uuid = lambda_client.create_event_source_mapping(
        FunctionName=name,
        EventSourceArn=arn,
        FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": {"keep": [True]}})}]},
        MetricsConfig={"Metrics": ["EventCount"]},
    )["UUID"]
    try:
        for keep in (True, True, False):
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"keep": keep}))

        def of(metric):
            return figures.of_lambda(metric, EventSourceMappingUUID=uuid)

        wait_for(lambda: of("DeletedEventCount") == 2)
        found = [of(metric) for metric in ("PolledEventCount", "FilteredOutEventCount", "InvokedEventCount")]
        assert found == [3, 1, 2]
        assert of("FailedInvokeEventCount") is None
        received = figures.read("AWS/SQS", "NumberOfMessagesReceived", QueueName=unique_name)
        assert received == 3
        wait_for(lambda: figures.read("AWS/SQS", "NumberOfMessagesDeleted", QueueName=unique_name) == 3)
    finally:
        lambda_client.delete_event_source_mapping(UUID=uuid)


def test_provisioned_concurrency(lambda_client, make_function, figures):
    """What ran there, what ran beyond it, and what part of it was used."""
    name = make_function("import time\ndef handler(e, c): time.sleep(e['s'])", Publish=True, Timeout=60)
    version = {"FunctionName": name, "Qualifier": "1"}
    lambda_client.put_provisioned_concurrency_config(**version, ProvisionedConcurrentExecutions=1)
    wait_for(lambda: lambda_client.get_provisioned_concurrency_config(**version)["Status"] == "READY")
    with ThreadPoolExecutor(2) as threads:
        for _ in threads.map(lambda _: invoke(lambda_client, name, {"s": 3}, Qualifier="1", LogType="Tail"), range(2)):
            pass
    of_version = {"FunctionName": name, "Resource": f"{name}:1"}
    for dimensions in ({"FunctionName": name}, of_version):
        assert figures.of_lambda("ProvisionedConcurrencyInvocations", **dimensions) == 1
        assert figures.of_lambda("ProvisionedConcurrencySpilloverInvocations", **dimensions) == 1
    assert figures.of_lambda("ProvisionedConcurrencyUtilization", "Maximum", **of_version) == 1
    assert figures.of_lambda("ProvisionedConcurrentExecutions", "Maximum", **of_version) == 1
    assert figures.of_lambda("ConcurrentExecutions", "Maximum", FunctionName=name) == 2


def test_figures_are_listed_with_their_dimensions(lambda_client, make_function, cloudwatch, figures):
    """As dashboards look for them."""
    name = make_function(WORKS)
    invoke(lambda_client, name, {})
    figures.wait_over(1, FunctionName=name)
    pages = cloudwatch.get_paginator("list_metrics").paginate(
        Namespace="AWS/Lambda", Dimensions=[{"Name": "FunctionName", "Value": name}]
    )
    found = {
        (metric["MetricName"], tuple(sorted(one["Name"] for one in metric["Dimensions"])))
        for page in pages
        for metric in page["Metrics"]
    }
    for metric in ("Invocations", "Errors", "Throttles", "Duration"):
        assert (metric, ("FunctionName",)) in found
        assert (metric, ("FunctionName", "Resource")) in found


# Besides CloudWatch -------------------------------------------------------------------------------------------------


def exposed(server):
    """Return what Prometheus reads, by name and labels."""
    with urllib.request.urlopen(server.endpoint + "/_lambent/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_prometheus_reads_what_functions_do(server, lambda_client, make_function, runtime):
    """Counts, buckets of durations, cold starts and environments."""
    name = make_function(WORKS)
    of = f'account="000000000000",function="{name}",region="us-east-1"'
    for number, event in enumerate(({}, {}, {"raise": True}), 1):
        invoke(lambda_client, name, event)
        # The next one finds the environment free then, on any machine, and starts no other.
        wait_for(lambda number=number: exposed(server).get(f"lambent_invocations_total{{{of}}}") == f"{number}.0")
    found = exposed(server)
    assert found[f"lambent_invocation_errors_total{{{of}}}"] == "1.0"
    assert found[f"lambent_cold_starts_total{{{of}}}"] == "1.0"
    assert found[f"lambent_invocation_duration_seconds_count{{{of}}}"] == "3.0"
    assert float(found[f'lambent_environments{{runtime="{runtime}",state="idle"}}']) >= 1
    assert float(found[f'lambent_environment_memory_bytes{{kind="limit",runtime="{runtime}"}}']) >= 128 << 20
    assert float(found["lambent_log_messages_total"]) >= 9
    assert float(found["lambent_requests_in_flight"]) >= 1
    assert [name for name in found if name.startswith("lambent_build_info")]
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError):
        invoke(lambda_client, name, {})
    found = exposed(server)
    assert found[f"lambent_invocation_throttles_total{{{of}}}"] == "1.0"
    assert found[f"lambent_invocations_total{{{of}}}"] == "3.0"


def test_top_shows_the_last_interval(server, lambda_client, make_function):
    """A function that runs meanwhile, as JSON for programs and as a table for people."""
    name = make_function(WORKS)
    invoke(lambda_client, name, {})
    is_over = threading.Event()

    def keep_invoking():
        while not is_over.is_set():
            invoke(lambda_client, name, {})

    command = [LAMBENT, "top", "--interval", "1.5", "--endpoint", server.endpoint]
    thread = threading.Thread(target=keep_invoking)
    thread.start()
    try:
        shown = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=True).stdout
        table = subprocess.run([*command, "--once"], capture_output=True, text=True, timeout=60, check=True).stdout
    finally:
        is_over.set()
        thread.join()
    (row,) = [row for row in json.loads(shown) if row["name"] == name]
    assert row["invocations_per_s"] > 5
    assert 0 < row["p50_ms"] <= row["p95_ms"]
    assert row["environments"] >= 1 and row["errors_per_s"] == 0
    assert row["memory_max_mib"] == 128 * row["environments"]
    assert re.sub(r"-\d+$", "", name)[:10] in table


@contextmanager
def collector():
    """A collector that keeps what it is sent."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((self.path, self.headers, gzip.decompress(body)))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield listening.server_address[1], received
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def test_figures_go_to_a_collector(own_server, runtime, tmp_path):
    """With its headers; a server that ends sends what there is by then."""
    headers = tmp_path / "headers"
    headers.write_text("x-tenant: figures\n")
    headers.chmod(0o600)
    with collector() as (port, received):
        server = own_server(
            None, "--otlp-endpoint", f"http://127.0.0.1:{port}", "--otlp-headers-file", str(headers)
        ).start()
        client = server.client("lambda")
        name = FunctionMaker(client, runtime, "collected")(WORKS)
        invoke(client, name, {})
        assert server.stop() == 0
    metrics = [(sent, body) for path, sent, body in received if path == "/v1/metrics"]
    sent, body = metrics[-1]
    assert sent["x-tenant"] == "figures"
    assert b"lambent_invocations" in body and name.encode() in body
