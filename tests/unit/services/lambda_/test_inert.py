"""Settings that this version does not act on."""

import logging
from typing import Any

import botocore.session
import pytest

from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.services.lambda_.inert import _DEFAULTS, inert_view, merge_inert, take_inert

DEFAULTS: list[dict[str, Any]] = [
    {"PublishTo": ""},
    {"VpcConfig": {}},
    {"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": False}},
    {"DeadLetterConfig": {}},
    {"DeadLetterConfig": {"TargetArn": ""}},
    {"KMSKeyArn": ""},
    {"TracingConfig": {"Mode": "PassThrough"}},
    {"TracingConfig": {}},
    {"Layers": []},
    {"FileSystemConfigs": []},
    {"ImageConfig": {}},
]

OTHERS: list[dict[str, Any]] = [
    {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}},
    {"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"}},
    {"KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k"},
    {"TracingConfig": {"Mode": "Active"}},
    {"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]},
    {"FileSystemConfigs": [{"Arn": "a", "LocalMountPath": "/mnt/x"}]},
    {"CodeSigningConfigArn": "arn"},
    {"ImageConfig": {"Command": ["app"]}},
]


def take(request: dict[str, Any], *, accept: bool = False) -> dict[str, Any]:
    return take_inert(request, accept=accept, function_name="f")


def name_of(request: dict[str, Any]) -> str:
    return next(iter(request))


@pytest.mark.parametrize("request_", DEFAULTS, ids=str)
def test_awss_default_is_no_setting(request_: dict[str, Any]) -> None:
    """Tools that spell defaults out are not refused, and nothing is stored."""
    assert take(request_) == {name_of(request_): None}


@pytest.mark.parametrize("request_", OTHERS, ids=name_of)
def test_anything_else_is_refused_by_name(request_: dict[str, Any]) -> None:
    """A setting that was stored and then ignored would be a lie."""
    with pytest.raises(InvalidParameterValueException) as refused:
        take(request_)
    assert refused.value.message == f"{name_of(request_)} is not offered by this version of Lambent"


@pytest.mark.parametrize("request_", OTHERS, ids=name_of)
def test_accept_inert_stores_with_a_warning(request_: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """`--accept-inert` echoes it, and the log says that it does nothing."""
    with caplog.at_level(logging.WARNING):
        assert take(request_, accept=True) == request_
    assert [record.getMessage() for record in caplog.records] == [
        f"function.inert_setting function=f setting={name_of(request_)}"
    ]


def test_absent_members_are_left_alone() -> None:
    """What a request does not name, it does not change."""
    assert take({"FunctionName": "f", "MemorySize": 128}) == {}


def test_the_log_group_acts_and_the_format_does_not() -> None:
    """LogGroup is no inert setting; JSON is refused; levels belong to JSON only."""
    assert take({"LoggingConfig": {"LogGroup": "g"}}) == {}
    assert take({"LoggingConfig": {"LogFormat": "Text"}}) == {"LoggingConfig": None}
    with pytest.raises(InvalidParameterValueException, match="LogFormat JSON is not offered"):
        take({"LoggingConfig": {"LogFormat": "JSON"}})
    with pytest.raises(InvalidParameterValueException, match="LogLevel is not supported when LogFormat is set"):
        take({"LoggingConfig": {"ApplicationLogLevel": "DEBUG"}}, accept=True)
    assert take({"LoggingConfig": {"LogFormat": "JSON"}}, accept=True) == {
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}
    }


def test_defaults_remove_and_others_replace() -> None:
    """An update that sets AWS's default again takes the stored setting away; what it does not name stays."""
    before = {"Layers": ["a"], "KMSKeyArn": "k"}
    assert merge_inert(before, {"Layers": None}) == {"KMSKeyArn": "k"}
    assert merge_inert(before, {"Layers": ["b"]}) == {"Layers": ["b"], "KMSKeyArn": "k"}
    assert before == {"Layers": ["a"], "KMSKeyArn": "k"}


def test_the_view_has_the_shapes_of_answers() -> None:
    """Requests and answers differ in some members."""
    shown = {"LoggingConfig": {"LogGroup": "g", "LogFormat": "Text"}}
    inert = {
        "Layers": ["arn:1"],
        "VpcConfig": {"SubnetIds": ["s"]},
        "LoggingConfig": {"LogFormat": "JSON"},
        "ImageConfig": {"Command": ["c"]},
        "CodeSigningConfigArn": "arn",
    }
    assert inert_view(inert, shown) == {
        "Layers": [{"Arn": "arn:1", "CodeSize": 0}],
        "VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": [], "VpcId": "", "Ipv6AllowedForDualStack": False},
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "g"},
        "ImageConfigResponse": {"ImageConfig": {"Command": ["c"]}},
    }


def test_every_member_of_the_requests_acts_or_is_here() -> None:
    """A member that botocore's model adds is noticed: it acts, or this file refuses it."""
    acts = {
        "FunctionName", "Runtime", "Role", "Handler", "Code", "Description", "Timeout", "MemorySize", "Publish",
        "PackageType", "Environment", "EphemeralStorage", "Tags", "Architectures", "LoggingConfig", "RevisionId",
        "SnapStart",
    }  # fmt: skip
    model = botocore.session.get_session().get_service_model("lambda")
    members = {
        member
        for operation in ("CreateFunction", "UpdateFunctionConfiguration")
        for member in model.operation_model(operation).input_shape.members
    }
    assert members - acts == set(_DEFAULTS)
