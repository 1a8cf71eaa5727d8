"""What operations of IAM ask leave for, what denials call it, and which condition keys there are."""

from collections.abc import Mapping
from typing import Any

import pytest
from unit.access.people import A, as_session, as_user, calling, role, user

from lambent.domain.principal import root_of
from lambent.protocol.service_model import ServiceModel
from lambent.services.iam.demands import DEMANDS

BASE = f"arn:aws:iam::{A}:"
POLICY = f"{BASE}policy/p"
CALLER = calling(as_user(user(path="/team/")))
TAGS = [{"Key": "Team", "Value": "red"}]
TAGGED = {"aws:requesttag/team": "red", "aws:tagkeys": ("Team",)}


@pytest.mark.parametrize(
    ("operation", "request_", "expected"),
    [
        ("GetRole", {"RoleName": "r"}, [("GetRole", f"{BASE}role/r", "role r", {})]),
        ("CreateRole", {"RoleName": "r", "Path": "/p/"}, [("CreateRole", f"{BASE}role/p/r", "role r", {})]),
        (
            "CreateRole",
            {"RoleName": "r", "PermissionsBoundary": POLICY, "Tags": TAGS},
            [
                ("CreateRole", f"{BASE}role/r", "role r", {"iam:permissionsboundary": POLICY, **TAGGED}),
                ("TagRole", f"{BASE}role/r", "role r", {"iam:permissionsboundary": POLICY, **TAGGED}),
            ],
        ),
        (
            "AttachRolePolicy",
            {"RoleName": "r", "PolicyArn": POLICY},
            [("AttachRolePolicy", f"{BASE}role/r", "role r", {"iam:policyarn": POLICY})],
        ),
        (
            "UntagUser",
            {"UserName": "b", "TagKeys": ["k"]},
            [("UntagUser", f"{BASE}user/b", "user b", {"aws:tagkeys": ("k",)})],
        ),
        ("GetUser", {}, [("GetUser", f"{BASE}user/team/u", "user u", {})]),
        ("CreateAccessKey", {}, [("CreateAccessKey", f"{BASE}user/team/u", "user u", {})]),
        (
            "UpdateUser",
            {"UserName": "b", "NewUserName": "c", "NewPath": "/x/"},
            [("UpdateUser", f"{BASE}user/b", "user b", {}), ("UpdateUser", f"{BASE}user/x/c", "user c", {})],
        ),
        (
            "UpdateUser",
            {"UserName": "b", "NewPath": "/x/"},
            [("UpdateUser", f"{BASE}user/b", "user b", {}), ("UpdateUser", f"{BASE}user/x/b", "user b", {})],
        ),
        ("AddUserToGroup", {"GroupName": "g", "UserName": "b"}, [("AddUserToGroup", f"{BASE}group/g", "group g", {})]),
        ("CreatePolicy", {"PolicyName": "p"}, [("CreatePolicy", POLICY, "policy p", {})]),
        ("GetPolicy", {"PolicyArn": POLICY}, [("GetPolicy", POLICY, f"policy {POLICY}", {})]),
        ("ListRoles", {}, [("ListRoles", "*", "", {})]),
        (
            "AddRoleToInstanceProfile",
            {"InstanceProfileName": "i", "RoleName": "r"},
            [
                ("AddRoleToInstanceProfile", f"{BASE}instance-profile/i", "instance profile i", {}),
                ("PassRole", f"{BASE}role/r", "", {"iam:passedtoservice": "ec2.amazonaws.com"}),
            ],
        ),
        (
            "CreateServiceLinkedRole",
            {"AWSServiceName": "x.amazonaws.com"},
            [
                (
                    "CreateServiceLinkedRole",
                    f"{BASE}role/aws-service-role/x.amazonaws.com/*",
                    "",
                    {"iam:awsservicename": "x.amazonaws.com"},
                )
            ],
        ),
        (
            "GetServiceLinkedRoleDeletionStatus",
            {"DeletionTaskId": "task/aws-service-role/x.amazonaws.com/R/id"},
            [("GetServiceLinkedRoleDeletionStatus", f"{BASE}role/aws-service-role/x.amazonaws.com/R", "", {})],
        ),
        (
            "CreateOpenIDConnectProvider",
            {"Url": "https://issuer.example/path/"},
            [
                (
                    "CreateOpenIDConnectProvider",
                    f"{BASE}oidc-provider/issuer.example/path",
                    f"{BASE}oidc-provider/issuer.example/path",
                    {},
                )
            ],
        ),
        (
            "SimulatePrincipalPolicy",
            {"PolicySourceArn": f"{BASE}user/b"},
            [("SimulatePrincipalPolicy", f"{BASE}user/b", f"resource {BASE}user/b", {})],
        ),
    ],
)
def test_demands(operation: str, request_: Mapping[str, Any], expected: list[tuple[Any, ...]]) -> None:
    found = DEMANDS[operation](CALLER, request_)
    assert [
        (one.action.removeprefix("iam:"), one.resource, one.shown_as, dict(one.context)) for one in found
    ] == expected


def test_who_names_nobody_means_itself() -> None:
    """Of root its account; a role's session is nobody who could be meant."""
    (root,) = DEMANDS["GetUser"](calling(root_of(A)), {})
    (session,) = DEMANDS["GetUser"](calling(as_session(role())), {})
    assert (root.resource, session.resource, session.shown_as) == (f"{BASE}root", "*", "*")


def test_actions_are_operations() -> None:
    """And each operation is its own first action."""
    known = set(ServiceModel("iam").operations)
    assert set(DEMANDS) <= known
