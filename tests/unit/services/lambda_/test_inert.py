"""Settings that this version does not act on."""

import logging
from typing import Any

import botocore.session
import pytest

from lambent.domain.function import Configuration, FunctionName
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.services.lambda_.configuration import ConfigurationRules
from lambent.services.lambda_.inert import _DEFAULTS, inert_view, merge_inert, take_inert

DEFAULTS: list[dict[str, Any]] = [
    {"PublishTo": ""},
    {"DeadLetterConfig": {}},
    {"DeadLetterConfig": {"TargetArn": ""}},
    # A queue acts.
    {"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"}},
    {"ImageConfig": {}},
]

OTHERS: list[dict[str, Any]] = [
    {"DeadLetterConfig": {"TargetArn": "arn:aws:sns:us-east-1:000000000000:t"}},
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


def test_defaults_remove_and_others_replace() -> None:
    """An update that sets AWS's default again takes the stored setting away; what it does not name stays."""
    before = {"ImageConfig": "a", "CodeSigningConfigArn": "k"}
    assert merge_inert(before, {"ImageConfig": None}) == {"CodeSigningConfigArn": "k"}
    assert merge_inert(before, {"ImageConfig": "b"}) == {"ImageConfig": "b", "CodeSigningConfigArn": "k"}
    assert before == {"ImageConfig": "a", "CodeSigningConfigArn": "k"}


def test_the_view_has_the_shapes_of_answers() -> None:
    """Requests and answers differ in some members."""
    inert = {
        "DeadLetterConfig": {"TargetArn": "arn"},
        "ImageConfig": {"Command": ["c"]},
        "CodeSigningConfigArn": "arn",
    }
    assert inert_view(inert) == {
        "DeadLetterConfig": {"TargetArn": "arn"},
        "ImageConfigResponse": {"ImageConfig": {"Command": ["c"]}},
    }


def test_every_member_of_the_requests_acts_or_is_here() -> None:
    """A member that botocore's model adds is noticed: it acts, or this file refuses it."""
    acts = {
        "FunctionName", "Runtime", "Role", "Handler", "Code", "Description", "Timeout", "MemorySize", "Publish",
        "PackageType", "Environment", "EphemeralStorage", "Tags", "Architectures", "LoggingConfig", "RevisionId",
        "SnapStart", "Layers", "KMSKeyArn", "VpcConfig", "FileSystemConfigs", "TenancyConfig", "TracingConfig",
    }  # fmt: skip
    model = botocore.session.get_session().get_service_model("lambda")
    members = {
        member
        for operation in ("CreateFunction", "UpdateFunctionConfiguration")
        for member in model.operation_model(operation).input_shape.members
    }
    assert members - acts == set(_DEFAULTS)


def test_tracing_that_an_earlier_version_stored_acts() -> None:
    """It was stored without acting; what is asked for from then on counts, also where it is the default."""
    stored = Configuration("python3.13", "app.handler", "role", inert={"TracingConfig": {"Mode": "Active"}})
    assert stored.is_traced
    rules = ConfigurationRules(Quotas(), None, accept_inert=True)  # type: ignore[arg-type]
    same = rules.update(FunctionName("f"), stored, {"Description": "d"}, None)
    assert same.is_traced
    changed = rules.update(FunctionName("f"), stored, {"TracingConfig": {"Mode": "PassThrough"}}, None)
    assert (changed.is_traced, changed.inert) == (False, {})
