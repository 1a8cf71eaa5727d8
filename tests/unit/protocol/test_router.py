"""Requests find their operation by path, target, action or RPC path."""

import pytest

from lambent.errors.families import ApiError, UnknownOperationException
from lambent.protocol.router import OperationMatch, compile_router
from lambent.protocol.service_model import Operation, ServiceModel
from lambent.protocol.wire import WireRequest

ROUTERS = {name: compile_router(ServiceModel(name)) for name in ("lambda", "logs", "sns", "cloudwatch")}

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


def lambda_match(method: str, path: str, query: str = "") -> OperationMatch:
    return ROUTERS["lambda"](WireRequest(method, path, query))


@pytest.mark.parametrize(
    "name",
    [
        "f",
        "f:live",
        "f:$LATEST",
        "000000000000:function:f",
        "000000000000:function:f:live",
        ARN,
        f"{ARN}:live",
        f"{ARN}:1",
        "a:b:c",
    ],
)
@pytest.mark.parametrize("encode", [lambda name: name, lambda name: name.replace(":", "%3A").replace("$", "%24")])
def test_every_form_of_a_function_name_travels_in_a_path(name: str, encode: object) -> None:
    """NM-01: names, partial ARNs and ARNs arrive raw or percent-encoded and are decoded once."""
    assert callable(encode)
    match = lambda_match("GET", f"/2015-03-31/functions/{encode(name)}/configuration")
    assert match.operation.name == "GetFunctionConfiguration"
    assert match.labels == {"FunctionName": name}


@pytest.mark.parametrize(
    ("method", "path", "query", "operation", "labels"),
    [
        ("GET", "/2015-03-31/functions", "", "ListFunctions", {}),
        # Older SDKs end these two with a slash.
        ("GET", "/2015-03-31/functions/", "", "ListFunctions", {}),
        ("POST", "/2015-03-31/event-source-mappings/", "", "CreateEventSourceMapping", {}),
        ("POST", "/2015-03-31/functions", "", "CreateFunction", {}),
        ("GET", "/2015-03-31/functions/f", "", "GetFunction", {"FunctionName": "f"}),
        ("GET", "/2015-03-31/functions/f/", "Qualifier=1", "GetFunction", {"FunctionName": "f"}),
        ("POST", "/2015-03-31/functions/f/invocations", "", "Invoke", {"FunctionName": "f"}),
        ("GET", "/2018-10-31/layers", "", "ListLayers", {}),
        ("GET", "/2018-10-31/layers", "find=LayerVersion&Arn=a", "GetLayerVersionByArn", {}),
        ("GET", "/2018-10-31/layers", "Arn=a&find=LayerVersion", "GetLayerVersionByArn", {}),
        (
            "GET",
            "/2019-09-30/functions/f/provisioned-concurrency",
            "List=ALL",
            "ListProvisionedConcurrencyConfigs",
            {"FunctionName": "f"},
        ),
        (
            "GET",
            "/2019-09-30/functions/f/provisioned-concurrency",
            "Qualifier=live",
            "GetProvisionedConcurrencyConfig",
            {"FunctionName": "f"},
        ),
        (
            "GET",
            "/2025-12-01/durable-executions/arn%3Ax%3Af%3A1%2Fdurable-execution%2Fe%2Fi/history",
            "",
            "GetDurableExecutionHistory",
            {"DurableExecutionArn": "arn:x:f:1/durable-execution/e/i"},
        ),
        # Decoded once, not until nothing is left to decode.
        ("GET", "/2015-03-31/functions/%252F", "", "GetFunction", {"FunctionName": "%2F"}),
        # Not UTF-8: the name is then refused by its pattern.
        ("GET", "/2015-03-31/functions/%ff", "", "GetFunction", {"FunctionName": "\ufffd"}),
    ],
)
def test_a_path_finds_its_operation(method: str, path: str, query: str, operation: str, labels: dict[str, str]) -> None:
    """The raw path is matched; trailing slashes and the place of a fixed query parameter do not matter."""
    match = lambda_match(method, path, query)
    assert (match.operation.name, dict(match.labels)) == (operation, labels)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/2015-03-31"),
        ("PATCH", "/2015-03-31/functions/f"),
        ("GET", "/2014-01-01/functions/f"),
        ("GET", "/2015-03-31/functions//configuration"),
        ("GET", "/2015-03-31/functions/a/b/c"),
        ("GET", "/2015-03-31/functions%2Ff"),
    ],
)
def test_an_unknown_path_is_an_unknown_operation(method: str, path: str) -> None:
    """404 for a path or a method that the model does not hold; an empty label is none."""
    with pytest.raises(UnknownOperationException) as refused:
        lambda_match(method, path)
    assert refused.value.status == 404


def test_a_greedy_label_takes_the_rest_of_the_path() -> None:
    """`{Key+}` spans slashes and leaves what the URI has after it. None of the services at hand has one."""
    model = ServiceModel("lambda")
    model.operations = {
        name: Operation(model, name, {"http": {"method": "GET", "requestUri": uri}})
        for name, uri in (("GetObject", "/b/{Bucket}/{Key+}"), ("GetTagging", "/b/{Bucket}/{Key+}/tagging"))
    }
    match = compile_router(model)
    found = match(WireRequest("GET", "/b/mine/a/b%2Fc/d"))
    assert (found.operation.name, found.labels) == ("GetObject", {"Bucket": "mine", "Key": "a/b/c/d"})
    found = match(WireRequest("GET", "/b/mine/a/b/tagging"))
    assert (found.operation.name, found.labels) == ("GetTagging", {"Bucket": "mine", "Key": "a/b"})


def refusal(service: str, request: WireRequest) -> tuple[str, int]:
    with pytest.raises(ApiError) as refused:
        ROUTERS[service](request)
    assert isinstance(refused.value, UnknownOperationException)
    return refused.value.code, refused.value.status


def test_a_target_finds_its_operation() -> None:
    """JSON: the target's prefix and name; the path does not matter."""
    for path in ("/", "/000000000000/queue"):
        request = WireRequest("POST", path, headers={"x-amz-target": "Logs_20140328.GetLogEvents"})
        assert ROUTERS["logs"](request).operation.name == "GetLogEvents"


@pytest.mark.parametrize("target", ["", "Logs_20140328.Nope", "GetLogEvents", "Other.GetLogEvents"])
def test_an_unknown_target_is_refused(target: str) -> None:
    """400 in the JSON protocols."""
    request = WireRequest("POST", "/", headers={"x-amz-target": target})
    assert refusal("logs", request) == ("UnknownOperationException", 400)


def test_an_action_finds_its_operation() -> None:
    """query: from the form, or from the query string of a GET."""
    form = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    posted = WireRequest("POST", "/", headers=form, body=b"Version=2010-03-31&Action=ListTopics")
    fetched = WireRequest("GET", "/", "Action=ListTopics")
    assert ROUTERS["sns"](posted).operation.name == "ListTopics"
    assert ROUTERS["sns"](fetched).operation.name == "ListTopics"


def test_an_unknown_or_missing_action_is_refused() -> None:
    """An unknown action is named as such; a request without one, or of another content type, is unknown."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert refusal("sns", WireRequest("POST", "/", headers=form, body=b"Action=Nope")) == ("InvalidAction", 400)
    assert refusal("sns", WireRequest("POST", "/", headers=form)) == ("UnknownOperationException", 404)
    other = WireRequest("POST", "/", headers={"content-type": "text/plain"}, body=b"Action=ListTopics")
    assert refusal("sns", other) == ("UnknownOperationException", 404)


RPC = {"smithy-protocol": "rpc-v2-cbor"}


@pytest.mark.parametrize(
    "path",
    [
        "/service/GraniteServiceVersion20100801/operation/ListMetrics",
        "/prefix/of/a/proxy/service/GraniteServiceVersion20100801/operation/ListMetrics",
        "/service/com.amazonaws.cloudwatch.GraniteServiceVersion20100801/operation/ListMetrics",
    ],
)
def test_an_rpc_path_finds_its_operation(path: str) -> None:
    """CBOR: the last four segments count; the service may be an absolute name."""
    assert ROUTERS["cloudwatch"](WireRequest("POST", path, headers=RPC)).operation.name == "ListMetrics"


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/service/GraniteServiceVersion20100801/operation/ListMetrics", RPC),
        ("POST", "/service/GraniteServiceVersion20100801/operation/Nope", RPC),
        ("POST", "/service/Other/operation/ListMetrics", RPC),
        ("POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics", {}),
        ("POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics", {**RPC, "x-amz-target": "a.b"}),
        ("POST", "/", RPC),
    ],
)
def test_another_rpc_request_is_refused(method: str, path: str, headers: dict[str, str]) -> None:
    """404, also where a JSON target comes along."""
    assert refusal("cloudwatch", WireRequest(method, path, headers=headers)) == ("UnknownOperationException", 404)
