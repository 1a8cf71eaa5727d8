"""Instance profiles, tags, aliases, summaries, pages and simulations of IAM over the wire."""

import json

import pytest
from wire.iam import ADMINISTRATOR, READS, TRUST, allowing, fresh_account, refused


def test_instance_profiles(iam, account):
    """One role each; Terraform asks for a role's profiles whenever it deletes one."""
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    assert iam.list_instance_profiles_for_role(RoleName="r")["InstanceProfiles"] == []
    made = iam.create_instance_profile(InstanceProfileName="p", Path="/i/", Tags=[{"Key": "a", "Value": "b"}])
    profile = made["InstanceProfile"]
    assert (profile["Arn"], profile["Roles"]) == (f"arn:aws:iam::{account}:instance-profile/i/p", [])
    assert refused(iam.create_instance_profile, InstanceProfileName="P")[1] == "EntityAlreadyExists"
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    found = iam.get_instance_profile(InstanceProfileName="p")["InstanceProfile"]
    assert [(role["RoleName"], role["AssumeRolePolicyDocument"]) for role in found["Roles"]] == [("r", TRUST)]
    assert refused(iam.add_role_to_instance_profile, InstanceProfileName="p", RoleName="r") == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
    )
    assert iam.list_instance_profiles(PathPrefix="/i/")["InstanceProfiles"] == [found]
    assert iam.list_instance_profiles_for_role(RoleName="r")["InstanceProfiles"] == [found]
    iam.get_waiter("instance_profile_exists").wait(InstanceProfileName="p")
    assert refused(iam.delete_instance_profile, InstanceProfileName="p")[1] == "DeleteConflict"
    iam.remove_role_from_instance_profile(InstanceProfileName="p", RoleName="r")
    assert refused(iam.remove_role_from_instance_profile, InstanceProfileName="p", RoleName="r")[1] == "NoSuchEntity"
    iam.delete_instance_profile(InstanceProfileName="p")
    assert refused(iam.get_instance_profile, InstanceProfileName="p") == (
        404,
        "NoSuchEntity",
        "Instance Profile p cannot be found.",
    )


@pytest.mark.parametrize("kind", ["user", "role", "policy", "instance_profile"])
def test_tags(iam, kind):
    """Keys differ by more than their case; the value is the latest one."""
    made = {
        "user": lambda: iam.create_user(UserName="it"),
        "role": lambda: iam.create_role(RoleName="it", AssumeRolePolicyDocument=json.dumps(TRUST)),
        "policy": lambda: iam.create_policy(PolicyName="it", PolicyDocument=json.dumps(READS)),
        "instance_profile": lambda: iam.create_instance_profile(InstanceProfileName="it"),
    }[kind]()
    member = {"policy": "PolicyArn", "instance_profile": "InstanceProfileName"}.get(kind, f"{kind.capitalize()}Name")
    named = {member: made["Policy"]["Arn"] if kind == "policy" else "it"}
    tag, untag, listed = (
        getattr(iam, f"{verb}_{kind}{s}") for verb, s in (("tag", ""), ("untag", ""), ("list", "_tags"))
    )
    assert listed(**named)["Tags"] == []
    tag(**named, Tags=[{"Key": "Team", "Value": "A"}, {"Key": "cost", "Value": ""}])
    tag(**named, Tags=[{"Key": "team", "Value": "B"}])
    assert listed(**named)["Tags"] == [{"Key": "cost", "Value": ""}, {"Key": "team", "Value": "B"}]
    first = listed(**named, MaxItems=1)
    assert first["Tags"] == [{"Key": "cost", "Value": ""}] and first["IsTruncated"]
    assert listed(**named, Marker=first["Marker"])["Tags"] == [{"Key": "team", "Value": "B"}]
    untag(**named, TagKeys=["COST", "missing"])
    assert listed(**named)["Tags"] == [{"Key": "team", "Value": "B"}]
    twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    assert refused(tag, **named, Tags=twice)[:2] == (400, "InvalidInput")
    assert refused(tag, **named, Tags=[{"Key": "aws:x", "Value": ""}])[:2] == (400, "InvalidInput")
    fifty = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert refused(tag, **named, Tags=fifty)[:2] == (409, "LimitExceeded")
    untag(**named, TagKeys=["team"])
    tag(**named, Tags=fifty)
    assert len(listed(**named)["Tags"]) == 50


def test_pages(iam):
    """MaxItems and Marker: every user once, in pages; a marker that is none is refused."""
    for number in range(7):
        iam.create_user(UserName=f"u{number}", Path="/even/" if number % 2 == 0 else "/odd/")
    pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 3}))
    assert [[user["UserName"] for user in page["Users"]] for page in pages] == [
        ["u0", "u1", "u2"],
        ["u3", "u4", "u5"],
        ["u6"],
    ]
    assert [page["IsTruncated"] for page in pages] == [True, True, False] and "Marker" not in pages[-1]
    even = iam.get_paginator("list_users").paginate(PathPrefix="/even/", PaginationConfig={"PageSize": 2})
    assert [user["UserName"] for page in even for user in page["Users"]] == ["u0", "u2", "u4", "u6"]
    for marker in ("!", "AA==", "w6Q="):
        assert refused(iam.list_users, Marker=marker) == (400, "ValidationError", "Invalid Marker.")
    assert refused(iam.list_users, MaxItems=1001)[1] == "ValidationError"


def test_what_is_listed_in_pages(iam):
    """Every list takes MaxItems and Marker, and gives all in the end."""
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    for number in range(2):
        iam.create_group(GroupName=f"g{number}")
        iam.create_user(UserName=f"u{number}")
        iam.create_role(RoleName=f"r{number}", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.add_user_to_group(GroupName=f"g{number}", UserName="u0")
        iam.create_access_key(UserName="u0")
        iam.create_instance_profile(InstanceProfileName=f"p{number}")
        iam.add_role_to_instance_profile(InstanceProfileName=f"p{number}", RoleName="r")
        arn = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=json.dumps(READS))["Policy"]["Arn"]
        for kind, name in (("user", "u0"), ("group", "g0"), ("role", "r0")):
            named = {f"{kind.capitalize()}Name": name}
            getattr(iam, f"attach_{kind}_policy")(**named, PolicyArn=arn)
            getattr(iam, f"put_{kind}_policy")(**named, PolicyName=f"i{number}", PolicyDocument=json.dumps(READS))
    iam.add_user_to_group(GroupName="g0", UserName="u1")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(READS))
    iam.create_account_alias(AccountAlias="alias-" + fresh_account())
    for listing, member, parameters, count in (
        ("list_groups", "Groups", {}, 2),
        ("list_users", "Users", {}, 2),
        ("list_roles", "Roles", {}, 3),
        ("get_group", "Users", {"GroupName": "g0"}, 2),
        ("list_groups_for_user", "Groups", {"UserName": "u0"}, 2),
        ("list_access_keys", "AccessKeyMetadata", {"UserName": "u0"}, 2),
        ("list_instance_profiles", "InstanceProfiles", {}, 2),
        ("list_instance_profiles_for_role", "InstanceProfiles", {"RoleName": "r"}, 2),
        ("list_policies", "Policies", {"Scope": "Local"}, 2),
        ("list_policy_versions", "Versions", {"PolicyArn": arn}, 2),
        ("list_attached_user_policies", "AttachedPolicies", {"UserName": "u0"}, 2),
        ("list_attached_group_policies", "AttachedPolicies", {"GroupName": "g0"}, 2),
        ("list_attached_role_policies", "AttachedPolicies", {"RoleName": "r0"}, 2),
        ("list_user_policies", "PolicyNames", {"UserName": "u0"}, 2),
        ("list_group_policies", "PolicyNames", {"GroupName": "g0"}, 2),
        ("list_role_policies", "PolicyNames", {"RoleName": "r0"}, 2),
        ("list_account_aliases", "AccountAliases", {}, 1),
    ):
        pages = list(iam.get_paginator(listing).paginate(**parameters, PaginationConfig={"PageSize": 1}))
        assert [len(page[member]) for page in pages] == [1] * count, listing
    # One marker more than there are: nothing is left.
    marker = iam.list_groups(MaxItems=1)["Marker"]
    assert iam.list_account_aliases(Marker=marker)["AccountAliases"] == []


def test_aliases_of_the_account(iam, server):
    """One at a time, and unlike everybody else's."""
    assert iam.list_account_aliases()["AccountAliases"] == []
    alias = f"alias-{fresh_account()}"
    iam.create_account_alias(AccountAlias="first-" + alias)
    iam.create_account_alias(AccountAlias=alias)
    assert iam.list_account_aliases()["AccountAliases"] == [alias]
    other = server.client("iam", account=fresh_account())
    assert refused(other.create_account_alias, AccountAlias=alias)[:2] == (409, "EntityAlreadyExists")
    assert refused(other.delete_account_alias, AccountAlias=alias)[:2] == (404, "NoSuchEntity")
    iam.delete_account_alias(AccountAlias=alias)
    assert iam.list_account_aliases()["AccountAliases"] == []


def test_the_account_as_a_whole(iam, account):
    """Counts and quotas; there is no password policy, as on AWS before somebody makes one."""
    before = iam.get_account_summary()["SummaryMap"]
    iam.create_user(UserName="u")
    summary = iam.get_account_summary()["SummaryMap"]
    assert (before["Users"], summary["Users"], summary["UsersQuota"]) == (0, 1, 5_000)
    assert refused(iam.get_account_password_policy) == (
        404,
        "NoSuchEntity",
        f"The Password Policy with domain name {account} cannot be found.",
    )


def test_everything_in_one_answer(iam):
    """GetAccountAuthorizationDetails, by kind and in pages."""
    policy = iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(READS), Description="d")["Policy"]["Arn"]
    iam.create_group(GroupName="g")
    iam.put_group_policy(GroupName="g", PolicyName="in", PolicyDocument=json.dumps(READS))
    iam.create_user(UserName="u", PermissionsBoundary=policy, Tags=[{"Key": "a", "Value": "b"}])
    iam.add_user_to_group(GroupName="g", UserName="u")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.attach_role_policy(RoleName="r", PolicyArn=ADMINISTRATOR)
    iam.create_instance_profile(InstanceProfileName="i")
    iam.add_role_to_instance_profile(InstanceProfileName="i", RoleName="r")
    found = iam.get_account_authorization_details()
    (user,), (group,), (role,) = found["UserDetailList"], found["GroupDetailList"], found["RoleDetailList"]
    assert (user["GroupList"], user["PermissionsBoundary"]["PermissionsBoundaryArn"]) == (["g"], policy)
    assert user["Tags"] == [{"Key": "a", "Value": "b"}]
    assert group["GroupPolicyList"] == [{"PolicyName": "in", "PolicyDocument": READS}]
    assert role["AssumeRolePolicyDocument"] == TRUST
    assert [one["InstanceProfileName"] for one in role["InstanceProfileList"]] == ["i"]
    assert role["AttachedManagedPolicies"] == [{"PolicyName": "AdministratorAccess", "PolicyArn": ADMINISTRATOR}]
    assert [(one["PolicyName"], one["PermissionsBoundaryUsageCount"]) for one in found["Policies"]] == [
        ("p", 1),
        ("AdministratorAccess", 0),
    ]
    assert found["Policies"][0]["PolicyVersionList"][0]["Document"] == READS
    paginator = iam.get_paginator("get_account_authorization_details")
    pages = list(paginator.paginate(PaginationConfig={"PageSize": 1}))
    members = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    assert [[len(page[member]) for member in members] for page in pages] == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 1],
    ]
    only = iam.get_account_authorization_details(Filter=["Role", "AWSManagedPolicy"])
    assert [len(only[member]) for member in members] == [0, 0, 1, 1]


def decisions(answer):
    return [
        (one["EvalActionName"], one["EvalResourceName"], one["EvalDecision"]) for one in answer["EvaluationResults"]
    ]


def test_policies_of_a_principal_are_simulated(iam, account):
    """A user's own, its groups' and its boundary; each action on each resource."""
    bucket = "arn:aws:s3:::b"
    user = iam.create_user(UserName="u")["User"]["Arn"]
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="u")
    iam.put_group_policy(GroupName="g", PolicyName="reads", PolicyDocument=allowing("s3:Get*", f"{bucket}/*"))
    denying = allowing("s3:GetObject", f"{bucket}/secret", Effect="Deny")
    iam.put_user_policy(UserName="u", PolicyName="denies", PolicyDocument=denying)
    answer = iam.simulate_principal_policy(
        PolicySourceArn=user,
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=[f"{bucket}/k", f"{bucket}/secret"],
    )
    assert decisions(answer) == [
        ("s3:GetObject", f"{bucket}/k", "allowed"),
        ("s3:GetObject", f"{bucket}/secret", "explicitDeny"),
        ("s3:PutObject", f"{bucket}/k", "implicitDeny"),
        ("s3:PutObject", f"{bucket}/secret", "implicitDeny"),
    ]
    first = answer["EvaluationResults"][0]
    assert first["MatchedStatements"][0]["SourcePolicyId"] == "reads"
    assert first["MatchedStatements"][0]["SourcePolicyType"] == "IAM Policy"
    assert first["MatchedStatements"][0]["StartPosition"]["Line"] == 1
    assert first["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": True}
    assert first["ResourceSpecificResults"][0]["EvalResourceDecision"] == "allowed"
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=user,
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=[f"{bucket}/k", f"{bucket}/secret"],
        PaginationConfig={"PageSize": 3},
    )
    assert [len(page["EvaluationResults"]) for page in pages] == [3, 1]
    limit = iam.create_policy(PolicyName="limit", PolicyDocument=allowing("sqs:*"))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName="u", PermissionsBoundary=limit)
    bound = iam.simulate_principal_policy(
        PolicySourceArn=user, ActionNames=["s3:GetObject"], ResourceArns=[f"{bucket}/k"]
    )
    assert decisions(bound)[0][2] == "implicitDeny"
    assert bound["EvaluationResults"][0]["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    other = iam.simulate_principal_policy(
        PolicySourceArn=user,
        ActionNames=["s3:GetObject"],
        ResourceArns=[f"{bucket}/k"],
        PermissionsBoundaryPolicyInputList=[allowing("*")],
        PolicyInputList=[allowing("sqs:*")],
        CallerArn=user,
    )
    assert decisions(other)[0][2] == "allowed"
    granting = {"Effect": "Allow", "Principal": {"AWS": user}, "Action": "s3:PutObject", "Resource": f"{bucket}/k"}
    asking = {"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}
    granted = iam.simulate_principal_policy(
        PolicySourceArn=user,
        ActionNames=["s3:PutObject"],
        ResourceArns=[f"{bucket}/k"],
        ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": {**granting, **asking}}),
        ResourceOwner=account,
        ResourceHandlingOption="EC2-VPC-InstanceStore",
        ContextEntries=[{"ContextKeyName": "aws:SourceVpc", "ContextKeyValues": ["vpc-1"], "ContextKeyType": "string"}],
    )
    assert decisions(granted)[0][2] == "allowed"
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.attach_role_policy(RoleName="r", PolicyArn=ADMINISTRATOR)
    role = f"arn:aws:iam::{account}:role/r"
    anything = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=["lambda:ListFunctions"])
    assert decisions(anything) == [("lambda:ListFunctions", "*", "allowed")]
    assert "OrganizationsDecisionDetail" not in anything["EvaluationResults"][0]
    for arn, code in ((f"{role}x", "NoSuchEntity"), ("arn:aws:s3:::bucket-name", "InvalidInput")):
        assert refused(iam.simulate_principal_policy, PolicySourceArn=arn, ActionNames=["s3:GetObject"])[1] == code


def test_policies_of_nobody_are_simulated(iam, account):
    """Conditions are given values; a resource's policy has its say; what is missing is named as it is written."""
    document = allowing(
        "sqs:SendMessage",
        "arn:aws:sqs:*:*:${aws:PrincipalTag/team}-*",
        Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}},
    )
    asked = {"PolicyInputList": [document], "ActionNames": ["sqs:SendMessage"]}
    queue = "arn:aws:sqs:eu-west-1:111122223333:a-q"
    (missing,) = iam.simulate_custom_policy(**asked, ResourceArns=[queue])["EvaluationResults"]
    assert (missing["EvalDecision"], missing["MissingContextValues"]) == (
        "implicitDeny",
        ["aws:PrincipalTag/team", "aws:SourceVpc"],
    )
    entries = [
        {"ContextKeyName": "aws:SourceVpc", "ContextKeyValues": ["vpc-1"], "ContextKeyType": "string"},
        {"ContextKeyName": "aws:principaltag/team", "ContextKeyValues": ["a"], "ContextKeyType": "string"},
    ]
    (allowed,) = iam.simulate_custom_policy(**asked, ResourceArns=[queue], ContextEntries=entries)["EvaluationResults"]
    assert (allowed["EvalDecision"], allowed["MissingContextValues"]) == ("allowed", [])
    granting = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": queue},
    }
    (granted,) = iam.simulate_custom_policy(
        PolicyInputList=[allowing("s3:*")],
        ActionNames=["sqs:SendMessage"],
        ResourceArns=[queue],
        ResourcePolicy=json.dumps(granting),
        ResourceOwner=f"arn:aws:iam::{account}:root",
        CallerArn=f"arn:aws:iam::{account}:user/u",
        ResourceHandlingOption="EC2-VPC-InstanceStore",
    )["EvaluationResults"]
    assert granted["EvalDecision"] == "allowed"
    first = iam.simulate_custom_policy(
        PolicyInputList=[allowing("s3:*")],
        PermissionsBoundaryPolicyInputList=[allowing("sqs:*")],
        ActionNames=["s3:GetObject", "s3:PutObject"],
        MaxItems=1,
    )
    assert decisions(first) == [("s3:GetObject", "*", "implicitDeny")]
    second = iam.simulate_custom_policy(
        PolicyInputList=[allowing("s3:*")], ActionNames=["s3:GetObject", "s3:PutObject"], Marker=first["Marker"]
    )
    assert decisions(second) == [("s3:PutObject", "*", "allowed")]
    for parameters in (
        {"PolicyInputList": ["{"], "ActionNames": ["s3:GetObject"]},
        {"PolicyInputList": [document], "ActionNames": ["s3:*"]},
        {"PolicyInputList": [document], "ActionNames": ["GetObject"]},
        {**asked, "CallerArn": "nobody"},
        {**asked, "ResourceOwner": "nobody"},
        {**asked, "ContextEntries": [{"ContextKeyValues": ["a"]}]},
    ):
        assert refused(iam.simulate_custom_policy, **parameters)[:2] == (400, "InvalidInput")


def test_keys_that_policies_ask_for(iam, account):
    """Each once, as it is written: what a simulation wants values for."""
    document = allowing("s3:*", "arn:aws:s3:::${aws:username}/*", Condition={"Bool": {"aws:SecureTransport": "true"}})
    again = allowing("s3:*", "*", Condition={"Bool": {"AWS:securetransport": "true"}})
    found = iam.get_context_keys_for_custom_policy(PolicyInputList=[document, again])
    assert found["ContextKeyNames"] == ["aws:SecureTransport", "aws:username"]
    iam.create_user(UserName="u")
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document)
    found = iam.get_context_keys_for_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{account}:user/u",
        PolicyInputList=[allowing("s3:*", Condition={"Null": {"aws:SourceVpce": "true"}})],
    )
    assert found["ContextKeyNames"] == ["aws:SecureTransport", "aws:username", "aws:SourceVpce"]
