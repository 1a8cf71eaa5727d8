"""Roles over the wire: what each operation answers to the member, trust policies and whom they name."""

import json

import pytest
from botocore.exceptions import WaiterError
from wire.iam import ADMINISTRATOR, READS, TRUST, fresh_account, refused, trusting

QUICK = {"Delay": 0, "MaxAttempts": 2}


def made(iam, name, **members):
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), **members)["Role"]


def test_a_role_is_made_read_and_deleted(iam, account):
    """Each operation shows what AWS's does and no more: nothing is null, and dates are in whole seconds."""
    created = made(iam, "Reader", Path="/a/b/", Description="reads", MaxSessionDuration=7200)
    assert created == {
        "Path": "/a/b/",
        "RoleName": "Reader",
        "RoleId": created["RoleId"],
        "Arn": f"arn:aws:iam::{account}:role/a/b/Reader",
        "CreateDate": created["CreateDate"],
        "AssumeRolePolicyDocument": TRUST,
    }
    assert created["RoleId"].startswith("AROA") and len(created["RoleId"]) == 21
    assert created["CreateDate"].microsecond == 0
    listed = {**created, "Description": "reads", "MaxSessionDuration": 7200}
    # Names are found in any case, and shown as they were given.
    assert iam.get_role(RoleName="READER")["Role"] == {**listed, "RoleLastUsed": {}}
    assert iam.list_roles(PathPrefix="/a/")["Roles"] == [listed]
    assert iam.list_roles(PathPrefix="/b/")["Roles"] == []
    iam.get_waiter("role_exists").wait(RoleName="Reader", WaiterConfig=QUICK)
    iam.update_role(RoleName="Reader", MaxSessionDuration=3600)
    described = iam.update_role_description(RoleName="Reader", Description="reads more")["Role"]
    assert (described["Description"], described["MaxSessionDuration"]) == ("reads more", 3600)
    iam.update_role(RoleName="Reader", Description="")
    assert iam.get_role(RoleName="Reader")["Role"]["Description"] == ""
    iam.delete_role(RoleName="Reader")
    assert refused(iam.get_role, RoleName="Reader") == (
        404,
        "NoSuchEntity",
        "The role with name Reader cannot be found.",
    )
    with pytest.raises(WaiterError):
        iam.get_waiter("role_exists").wait(RoleName="Reader", WaiterConfig=QUICK)


def test_a_role_is_made_with_tags(iam):
    """They are part of the answer, as of GetRole's; ListRoles leaves them out."""
    tags = [{"Key": "team", "Value": "a"}]
    assert made(iam, "r", Tags=tags)["Tags"] == tags
    assert iam.get_role(RoleName="r")["Role"]["Tags"] == tags
    assert "Tags" not in iam.list_roles()["Roles"][0]


def test_a_trust_policy_is_changed(iam, account):
    """The text is kept as it was sent; only compared documents are the same to everybody."""
    made(iam, "r")
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trusting(account))
    assert iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"] == json.loads(trusting(account))


def test_names_are_taken_in_any_case_and_under_any_path(iam):
    """`Admin` beside `admin` would be two roles that policies cannot tell apart."""
    made(iam, "Admin")
    assert refused(iam.create_role, RoleName="admin", Path="/x/", AssumeRolePolicyDocument=json.dumps(TRUST)) == (
        409,
        "EntityAlreadyExists",
        "Role with name admin already exists.",
    )


@pytest.mark.parametrize("text", ["{", "[]", '{"Version": "2012-10-17"}'])
def test_a_trust_policy_has_to_be_one(iam, text):
    """What is no policy is refused before a role is made."""
    status, code, _ = refused(iam.create_role, RoleName="r", AssumeRolePolicyDocument=text)
    assert (status, code) == (400, "MalformedPolicyDocument")
    assert iam.list_roles()["Roles"] == []


def test_a_trust_policy_may_be_2048_characters_long(iam):
    """White space does not count."""
    filled = {**TRUST["Statement"][0], "Sid": "a" * 1_900}
    text = json.dumps({**TRUST, "Statement": [filled]}, indent=9)
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=text)
    longer = json.dumps({**TRUST, "Statement": [{**filled, "Sid": "a" * 2_000}]})
    assert refused(iam.update_assume_role_policy, RoleName="r", PolicyDocument=longer) == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for ACLSizePerRole: 2048",
    )


def test_whom_a_trust_policy_names_has_to_be_there(iam, account):
    """Terraform and CDK wait for a principal by this text; accounts need not be known."""
    missing = f"arn:aws:iam::{account}:role/missing"
    assert refused(iam.create_role, RoleName="r", AssumeRolePolicyDocument=trusting(missing)) == (
        400,
        "MalformedPolicyDocument",
        f'Invalid principal in policy: "AWS":"{missing}"',
    )
    elsewhere = f"arn:aws:iam::{fresh_account()}:root"
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusting(account, elsewhere, "*"))


def test_a_principal_that_is_made_anew_is_somebody_else(iam, account):
    """The trust is in the user that there was: the document shows its id when it is gone, and its name if renamed."""
    user = iam.create_user(UserName="u")["User"]
    text = trusting(user["Arn"], Condition={"ArnEquals": {"aws:PrincipalArn": user["Arn"]}})
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=text)

    def trusted():
        return iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]

    assert trusted() == json.loads(text)["Statement"][0]
    iam.update_user(UserName="u", NewUserName="renamed", NewPath="/p/")
    assert trusted()["Principal"] == {"AWS": [f"arn:aws:iam::{account}:user/p/renamed"]}
    iam.delete_user(UserName="renamed")
    iam.create_user(UserName="u")
    assert trusted()["Principal"] == {"AWS": [user["UserId"]]}
    # What is no principal stays as it was written.
    assert trusted()["Condition"] == {"ArnEquals": {"aws:PrincipalArn": user["Arn"]}}
    gone = trusting(user["UserId"])
    assert refused(iam.update_assume_role_policy, RoleName="r", PolicyDocument=gone)[1] == "MalformedPolicyDocument"


def test_what_belongs_to_a_role_is_removed_first(iam):
    """In AWS's order: the profile, attached policies, inline policies."""
    made(iam, "r")
    iam.create_instance_profile(InstanceProfileName="p")
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    iam.attach_role_policy(RoleName="r", PolicyArn=ADMINISTRATOR)
    iam.put_role_policy(RoleName="r", PolicyName="inline", PolicyDocument=json.dumps(READS))

    def conflict():
        status, code, message = refused(iam.delete_role, RoleName="r")
        assert (status, code) == (409, "DeleteConflict")
        return message

    assert conflict() == "Cannot delete entity, must remove roles from instance profile first."
    iam.remove_role_from_instance_profile(InstanceProfileName="p", RoleName="r")
    assert conflict() == "Cannot delete entity, must detach all policies first."
    iam.detach_role_policy(RoleName="r", PolicyArn=ADMINISTRATOR)
    assert conflict() == "Cannot delete entity, must delete policies first."
    iam.delete_role_policy(RoleName="r", PolicyName="inline")
    iam.delete_role(RoleName="r")


def test_boundaries_of_roles(iam, account):
    """A managed policy, set at the beginning or later; Terraform reads it back from GetRole."""
    policy = iam.create_policy(PolicyName="limit", PolicyDocument=json.dumps(READS))["Policy"]["Arn"]
    made(iam, "r", PermissionsBoundary=policy)
    shown = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": policy}
    assert iam.get_role(RoleName="r")["Role"]["PermissionsBoundary"] == shown
    assert iam.get_policy(PolicyArn=policy)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    assert refused(iam.delete_policy, PolicyArn=policy)[1] == "DeleteConflict"
    iam.delete_role_permissions_boundary(RoleName="r")
    assert "PermissionsBoundary" not in iam.get_role(RoleName="r")["Role"]
    assert refused(iam.delete_role_permissions_boundary, RoleName="r")[:2] == (404, "NoSuchEntity")
    iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=ADMINISTRATOR)
    role = f"arn:aws:iam::{account}:role/r"
    assert refused(iam.put_role_permissions_boundary, RoleName="r", PermissionsBoundary=role) == (
        400,
        "ValidationError",
        f"Value ({role}) for parameter PermissionsBoundary is invalid.",
    )
    missing = f"arn:aws:iam::{account}:policy/missing"
    assert refused(iam.put_role_permissions_boundary, RoleName="r", PermissionsBoundary=missing)[:2] == (
        404,
        "NoSuchEntity",
    )


def test_roles_that_belong_to_a_service(iam, account):
    """CreateServiceLinkedRole makes them, and nobody else changes what they may do."""
    service = "ops.apigateway.amazonaws.com"
    role = iam.create_service_linked_role(AWSServiceName=service, Description="d")["Role"]
    assert role["Arn"] == f"arn:aws:iam::{account}:role/aws-service-role/{service}/AWSServiceRoleForAPIGateway"
    assert refused(iam.create_service_linked_role, AWSServiceName=service) == (
        400,
        "InvalidInput",
        "Service role name AWSServiceRoleForAPIGateway has been taken in this account, please try a different suffix.",
    )
    assert refused(iam.create_service_linked_role, AWSServiceName=service, CustomSuffix="s") == (
        400,
        "InvalidInput",
        f"Custom suffix is not allowed for {service}",
    )
    named = {"RoleName": role["RoleName"]}
    for change, parameters in (
        (iam.delete_role, {}),
        (iam.attach_role_policy, {"PolicyArn": ADMINISTRATOR}),
        (iam.put_role_policy, {"PolicyName": "p", "PolicyDocument": json.dumps(READS)}),
        (iam.update_assume_role_policy, {"PolicyDocument": json.dumps(TRUST)}),
        (iam.update_role, {"MaxSessionDuration": 7200}),
        (iam.put_role_permissions_boundary, {"PermissionsBoundary": ADMINISTRATOR}),
    ):
        assert refused(change, **named, **parameters)[:2] == (400, "UnmodifiableEntity")
    iam.update_role(**named, Description="may be changed")
    task = iam.delete_service_linked_role(**named)["DeletionTaskId"]
    assert task.startswith(f"task/aws-service-role/{service}/AWSServiceRoleForAPIGateway/")
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    assert refused(iam.get_role, **named)[1] == "NoSuchEntity"
    assert refused(iam.get_service_linked_role_deletion_status, DeletionTaskId="task/x")[1] == "NoSuchEntity"
    scaling = iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="mine")["Role"]
    assert scaling["RoleName"] == "AWSServiceRoleForAutoScaling_mine"
    made(iam, "ordinary")
    assert refused(iam.delete_service_linked_role, RoleName="ordinary")[1] == "NoSuchEntity"
    reserved = {"Path": "/aws-service-role/x/", "AssumeRolePolicyDocument": json.dumps(TRUST)}
    assert refused(iam.create_role, RoleName="r", **reserved)[:2] == (400, "InvalidInput")
