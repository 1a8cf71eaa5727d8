"""
What the AWS provider of Terraform and OpenTofu asks for of IAM, as scripts of requests; `test_terraform_calls` says
why, and what a settled resource is.

The calls are those of provider 6.x (hashicorp/terraform-provider-aws, internal/service/iam).
"""

import json
import urllib.parse
from typing import ClassVar

import pytest
from botocore import handlers
from botocore.exceptions import ClientError
from iac.test_terraform_calls import settled
from wire.iam import ADMINISTRATOR, EXECUTION, READS, TRUST, fresh_account


@pytest.fixture
def client(server):
    """The provider is written in another language: documents are decoded by what it has, not by boto3."""
    made = server.client("iam", account=fresh_account())
    made.meta.events.unregister("after-call.iam", handlers.json_decode_policies)
    return made


def is_gone(call, **parameters):
    """Whether a read answers NoSuchEntity, as the provider asks."""
    try:
        call(**parameters)
    except ClientError as error:
        return (error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]) == (
            404,
            "NoSuchEntity",
        )
    return False


def decoded(document):
    """Decode as Go's url.QueryUnescape does, for which a plus is a blank."""
    return json.loads(urllib.parse.unquote_plus(document))


class Role:
    """aws_iam_role."""

    LEFT_OUT: ClassVar = {
        "description": "",
        "managed_policy_arns": [],
        "inline_policy": [],
        "max_session_duration": 3600,
        "path": "/",
        "permissions_boundary": "",
        "tags": {},
    }

    def __init__(self, client, name, **members):
        self.client = client
        self.name = name
        made = client.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), Path="/", MaxSessionDuration=3600, **members
        )
        self.arn = made["Role"]["Arn"]

    def read(self):
        found = self.client.get_role(RoleName=self.name)["Role"]
        inline = self.client.list_role_policies(RoleName=self.name)["PolicyNames"]
        attached = self.client.list_attached_role_policies(RoleName=self.name)["AttachedPolicies"]
        return {
            "arn": found["Arn"],
            "assume_role_policy": decoded(found["AssumeRolePolicyDocument"]),
            "description": found.get("Description", ""),
            "inline_policy": inline,
            "managed_policy_arns": [one["PolicyArn"] for one in attached],
            "max_session_duration": found["MaxSessionDuration"],
            "path": found["Path"],
            "permissions_boundary": found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            "tags": {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
            "unique_id": found["RoleId"],
        }

    def delete(self):
        for profile in self.client.list_instance_profiles_for_role(RoleName=self.name)["InstanceProfiles"]:
            self.client.remove_role_from_instance_profile(
                InstanceProfileName=profile["InstanceProfileName"], RoleName=self.name
            )
        for one in self.client.list_attached_role_policies(RoleName=self.name)["AttachedPolicies"]:
            self.client.detach_role_policy(RoleName=self.name, PolicyArn=one["PolicyArn"])
        for name in self.client.list_role_policies(RoleName=self.name)["PolicyNames"]:
            self.client.delete_role_policy(RoleName=self.name, PolicyName=name)
        self.client.delete_role(RoleName=self.name)


def test_aws_iam_role(client):
    """Made, unchanged, changed, and forced away with all that is attached to it."""
    role = Role(client, "r")
    settled(role, assume_role_policy=TRUST)
    client.update_role(RoleName="r", Description="d", MaxSessionDuration=7200)
    client.tag_role(RoleName="r", Tags=[{"Key": "team", "Value": "a"}])
    client.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=ADMINISTRATOR)
    client.attach_role_policy(RoleName="r", PolicyArn=EXECUTION)
    client.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(READS))
    other = {**TRUST, "Statement": [{**TRUST["Statement"][0], "Principal": {"Service": "scheduler.amazonaws.com"}}]}
    client.update_assume_role_policy(RoleName="r", PolicyDocument=json.dumps(other))
    settled(
        role,
        assume_role_policy=other,
        description="d",
        inline_policy=["p"],
        managed_policy_arns=[EXECUTION],
        max_session_duration=7200,
        permissions_boundary=ADMINISTRATOR,
        tags={"team": "a"},
    )
    client.untag_role(RoleName="r", TagKeys=["team"])
    client.delete_role_permissions_boundary(RoleName="r")
    role.delete()
    assert is_gone(client.get_role, RoleName="r")


def test_aws_iam_role_policy(client):
    """An inline policy of a role, read back by its two names."""
    role = Role(client, "r")
    client.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(READS))
    found = client.get_role_policy(RoleName="r", PolicyName="p")
    assert (found["RoleName"], found["PolicyName"], decoded(found["PolicyDocument"])) == ("r", "p", READS)
    client.delete_role_policy(RoleName="r", PolicyName="p")
    assert is_gone(client.get_role_policy, RoleName="r", PolicyName="p")
    role.delete()
    assert is_gone(client.get_role_policy, RoleName="r", PolicyName="p")


def test_aws_iam_role_policy_attachment(client):
    """A policy of AWS's that is in no list is attached, and found among those of the role."""
    role = Role(client, "r")
    arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaSomethingNewExecutionRole"
    client.attach_role_policy(RoleName="r", PolicyArn=arn)
    attached = client.list_attached_role_policies(RoleName="r")["AttachedPolicies"]
    assert attached == [{"PolicyName": "AWSLambdaSomethingNewExecutionRole", "PolicyArn": arn}]
    client.detach_role_policy(RoleName="r", PolicyArn=arn)
    assert client.list_attached_role_policies(RoleName="r")["AttachedPolicies"] == []
    assert is_gone(client.detach_role_policy, RoleName="r", PolicyArn=arn)
    role.delete()


class Policy:
    """aws_iam_policy."""

    LEFT_OUT: ClassVar = {"attachment_count": 0, "description": "", "path": "/", "tags": {}}

    def __init__(self, client, name, **members):
        self.client = client
        made = client.create_policy(PolicyName=name, Path="/", PolicyDocument=json.dumps(READS), **members)
        self.arn = made["Policy"]["Arn"]

    def read(self):
        found = self.client.get_policy(PolicyArn=self.arn)["Policy"]
        version = self.client.get_policy_version(PolicyArn=self.arn, VersionId=found["DefaultVersionId"])
        return {
            "arn": found["Arn"],
            "attachment_count": found["AttachmentCount"],
            "description": found.get("Description", ""),
            "name": found["PolicyName"],
            "path": found["Path"],
            "policy": decoded(version["PolicyVersion"]["Document"]),
            "policy_id": found["PolicyId"],
            "tags": {tag["Key"]: tag["Value"] for tag in found["Tags"]},
        }

    def update(self, document):
        """Make room by deleting the oldest version that does not count, then make a new one."""
        versions = self.client.list_policy_versions(PolicyArn=self.arn)["Versions"]
        if len(versions) == 5:
            oldest = min(
                (one for one in versions if not one["IsDefaultVersion"]), key=lambda one: int(one["VersionId"][1:])
            )
            self.client.delete_policy_version(PolicyArn=self.arn, VersionId=oldest["VersionId"])
        self.client.create_policy_version(PolicyArn=self.arn, PolicyDocument=json.dumps(document), SetAsDefault=True)

    def delete(self):
        for one in self.client.list_policy_versions(PolicyArn=self.arn)["Versions"]:
            if not one["IsDefaultVersion"]:
                self.client.delete_policy_version(PolicyArn=self.arn, VersionId=one["VersionId"])
        self.client.delete_policy(PolicyArn=self.arn)


def test_aws_iam_policy(client):
    """Changed more often than it may have versions."""
    policy = Policy(client, "p", Description="d")
    settled(policy, policy=READS, description="d")
    for number in range(6):
        document = {**READS, "Statement": [{**READS["Statement"][0], "Action": f"s3:Get{number}"}]}
        policy.update(document)
        settled(policy, policy=document, description="d")
    policy.delete()
    assert is_gone(client.get_policy, PolicyArn=policy.arn)


def test_aws_iam_user_and_its_keys(client):
    """aws_iam_user, aws_iam_access_key and aws_iam_user_policy_attachment."""
    client.create_user(UserName="u", Path="/")
    key = client.create_access_key(UserName="u")["AccessKey"]
    found = client.list_access_keys(UserName="u")["AccessKeyMetadata"]
    assert [(one["AccessKeyId"], one["Status"]) for one in found] == [(key["AccessKeyId"], "Active")]
    client.attach_user_policy(UserName="u", PolicyArn=ADMINISTRATOR)
    client.detach_user_policy(UserName="u", PolicyArn=ADMINISTRATOR)
    client.delete_access_key(UserName="u", AccessKeyId=key["AccessKeyId"])
    client.delete_user(UserName="u")
    assert is_gone(client.get_user, UserName="u")


def test_aws_iam_instance_profile(client):
    """Made with a role, read, and away before the role is."""
    role = Role(client, "r")
    client.create_instance_profile(InstanceProfileName="i", Path="/")
    client.add_role_to_instance_profile(InstanceProfileName="i", RoleName="r")
    found = client.get_instance_profile(InstanceProfileName="i")["InstanceProfile"]
    assert [one["RoleName"] for one in found["Roles"]] == ["r"]
    role.delete()
    client.delete_instance_profile(InstanceProfileName="i")
    assert is_gone(client.get_instance_profile, InstanceProfileName="i")
