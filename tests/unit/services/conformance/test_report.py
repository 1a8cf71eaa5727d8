"""The report on a service: model, judgements and evidence put together."""

from typing import Any

import pytest

from lambent.protocol.service_model import ServiceModel
from lambent.services.conformance.evidence import OperationEvidence
from lambent.services.conformance.judgement import Judgements, Verdict
from lambent.services.conformance.report import MemberReport, ServiceReport, members_of, report, report_service

TABLE = Judgements(
    acting={
        "UpdateAlias": "FunctionName Name RoutingConfig.AdditionalVersionWeights",
        "UpdateFunctionConfiguration": "FunctionName FileSystemConfigs[].Arn",
        "GetAccountSettings": "",
    },
    remarks={"Name": "of an alias"},
    echoed={"Description": "text", "VpcConfig": "no VPC", "FileSystemConfigs[].LocalMountPath": "no paths"},
    taken={},
    refused={"FunctionVersion": "no versions"},
    given=(
        "PreconditionFailedException ResourceNotFoundException TooManyRequestsException UnsupportedMediaTypeException"
    ),
    never={"no keys": "KMSDisabledException"},
    shown_otherwise={"UpdateAlias:Name": "wire/test_raw.py", "UnsupportedMediaTypeException": "wire/test_raw.py"},
)

EVIDENCE = {
    "UpdateAlias": OperationEvidence(
        {"FunctionName": "wire/test_a.py", "Description": "wire/test_a.py"},
        {"ResourceNotFoundException": "wire/test_a.py", "AccessDeniedException": "wire/test_b.py"},
    )
}


@pytest.fixture(scope="module")
def model() -> ServiceModel:
    return ServiceModel("lambda")


@pytest.fixture(scope="module")
def reported(model: ServiceModel) -> ServiceReport:
    return report_service(model, "lambda_", TABLE, {"Invoke": "functions do not run"}, EVIDENCE)


def members(reported: ServiceReport, operation: str) -> dict[str, MemberReport]:
    found = next(item for item in reported.operations if item.name == operation)
    assert found.is_offered
    return {member.path: member for member in found.members}


def error(reported: ServiceReport, name: str) -> Any:
    return next(item for item in reported.errors if item.name == name)


def test_members_of_members_and_of_lists(model: ServiceModel) -> None:
    """Two levels: a structure, then its members; a list of structures names the members of one."""
    paths = [path for path, _ in members_of(model.operations["CreateFunction"])]
    assert paths.index("Code") + 1 == paths.index("Code.ZipFile")
    assert "FileSystemConfigs[].Arn" in paths
    assert not any(path.count(".") > 1 for path in paths)


def test_verdicts_and_what_shows_them(reported: ServiceReport) -> None:
    """What is accepted has the test that sent it, or the one that the table names; what is refused needs none."""
    found = members(reported, "UpdateAlias")
    assert found["FunctionName"] == MemberReport("FunctionName", Verdict.ACTS, "", "wire/test_a.py")
    assert found["Name"] == MemberReport("Name", Verdict.ACTS, "of an alias", "wire/test_raw.py")
    assert found["Description"] == MemberReport("Description", Verdict.ECHOED, "text", "wire/test_a.py")
    assert found["FunctionVersion"] == MemberReport("FunctionVersion", Verdict.REFUSED, "no versions", None)
    assert found["RevisionId"] == MemberReport("RevisionId", Verdict.UNKNOWN, "", None)


def test_a_structure_is_what_its_members_are(reported: ServiceReport) -> None:
    """All alike: that. Different ones: see there. Judged as a whole: its members follow."""
    alias, function = members(reported, "UpdateAlias"), members(reported, "UpdateFunctionConfiguration")
    assert alias["RoutingConfig"].verdict is Verdict.ACTS
    assert function["FileSystemConfigs"].verdict is Verdict.PARTLY
    assert function["VpcConfig.SubnetIds"].verdict is Verdict.ECHOED
    assert function["SnapStart"].verdict is Verdict.UNKNOWN


def test_operations(reported: ServiceReport) -> None:
    """Offered, not offered for a reason, or newer than this version."""
    found = {operation.name: operation for operation in reported.operations}
    assert list(found) == sorted(found)
    assert (found["GetAccountSettings"].is_offered, found["GetAccountSettings"].members) == (True, ())
    assert (found["Invoke"].is_offered, found["Invoke"].reason) == (False, "functions do not run")
    assert found["CreateAlias"].reason == "unknown to this version"
    assert found["UpdateAlias"].errors == EVIDENCE["UpdateAlias"].errors
    # Of the model's errors those that are given and were not seen, but not what any operation may be answered.
    assert found["UpdateAlias"].unseen == ("PreconditionFailedException",)
    assert found["GetAccountSettings"].unseen == ()


def test_errors(reported: ServiceReport) -> None:
    """Given, with where; or never, with why."""
    missing, media = error(reported, "ResourceNotFoundException"), error(reported, "UnsupportedMediaTypeException")
    assert (missing.is_given, missing.status, missing.operations) == (True, 404, ("UpdateAlias",))
    assert (media.is_given, media.operations, media.shown_by) == (True, (), "wire/test_raw.py")
    keys = error(reported, "KMSDisabledException")
    assert (keys.is_given, keys.status, keys.reason) == (False, 502, "no keys")
    assert error(reported, "SnapStartException").reason == "unknown to this version"


def test_the_report_holds_every_service() -> None:
    """Those that a server answers, and the errors that none of their models has."""
    whole = report()
    assert [service.name for service in whole.services] == [
        "apigatewayv2",
        "cloudtrail",
        "cloudwatch",
        "iam",
        "lambda",
        "logs",
        "sqs",
        "sts",
        "xray",
    ]
    assert ("NotImplementedException", 501) in [(found.name, found.status) for found in whole.front_door]
