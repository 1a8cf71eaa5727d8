"""Users, groups and access keys over the wire."""

import json

import pytest
from wire.iam import ADMINISTRATOR, READS, refused


def test_a_user_is_made_read_renamed_and_deleted(iam, account):
    """Tags are shown where there are some; names are found in any case."""
    created = iam.create_user(UserName="Bob", Path="/dev/", Tags=[{"Key": "team", "Value": "a"}])["User"]
    assert created == {
        "Path": "/dev/",
        "UserName": "Bob",
        "UserId": created["UserId"],
        "Arn": f"arn:aws:iam::{account}:user/dev/Bob",
        "CreateDate": created["CreateDate"],
        "Tags": [{"Key": "team", "Value": "a"}],
    }
    assert created["UserId"].startswith("AIDA")
    assert iam.get_user(UserName="bob")["User"] == created
    assert iam.list_users(PathPrefix="/dev/")["Users"] == [{k: v for k, v in created.items() if k != "Tags"}]
    iam.get_waiter("user_exists").wait(UserName="Bob")
    assert refused(iam.create_user, UserName="bob") == (
        409,
        "EntityAlreadyExists",
        "User with name bob already exists.",
    )
    iam.create_user(UserName="other")
    assert refused(iam.update_user, UserName="Bob", NewUserName="OTHER")[1] == "EntityAlreadyExists"
    iam.update_user(UserName="Bob", NewUserName="bob", NewPath="/")
    assert iam.get_user(UserName="Bob")["User"]["Arn"] == f"arn:aws:iam::{account}:user/bob"
    iam.delete_user(UserName="bob")
    assert refused(iam.get_user, UserName="bob") == (
        404,
        "NoSuchEntity",
        "The user with name bob cannot be found.",
    )


def test_without_a_name_it_is_whoever_calls(iam, account):
    """Where any key is taken that is the account's root, which has no name."""
    user = iam.get_user()["User"]
    assert (user["UserId"], user["Arn"]) == (account, f"arn:aws:iam::{account}:root")
    assert "UserName" not in user


def test_boundaries_of_users(iam):
    """As those of roles."""
    iam.create_user(UserName="u", PermissionsBoundary=ADMINISTRATOR)
    shown = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": ADMINISTRATOR}
    assert iam.get_user(UserName="u")["User"]["PermissionsBoundary"] == shown
    iam.delete_user_permissions_boundary(UserName="u")
    assert "PermissionsBoundary" not in iam.get_user(UserName="u")["User"]
    iam.put_user_permissions_boundary(UserName="u", PermissionsBoundary=ADMINISTRATOR)
    assert iam.get_user(UserName="u")["User"]["PermissionsBoundary"] == shown


def test_groups_and_who_is_in_them(iam, account):
    """A user may be in ten; being added twice is being in it once."""
    group = iam.create_group(GroupName="Devs", Path="/g/")["Group"]
    assert group["Arn"] == f"arn:aws:iam::{account}:group/g/Devs" and group["GroupId"].startswith("AGPA")
    user = iam.create_user(UserName="u")["User"]
    for _ in range(2):
        iam.add_user_to_group(GroupName="devs", UserName="U")
    assert [one["UserId"] for one in iam.get_group(GroupName="Devs")["Users"]] == [user["UserId"]]
    assert iam.list_groups_for_user(UserName="u")["Groups"] == [group]
    assert iam.list_groups(PathPrefix="/g/")["Groups"] == [group]
    assert refused(iam.create_group, GroupName="DEVS")[1] == "EntityAlreadyExists"
    assert refused(iam.delete_group, GroupName="Devs")[1:] == (
        "DeleteConflict",
        "Cannot delete entity, must remove users from group first.",
    )
    for number in range(9):
        iam.create_group(GroupName=f"g{number}")
        iam.add_user_to_group(GroupName=f"g{number}", UserName="u")
    iam.create_group(GroupName="last")
    assert refused(iam.add_user_to_group, GroupName="last", UserName="u") == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for GroupsPerUser: 10",
    )
    iam.remove_user_from_group(GroupName="Devs", UserName="u")
    iam.remove_user_from_group(GroupName="Devs", UserName="u")
    iam.update_group(GroupName="Devs", NewGroupName="People", NewPath="/")
    assert refused(iam.update_group, GroupName="People", NewGroupName="G1")[1] == "EntityAlreadyExists"
    assert iam.get_group(GroupName="people")["Group"]["Arn"] == f"arn:aws:iam::{account}:group/People"
    iam.delete_group(GroupName="People")
    assert refused(iam.get_group, GroupName="People") == (
        404,
        "NoSuchEntity",
        "The group with name People cannot be found.",
    )


def test_a_secret_is_shown_once(iam):
    """Keys are two for a user; listing shows all of them but the secret."""
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]
    assert (key["UserName"], key["Status"], key["AccessKeyId"][:4]) == ("u", "Active", "AKIA")
    assert (len(key["AccessKeyId"]), len(key["SecretAccessKey"])) == (20, 40)
    second = iam.create_access_key(UserName="u")["AccessKey"]
    assert second["SecretAccessKey"] != key["SecretAccessKey"]
    assert refused(iam.create_access_key, UserName="u") == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    )
    listed = iam.list_access_keys(UserName="u")["AccessKeyMetadata"]
    assert {one["AccessKeyId"] for one in listed} == {key["AccessKeyId"], second["AccessKeyId"]}
    assert all(set(one) == {"UserName", "AccessKeyId", "Status", "CreateDate"} for one in listed)
    named = {"UserName": "u", "AccessKeyId": key["AccessKeyId"]}
    iam.update_access_key(**named, Status="Inactive")
    states = {one["AccessKeyId"]: one["Status"] for one in iam.list_access_keys(UserName="u")["AccessKeyMetadata"]}
    assert states == {key["AccessKeyId"]: "Inactive", second["AccessKeyId"]: "Active"}
    assert refused(iam.update_access_key, **named, Status="Expired")[1] == "ValidationError"
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert (used["UserName"], used["AccessKeyLastUsed"]) == ("u", {"ServiceName": "N/A", "Region": "N/A"})
    iam.create_user(UserName="other")
    others = {**named, "UserName": "other"}
    assert refused(iam.delete_access_key, **others) == (
        404,
        "NoSuchEntity",
        f"The Access Key with id {key['AccessKeyId']} cannot be found",
    )
    iam.delete_access_key(**named)
    assert refused(iam.get_access_key_last_used, AccessKeyId=key["AccessKeyId"])[1] == "NoSuchEntity"


def test_keys_of_root(iam):
    """Without a name a key is that of whoever calls; root's have no UserName."""
    key = iam.create_access_key()["AccessKey"]
    assert "UserName" not in key
    assert [one["AccessKeyId"] for one in iam.list_access_keys()["AccessKeyMetadata"]] == [key["AccessKeyId"]]
    assert iam.get_account_summary()["SummaryMap"]["AccountAccessKeysPresent"] == 1
    iam.update_access_key(AccessKeyId=key["AccessKeyId"], Status="Inactive")
    iam.delete_access_key(AccessKeyId=key["AccessKeyId"])
    assert iam.list_access_keys()["AccessKeyMetadata"] == []


@pytest.mark.parametrize("what", ["policies", "inline", "groups", "keys"])
def test_what_belongs_to_a_user_is_removed_first(iam, what):
    """And goes nowhere while the user is there."""
    iam.create_user(UserName="u")
    iam.create_group(GroupName="g")
    key = iam.create_access_key()["AccessKey"]["AccessKeyId"]
    add, remove, text = {
        "policies": (
            lambda: iam.attach_user_policy(UserName="u", PolicyArn=ADMINISTRATOR),
            lambda: iam.detach_user_policy(UserName="u", PolicyArn=ADMINISTRATOR),
            "detach all policies",
        ),
        "inline": (
            lambda: iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps(READS)),
            lambda: iam.delete_user_policy(UserName="u", PolicyName="p"),
            "delete policies",
        ),
        "groups": (
            lambda: iam.add_user_to_group(UserName="u", GroupName="g"),
            lambda: iam.remove_user_from_group(UserName="u", GroupName="g"),
            "remove users from group",
        ),
        "keys": (
            lambda: iam.create_access_key(UserName="u"),
            lambda: [
                iam.delete_access_key(UserName="u", AccessKeyId=one["AccessKeyId"])
                for one in iam.list_access_keys(UserName="u")["AccessKeyMetadata"]
            ],
            "delete access keys",
        ),
    }[what]
    add()
    assert refused(iam.delete_user, UserName="u") == (
        409,
        "DeleteConflict",
        f"Cannot delete entity, must {text} first.",
    )
    remove()
    iam.delete_user(UserName="u")
    # Root's key is nobody's but root's.
    assert [one["AccessKeyId"] for one in iam.list_access_keys()["AccessKeyMetadata"]] == [key]


def test_accounts_do_not_see_each_other(iam, server):
    """A user of one account is nobody in another."""
    iam.create_user(UserName="u")
    from wire.iam import fresh_account

    other = server.client("iam", account=fresh_account())
    assert other.list_users()["Users"] == []
    other.create_user(UserName="u")
    other.delete_user(UserName="u")
    assert len(iam.list_users()["Users"]) == 1
