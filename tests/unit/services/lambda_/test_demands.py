"""What each operation of Lambda asks leave for, as its request names it."""

from collections.abc import Mapping
from typing import Any

import pytest

from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import root_of
from lambent.protocol.service_model import ServiceModel
from lambent.services.lambda_.demands import DEMANDS

A, X = "111122223333", "444455556666"
CALLER = Caller(Scope(A, "eu-west-1"), root_of(A), "signature", "id", "https://x")
BASE = f"arn:aws:lambda:eu-west-1:{A}:"
F = f"{BASE}function:f"
ROLE = f"arn:aws:iam::{A}:role/p/r"
LAYER = f"{BASE}layer:l:3"
MAPPING = f"{BASE}event-source-mapping:"
PASSED = {"iam:passedtoservice": "lambda.amazonaws.com", "iam:associatedresourcearn": F}


def asked(operation: str, request: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return action, resource, and the context where there is one."""
    return [
        (demand.action, demand.resource, *([dict(demand.context)] if demand.context else []))
        for demand in DEMANDS[operation](CALLER, request)
    ]


@pytest.mark.parametrize(
    ("operation", "request_", "expected"),
    [
        ("Invoke", {"FunctionName": "f"}, [("lambda:InvokeFunction", F)]),
        ("Invoke", {"FunctionName": "f:prod"}, [("lambda:InvokeFunction", f"{F}:prod")]),
        ("Invoke", {"FunctionName": "f", "Qualifier": "prod"}, [("lambda:InvokeFunction", f"{F}:prod")]),
        ("Invoke", {"FunctionName": F, "Qualifier": "$LATEST"}, [("lambda:InvokeFunction", f"{F}:$LATEST")]),
        ("Invoke", {"FunctionName": f"{A}:function:f"}, [("lambda:InvokeFunction", F)]),
        ("Invoke", {"FunctionName": F.replace(A, X)}, [("lambda:InvokeFunction", F.replace(A, X))]),
        ("InvokeWithResponseStream", {"FunctionName": "f"}, [("lambda:InvokeFunction", F)]),
        ("InvokeAsync", {"FunctionName": "f"}, [("lambda:InvokeFunction", F)]),
        ("GetFunction", {"FunctionName": "f:1"}, [("lambda:GetFunction", f"{F}:1")]),
        ("CreateAlias", {"FunctionName": "f", "Name": "a"}, [("lambda:CreateAlias", F)]),
        (
            "PutProvisionedConcurrencyConfig",
            {"FunctionName": "f", "Qualifier": "1"},
            [("lambda:PutProvisionedConcurrencyConfig", f"{F}:1")],
        ),
        ("UpdateFunctionCode", {"FunctionName": "f", "ZipFile": b""}, [("lambda:UpdateFunctionCode", F)]),
        (
            "UpdateFunctionCode",
            {"FunctionName": "f:1", "S3Bucket": "b", "S3Key": "k/z"},
            [("lambda:UpdateFunctionCode", f"{F}:1"), ("s3:GetObject", "arn:aws:s3:::b/k/z")],
        ),
        (
            "CreateFunction",
            {"FunctionName": "f", "Code": {"S3Bucket": "b", "S3Key": "z"}},
            [("lambda:CreateFunction", F), ("s3:GetObject", "arn:aws:s3:::b/z")],
        ),
        (
            "PublishLayerVersion",
            {"LayerName": "l", "Content": {"S3Bucket": "b", "S3Key": "z", "S3ObjectVersion": "v"}},
            [("lambda:PublishLayerVersion", f"{BASE}layer:l"), ("s3:GetObjectVersion", "arn:aws:s3:::b/z")],
        ),
        ("ListFunctions", {}, [("lambda:ListFunctions", "*")]),
        ("GetAccountSettings", {}, [("lambda:GetAccountSettings", "*")]),
        ("ListLayers", {}, [("lambda:ListLayers", "*")]),
        ("ListLayerVersions", {"LayerName": "l"}, [("lambda:ListLayerVersions", "*")]),
        (
            "CreateFunction",
            {"FunctionName": "f", "Role": ROLE},
            [("lambda:CreateFunction", F), ("iam:PassRole", ROLE, PASSED)],
        ),
        ("UpdateFunctionConfiguration", {"FunctionName": "f"}, [("lambda:UpdateFunctionConfiguration", F)]),
        (
            "UpdateFunctionConfiguration",
            {"FunctionName": "f", "Role": ROLE},
            [("lambda:UpdateFunctionConfiguration", F), ("iam:PassRole", ROLE, PASSED)],
        ),
        (
            "CreateFunction",
            {
                "FunctionName": "f",
                "Role": ROLE,
                "Layers": [LAYER, LAYER],
                "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
                "CodeSigningConfigArn": "arn:csc",
                "Tags": {"Team": "red"},
            },
            [
                (
                    "lambda:CreateFunction",
                    F,
                    {
                        "lambda:layer": (LAYER, LAYER),
                        "lambda:subnetids": ("subnet-1",),
                        "lambda:securitygroupids": ("sg-1",),
                        "lambda:codesigningconfigarn": "arn:csc",
                        "aws:requesttag/team": "red",
                        "aws:tagkeys": ("Team",),
                    },
                ),
                ("lambda:TagResource", F, {"aws:requesttag/team": "red", "aws:tagkeys": ("Team",)}),
                ("iam:PassRole", ROLE, PASSED),
                ("lambda:GetLayerVersion", LAYER),
            ],
        ),
        (
            "AddPermission",
            {"FunctionName": "f", "Qualifier": "a", "Principal": "*", "FunctionUrlAuthType": "NONE"},
            [("lambda:AddPermission", f"{F}:a", {"lambda:principal": "*", "lambda:functionurlauthtype": "NONE"})],
        ),
        ("RemovePermission", {"FunctionName": "f"}, [("lambda:RemovePermission", F)]),
        (
            "CreateFunctionUrlConfig",
            {"FunctionName": "f", "Qualifier": "a", "AuthType": "NONE"},
            [
                (
                    "lambda:CreateFunctionUrlConfig",
                    f"{F}:a",
                    {"lambda:functionarn": f"{F}:a", "lambda:functionurlauthtype": "NONE"},
                )
            ],
        ),
        (
            "GetFunctionUrlConfig",
            {"FunctionName": "f"},
            [("lambda:GetFunctionUrlConfig", F, {"lambda:functionarn": F})],
        ),
        ("PutResourcePolicy", {"ResourceArn": f"{F}:a"}, [("lambda:PutResourcePolicy", f"{F}:a")]),
        (
            "CreateEventSourceMapping",
            {"FunctionName": "f:a", "Tags": {"t": "v"}},
            [
                (
                    "lambda:CreateEventSourceMapping",
                    "*",
                    {"lambda:functionarn": f"{F}:a", "aws:requesttag/t": "v", "aws:tagkeys": ("t",)},
                ),
                ("lambda:TagResource", f"{MAPPING}*", {"aws:requesttag/t": "v", "aws:tagkeys": ("t",)}),
            ],
        ),
        ("ListEventSourceMappings", {}, [("lambda:ListEventSourceMappings", "*")]),
        ("GetEventSourceMapping", {"UUID": "u"}, [("lambda:GetEventSourceMapping", f"{MAPPING}u")]),
        (
            "UpdateEventSourceMapping",
            {"UUID": "u", "FunctionName": "g"},
            [
                ("lambda:UpdateEventSourceMapping", f"{MAPPING}u"),
                ("lambda:UpdateEventSourceMapping", f"{MAPPING}u", {"lambda:functionarn": f"{BASE}function:g"}),
            ],
        ),
        ("PublishLayerVersion", {"LayerName": "l"}, [("lambda:PublishLayerVersion", f"{BASE}layer:l")]),
        ("GetLayerVersion", {"LayerName": "l", "VersionNumber": 3}, [("lambda:GetLayerVersion", LAYER)]),
        (
            "DeleteLayerVersion",
            {"LayerName": f"{BASE}layer:l", "VersionNumber": 3},
            [("lambda:DeleteLayerVersion", LAYER)],
        ),
        ("GetLayerVersionByArn", {"Arn": LAYER.replace(A, X)}, [("lambda:GetLayerVersion", LAYER.replace(A, X))]),
        ("ListTags", {"Resource": F}, [("lambda:ListTags", F)]),
        (
            "TagResource",
            {"Resource": f"{MAPPING}u", "Tags": {"k": "v"}},
            [("lambda:TagResource", f"{MAPPING}u", {"aws:requesttag/k": "v", "aws:tagkeys": ("k",)})],
        ),
        (
            "UntagResource",
            {"Resource": F, "TagKeys": ["k"]},
            [("lambda:UntagResource", F, {"aws:tagkeys": ("k",)})],
        ),
    ],
)
def test_demands(operation: str, request_: Mapping[str, Any], expected: list[tuple[Any, ...]]) -> None:
    assert asked(operation, request_) == expected


def test_what_names_no_resource_needs_leave_for_all() -> None:
    """No policy but one for `*` allows what the operation itself will refuse."""
    assert asked("GetPolicy", {"FunctionName": "::"}) == [("lambda:GetPolicy", "*")]
    assert asked("ListTags", {"Resource": "f"}) == [("lambda:ListTags", "*")]
    assert asked("PublishLayerVersion", {"LayerName": "a:b:c"}) == [("lambda:PublishLayerVersion", "*")]


def test_actions_are_operations() -> None:
    """Of the model, but for invocations, which have one for all."""
    request = {"FunctionName": "f", "LayerName": "l", "VersionNumber": 1, "UUID": "u", "Arn": LAYER}
    request |= {"Resource": F, "ResourceArn": F}
    actions = {demand.action for make in DEMANDS.values() for demand in make(CALLER, request)}
    known = {f"lambda:{name}" for name in ServiceModel("lambda").operations}
    assert actions - known == {"lambda:InvokeFunction"}
