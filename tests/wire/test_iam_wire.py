"""The IAM API's form: query requests and XML, what does not exist, limits under load, and the AWS CLI."""

import http.client
import json
import os
import subprocess
import urllib.parse
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from wire.iam import ADMINISTRATOR, READS, TRUST, fresh_account, refused

NAMESPACE = "{https://iam.amazonaws.com/doc/2010-05-08/}"


@pytest.fixture
def ask(server):
    """Send a form, or a query where nothing is posted; return the status, the XML and its text."""
    account = fresh_account()

    def send(method="POST", **fields):
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        form = urllib.parse.urlencode({"Version": "2010-05-08", **fields})
        # botocore signs for the client's own region where IAM has an endpoint of its own.
        headers = {"Authorization": f"Credential={account}/20260101/eu-west-1/iam/aws4_request,"}
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
            connection.request("POST", "/", form, headers)
        else:
            connection.request("GET", f"/?{form}", headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, ET.fromstring(text), text

    return send


def texts(root, name):
    return [element.text for element in root.iter(NAMESPACE + name)]


def test_answers_are_xml_with_documents_in_url_encoding(ask):
    """A document comes back to the letter, what was encoded in it included, and a blank is no plus."""
    statement = '{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::a%3Ab+c/*"}'
    document = f'{{ "Version":"2012-10-17","Statement":[{statement} ]}}'
    status, root, text = ask(
        Action="CreatePolicy",
        PolicyName="p",
        PolicyDocument=document,
        **{"Tags.member.1.Key": "k", "Tags.member.1.Value": "v"},
    )
    assert status == 200
    assert text.startswith(
        '<CreatePolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><CreatePolicyResult>'
    )
    assert (texts(root, "Key"), texts(root, "IsAttachable")) == (["k"], ["true"])
    (arn,) = texts(root, "Arn")
    _, root, _ = ask("GET", Action="GetPolicyVersion", PolicyArn=arn, VersionId="v1")
    (encoded,) = texts(root, "Document")
    assert encoded.startswith("%7B%20%22Version%22%3A%222012-10-17%22") and "a%253Ab%2Bc%2F%2A" in encoded
    assert urllib.parse.unquote(encoded) == document
    (made_at,) = texts(root, "CreateDate")
    assert len(made_at) == len("2026-11-25T02:10:19Z") and made_at.endswith("Z")


def test_operations_without_an_output_have_metadata_alone(ask):
    """And UpdateRole, whose output has no members, an empty element."""
    ask(Action="CreateRole", RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    assert "<UpdateRoleResult/>" in ask(Action="UpdateRole", RoleName="r")[2]
    _, root, text = ask(Action="DeleteRole", RoleName="r")
    assert "Result" not in text and len(texts(root, "RequestId")) == 1


def test_lists_say_whether_there_is_more(ask):
    """IsTruncated is always there, Marker only if there is more; an empty list is there and empty."""
    _, root, text = ask(Action="ListUsers")
    assert texts(root, "IsTruncated") == ["false"] and "Marker" not in text and "<Users></Users>" in text


@pytest.mark.parametrize(
    ("fields", "status", "code", "message"),
    [
        ({"Action": "GetRole", "RoleName": "r"}, 404, "NoSuchEntity", "The role with name r cannot be found."),
        (
            {"Action": "GetRole", "RoleName": "a b"},
            400,
            "ValidationError",
            "1 validation error detected: Value 'a b' at 'roleName' failed to satisfy constraint: Member must satisfy "
            "regular expression pattern: [\\w+=,.@-]+",
        ),
        ({"Action": "CreateLoginProfile", "UserName": "u"}, 501, "NotImplementedException", None),
        ({"Action": "Nothing"}, 400, "InvalidAction", None),
    ],
)
def test_errors(ask, fields, status, code, message):
    """Codes without `Exception`, which tools compare."""
    answered, root, _ = ask(**fields)
    assert (answered, texts(root, "Code")) == (status, [code])
    assert texts(root, "Type") == ["Sender" if status < 500 else "Receiver"]
    if message is not None:
        assert texts(root, "Message") == [message]


ARN = "arn:aws:iam::{account}:policy/missing"
DOCUMENT = json.dumps(READS)
OF_MISSING = {
    "add_role_to_instance_profile": {"InstanceProfileName": "x", "RoleName": "x"},
    "add_user_to_group": {"GroupName": "x", "UserName": "x"},
    "attach_group_policy": {"GroupName": "x", "PolicyArn": ADMINISTRATOR},
    "attach_role_policy": {"RoleName": "x", "PolicyArn": ADMINISTRATOR},
    "attach_user_policy": {"UserName": "x", "PolicyArn": ADMINISTRATOR},
    "create_access_key": {"UserName": "x"},
    "create_policy_version": {"PolicyArn": ARN, "PolicyDocument": DOCUMENT},
    "delete_access_key": {"UserName": "x", "AccessKeyId": "AKIA" + "A" * 16},
    "delete_group": {"GroupName": "x"},
    "delete_group_policy": {"GroupName": "x", "PolicyName": "x"},
    "delete_instance_profile": {"InstanceProfileName": "x"},
    "delete_policy": {"PolicyArn": ARN},
    "delete_policy_version": {"PolicyArn": ARN, "VersionId": "v1"},
    "delete_role": {"RoleName": "x"},
    "delete_role_permissions_boundary": {"RoleName": "x"},
    "delete_role_policy": {"RoleName": "x", "PolicyName": "x"},
    "delete_service_linked_role": {"RoleName": "x"},
    "delete_user": {"UserName": "x"},
    "delete_user_permissions_boundary": {"UserName": "x"},
    "delete_user_policy": {"UserName": "x", "PolicyName": "x"},
    "detach_group_policy": {"GroupName": "x", "PolicyArn": ADMINISTRATOR},
    "detach_role_policy": {"RoleName": "x", "PolicyArn": ADMINISTRATOR},
    "detach_user_policy": {"UserName": "x", "PolicyArn": ADMINISTRATOR},
    "get_context_keys_for_principal_policy": {"PolicySourceArn": "arn:aws:iam::{account}:user/x"},
    "get_group": {"GroupName": "x"},
    "get_group_policy": {"GroupName": "x", "PolicyName": "x"},
    "get_instance_profile": {"InstanceProfileName": "x"},
    "get_policy": {"PolicyArn": ARN},
    "get_policy_version": {"PolicyArn": ARN, "VersionId": "v1"},
    "get_role_policy": {"RoleName": "x", "PolicyName": "x"},
    "get_user": {"UserName": "x"},
    "get_user_policy": {"UserName": "x", "PolicyName": "x"},
    "list_access_keys": {"UserName": "x"},
    "list_attached_group_policies": {"GroupName": "x"},
    "list_attached_role_policies": {"RoleName": "x"},
    "list_attached_user_policies": {"UserName": "x"},
    "list_entities_for_policy": {"PolicyArn": ARN},
    "list_group_policies": {"GroupName": "x"},
    "list_groups_for_user": {"UserName": "x"},
    "list_instance_profile_tags": {"InstanceProfileName": "x"},
    "list_instance_profiles_for_role": {"RoleName": "x"},
    "list_policy_tags": {"PolicyArn": ARN},
    "list_policy_versions": {"PolicyArn": ARN},
    "list_role_policies": {"RoleName": "x"},
    "list_role_tags": {"RoleName": "x"},
    "list_user_policies": {"UserName": "x"},
    "list_user_tags": {"UserName": "x"},
    "put_group_policy": {"GroupName": "x", "PolicyName": "x", "PolicyDocument": DOCUMENT},
    "put_role_permissions_boundary": {"RoleName": "x", "PermissionsBoundary": ADMINISTRATOR},
    "put_role_policy": {"RoleName": "x", "PolicyName": "x", "PolicyDocument": DOCUMENT},
    "put_user_permissions_boundary": {"UserName": "x", "PermissionsBoundary": ADMINISTRATOR},
    "put_user_policy": {"UserName": "x", "PolicyName": "x", "PolicyDocument": DOCUMENT},
    "remove_role_from_instance_profile": {"InstanceProfileName": "x", "RoleName": "x"},
    "remove_user_from_group": {"GroupName": "x", "UserName": "x"},
    "set_default_policy_version": {"PolicyArn": ARN, "VersionId": "v1"},
    "tag_instance_profile": {"InstanceProfileName": "x", "Tags": [{"Key": "a", "Value": "b"}]},
    "tag_policy": {"PolicyArn": ARN, "Tags": [{"Key": "a", "Value": "b"}]},
    "tag_role": {"RoleName": "x", "Tags": [{"Key": "a", "Value": "b"}]},
    "tag_user": {"UserName": "x", "Tags": [{"Key": "a", "Value": "b"}]},
    "untag_instance_profile": {"InstanceProfileName": "x", "TagKeys": ["a"]},
    "untag_policy": {"PolicyArn": ARN, "TagKeys": ["a"]},
    "untag_role": {"RoleName": "x", "TagKeys": ["a"]},
    "untag_user": {"UserName": "x", "TagKeys": ["a"]},
    "update_access_key": {"UserName": "x", "AccessKeyId": "AKIA" + "A" * 16, "Status": "Active"},
    "update_assume_role_policy": {"RoleName": "x", "PolicyDocument": json.dumps(TRUST)},
    "update_group": {"GroupName": "x"},
    "update_role": {"RoleName": "x"},
    "update_role_description": {"RoleName": "x", "Description": ""},
    "update_user": {"UserName": "x"},
}
"""Each operation on something that has to be there, and is not."""


def test_what_is_not_there(iam, account):
    """404 and NoSuchEntity: tools take nothing else for gone."""
    wrong = {}
    for operation, parameters in OF_MISSING.items():
        asked = {
            name: value.format(account=account) if name in {"PolicyArn", "PolicySourceArn"} else value
            for name, value in parameters.items()
        }
        status, code, message = refused(getattr(iam, operation), **asked)
        if (status, code) != (404, "NoSuchEntity"):
            wrong[operation] = (status, code, message)
    assert wrong == {}


def test_limits_hold_when_many_ask_at_once(server):
    """Two keys, whoever comes first; one role of a name, and one of it alone."""
    account = fresh_account()
    clients = [server.client("iam", account=account) for _ in range(8)]
    clients[0].create_user(UserName="u")

    def attempt(call, **parameters):
        try:
            call(**parameters)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "made"

    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda client: attempt(client.create_access_key, UserName="u"), clients))
        roles = list(
            pool.map(
                lambda client: attempt(client.create_role, RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST)),
                clients,
            )
        )
    assert sorted(keys) == ["LimitExceeded"] * 6 + ["made"] * 2
    assert sorted(roles) == ["EntityAlreadyExists"] * 7 + ["made"]
    assert len(clients[0].list_access_keys(UserName="u")["AccessKeyMetadata"]) == 2


def test_identities_outlive_a_server(own_server):
    """And a key's secret is the same one, which is kept nowhere."""
    server = own_server().start()
    iam = server.client("iam")
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]
    server.stop()
    stored = b"".join(path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file())
    assert key["AccessKeyId"].encode() in stored
    assert key["SecretAccessKey"].encode() not in stored
    assert key["SecretAccessKey"] not in "".join(server.log)
    server.restart()
    listed = server.client("iam").list_access_keys(UserName="u")["AccessKeyMetadata"]
    assert [one["AccessKeyId"] for one in listed] == [key["AccessKeyId"]]


def test_a_policy_of_aws_that_is_not_shipped_is_said_once(own_server):
    """It may be attached, and allows nothing: the operator can know."""
    server = own_server().start()
    iam = server.client("iam")
    arn = "arn:aws:iam::aws:policy/SomethingElse"
    for name in ("a", "b"):
        iam.create_user(UserName=name)
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
    iam.attach_user_policy(UserName="a", PolicyArn=ADMINISTRATOR)
    server.stop()
    said = [line for line in server.log if "iam.unknown_managed_policy" in line]
    assert len(said) == 1 and arn in said[0]


@pytest.mark.parametrize("program", ["aws_cli_1", "aws_cli_2"])
def test_the_aws_cli(request, program, server, tmp_path):
    """What a user types: a role for a function, read back, its policies, and away with it."""
    command = request.getfixturevalue(program)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": fresh_account(),
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_PAGER": "",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def aws(*arguments):
        full = [command, "--endpoint-url", server.endpoint, "--output", "json", "iam", *arguments]
        done = subprocess.run(full, capture_output=True, text=True, env=environ, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps(TRUST))
    named = ("--role-name", "r")
    role = aws("create-role", *named, "--assume-role-policy-document", f"file://{trust}")["Role"]
    aws("wait", "role-exists", *named)
    aws("attach-role-policy", *named, "--policy-arn", ADMINISTRATOR)
    assert aws("get-role", *named)["Role"]["AssumeRolePolicyDocument"] == TRUST
    assert [one["RoleName"] for one in aws("list-roles")["Roles"]] == ["r"]
    asked = ("--policy-source-arn", role["Arn"], "--action-names", "lambda:InvokeFunction")
    assert aws("simulate-principal-policy", *asked)["EvaluationResults"][0]["EvalDecision"] == "allowed"
    aws("detach-role-policy", *named, "--policy-arn", ADMINISTRATOR)
    aws("delete-role", *named)
    assert aws("list-roles")["Roles"] == []
