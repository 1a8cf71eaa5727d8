"""Managed and inline policies over the wire: versions, attachments, limits, and AWS's own."""

import json

import pytest
from wire.iam import ADMINISTRATOR, EXECUTION, READS, TRUST, allowing, refused

DOCUMENT = json.dumps(READS)
KINDS = ("user", "group", "role")


def make(iam, kind, name="it"):
    """Make a user, group or role; return the parameter that names it."""
    member = f"{kind.capitalize()}Name"
    trust = {"AssumeRolePolicyDocument": json.dumps(TRUST)} if kind == "role" else {}
    getattr(iam, f"create_{kind}")(**{member: name}, **trust)
    return {member: name}


def test_a_policy_is_made_read_and_deleted(iam, account):
    """CreatePolicy leaves its description out, GetPolicy has it, and ListPolicies neither that nor tags."""
    tags = [{"Key": "team", "Value": "a"}]
    made = iam.create_policy(PolicyName="Reads", Path="/p/", PolicyDocument=DOCUMENT, Description="reads", Tags=tags)[
        "Policy"
    ]
    arn = f"arn:aws:iam::{account}:policy/p/Reads"
    shown = {
        "PolicyName": "Reads",
        "PolicyId": made["PolicyId"],
        "Arn": arn,
        "Path": "/p/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 0,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": made["CreateDate"],
        "UpdateDate": made["CreateDate"],
    }
    assert made["PolicyId"].startswith("ANPA")
    assert made == {**shown, "Tags": tags}
    assert iam.get_policy(PolicyArn=arn)["Policy"] == {**shown, "Description": "reads", "Tags": tags}
    assert iam.list_policies(Scope="Local", PathPrefix="/p/")["Policies"] == [shown]
    iam.get_waiter("policy_exists").wait(PolicyArn=arn)
    assert refused(iam.create_policy, PolicyName="READS", PolicyDocument=DOCUMENT) == (
        409,
        "EntityAlreadyExists",
        "A policy called READS already exists. Duplicate names are not allowed.",
    )
    iam.delete_policy(PolicyArn=arn)
    gone = (404, "NoSuchEntity", f"Policy {arn} was not found.")
    assert refused(iam.get_policy, PolicyArn=arn) == gone
    assert refused(iam.delete_policy, PolicyArn=arn) == gone
    # Another path is another policy, which is not there.
    arn = iam.create_policy(PolicyName="Reads", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["Tags"] == []
    assert refused(iam.get_policy, PolicyArn=f"arn:aws:iam::{account}:policy/p/Reads")[1] == "NoSuchEntity"


def test_versions(iam):
    """Five at most; numbers are never given again, and the one that counts stays."""
    arn = iam.create_policy(PolicyName="p", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    second = allowing("s3:PutObject")
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=second, SetAsDefault=True)["PolicyVersion"]
    assert made == {"VersionId": "v2", "IsDefaultVersion": True, "CreateDate": made["CreateDate"]}
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    found = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    assert found == {**made, "Document": json.loads(second)}
    for _ in range(3):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=DOCUMENT)
    assert refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument=DOCUMENT) == (
        409,
        "LimitExceeded",
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing "
        "version.",
    )
    listed = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(one["VersionId"], one["IsDefaultVersion"]) for one in listed] == [
        ("v5", False),
        ("v4", False),
        ("v3", False),
        ("v2", True),
        ("v1", False),
    ]
    assert all("Document" not in one for one in listed)
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v2")[1:] == (
        "DeleteConflict",
        "Cannot delete the default version of a policy.",
    )
    iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    assert iam.create_policy_version(PolicyArn=arn, PolicyDocument=DOCUMENT)["PolicyVersion"]["VersionId"] == "v6"
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v6")
    assert refused(iam.get_policy_version, PolicyArn=arn, VersionId="v5") == (
        404,
        "NoSuchEntity",
        f"Policy {arn} version v5 does not exist or is not attachable.",
    )
    assert refused(iam.delete_policy, PolicyArn=arn)[1] == "DeleteConflict"
    for version in ("v1", "v2", "v3", "v4"):
        iam.delete_policy_version(PolicyArn=arn, VersionId=version)
    iam.delete_policy(PolicyArn=arn)


def test_a_managed_policy_may_be_6144_characters_long(iam):
    """White space does not count."""
    policy = {**READS, "Statement": [{**READS["Statement"][0], "Action": ["s3:Get" + "a" * 6_020]}]}
    iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(policy, indent=20))
    policy["Statement"][0]["Action"] = ["s3:Get" + "a" * 6_144]
    assert refused(iam.create_policy, PolicyName="q", PolicyDocument=json.dumps(policy)) == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for PolicySize: 6144",
    )
    assert refused(iam.create_policy, PolicyName="q", PolicyDocument="{")[:2] == (400, "MalformedPolicyDocument")


@pytest.mark.parametrize("kind", KINDS)
def test_managed_policies_are_attached(iam, kind, account):
    """Once more is fine; ten at most; AWS's may be attached though they are in no list."""
    named = make(iam, kind)
    attach, detach, listed = (
        getattr(iam, name)
        for name in (f"attach_{kind}_policy", f"detach_{kind}_policy", f"list_attached_{kind}_policies")
    )
    own = iam.create_policy(PolicyName="own", Path="/p/", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    for arn in (own, own, EXECUTION):
        attach(**named, PolicyArn=arn)
    assert listed(**named)["AttachedPolicies"] == [
        {"PolicyName": "own", "PolicyArn": own},
        {"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": EXECUTION},
    ]
    assert [one["PolicyName"] for one in listed(**named, PathPrefix="/p/")["AttachedPolicies"]] == ["own"]
    assert iam.get_policy(PolicyArn=own)["Policy"]["AttachmentCount"] == 1
    assert iam.get_policy(PolicyArn=EXECUTION)["Policy"]["AttachmentCount"] == 1
    assert refused(iam.delete_policy, PolicyArn=own)[1:] == (
        "DeleteConflict",
        "Cannot delete a policy attached to entities.",
    )
    for number in range(8):
        attach(**named, PolicyArn=f"arn:aws:iam::aws:policy/service-role/Unknown{number}")
    assert refused(attach, **named, PolicyArn=ADMINISTRATOR) == (
        409,
        "LimitExceeded",
        f"Cannot exceed quota for PoliciesPer{kind.capitalize()}: 10",
    )
    missing = f"arn:aws:iam::{account}:policy/missing"
    detach(**named, PolicyArn=own)
    assert refused(detach, **named, PolicyArn=own) == (404, "NoSuchEntity", f"Policy {own} was not found.")
    assert refused(attach, **named, PolicyArn=missing) == (
        404,
        "NoSuchEntity",
        f"Policy {missing} does not exist or is not attachable.",
    )
    assert refused(attach, **named, PolicyArn="a policy that is no ARN") == (
        400,
        "ValidationError",
        "Invalid ARN:  Could not be parsed!",
    )
    iam.delete_policy(PolicyArn=own)


@pytest.mark.parametrize(("kind", "at_most"), [("user", 2_048), ("group", 5_120), ("role", 10_240)])
def test_inline_policies(iam, kind, at_most):
    """Written over, read back, and limited all together."""
    named = make(iam, kind)
    put, get, listed, delete = (
        getattr(iam, name)
        for name in (f"put_{kind}_policy", f"get_{kind}_policy", f"list_{kind}_policies", f"delete_{kind}_policy")
    )
    put(**named, PolicyName="p", PolicyDocument=allowing("s3:PutObject"))
    put(**named, PolicyName="p", PolicyDocument=DOCUMENT)
    found = get(**named, PolicyName="p")
    found.pop("ResponseMetadata")
    assert found == {**named, "PolicyName": "p", "PolicyDocument": READS}
    put(**named, PolicyName="a", PolicyDocument=DOCUMENT)
    assert listed(**named)["PolicyNames"] == ["a", "p"]
    assert listed(**named, MaxItems=1)["PolicyNames"] == ["a"]
    large = allowing("s3:" + "a" * (at_most - 180))
    assert refused(put, **named, PolicyName="large", PolicyDocument=large) == (
        409,
        "LimitExceeded",
        f"Maximum policy size of {at_most} bytes exceeded for {kind} it",
    )
    delete(**named, PolicyName="a")
    delete(**named, PolicyName="p")
    put(**named, PolicyName="large", PolicyDocument=large)
    gone = (404, "NoSuchEntity", f"The {kind} policy with name p cannot be found.")
    assert refused(get, **named, PolicyName="p") == gone
    assert refused(delete, **named, PolicyName="p") == gone
    assert refused(put, **named, PolicyName="q", PolicyDocument="[]")[1] == "MalformedPolicyDocument"


def test_policies_of_aws(iam):
    """Those that are shipped are read as one's own are; nobody changes them."""
    shown = iam.get_policy(PolicyArn=EXECUTION)["Policy"]
    assert (shown["Path"], shown["Arn"]) == ("/service-role/", EXECUTION)
    version = shown["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=EXECUTION, VersionId=version)["PolicyVersion"]["Document"]
    assert "logs:PutLogEvents" in document["Statement"][0]["Action"]
    assert [one["VersionId"] for one in iam.list_policy_versions(PolicyArn=EXECUTION)["Versions"]] == [version]
    assert EXECUTION in {one["Arn"] for one in iam.list_policies(Scope="AWS", MaxItems=1000)["Policies"]}
    for change, parameters in (
        (iam.delete_policy, {}),
        (iam.create_policy_version, {"PolicyDocument": DOCUMENT}),
        (iam.set_default_policy_version, {"VersionId": "v1"}),
        (iam.delete_policy_version, {"VersionId": "v1"}),
        (iam.tag_policy, {"Tags": [{"Key": "a", "Value": "b"}]}),
    ):
        status, code, _ = refused(change, PolicyArn=EXECUTION, **parameters)
        assert status == 403 and code.startswith("AccessDenied")
    unknown = "arn:aws:iam::aws:policy/NobodyKnowsIt"
    assert refused(iam.get_policy, PolicyArn=unknown)[:2] == (404, "NoSuchEntity")
    assert refused(iam.get_policy_version, PolicyArn=EXECUTION, VersionId="v999")[1] == "NoSuchEntity"


def test_who_has_a_policy(iam):
    """ListEntitiesForPolicy by kind, path and use; ListPolicies by use."""
    arn = iam.create_policy(PolicyName="p", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    for kind in KINDS:
        getattr(iam, f"attach_{kind}_policy")(**make(iam, kind), PolicyArn=arn)
    iam.create_user(UserName="bound", Path="/b/", PermissionsBoundary=arn)

    def entities(**parameters):
        found = iam.list_entities_for_policy(PolicyArn=arn, **parameters)
        return [[one[f"{word}Name"] for one in found[f"Policy{word}s"]] for word in ("User", "Group", "Role")]

    assert entities() == [["bound", "it"], ["it"], ["it"]]
    assert entities(EntityFilter="Role") == [[], [], ["it"]]
    assert entities(PathPrefix="/b/") == [["bound"], [], []]
    assert entities(PolicyUsageFilter="PermissionsBoundary") == [["bound"], [], []]
    assert entities(PolicyUsageFilter="PermissionsPolicy") == [["it"], ["it"], ["it"]]
    pages = iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 1})
    assert sum(len(page["PolicyUsers"]) for page in pages) == 2
    iam.create_policy(PolicyName="unused", PolicyDocument=DOCUMENT)
    assert [one["PolicyName"] for one in iam.list_policies(OnlyAttached=True)["Policies"]] == ["p"]
    assert [one["PolicyName"] for one in iam.list_policies(PolicyUsageFilter="PermissionsBoundary")["Policies"]] == [
        "p"
    ]
