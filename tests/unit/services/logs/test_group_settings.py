"""Groups made by hand, deleted and set: retention, protection, keys."""

from typing import Any

import pytest

NO_GROUP = ("ResourceNotFoundException", "The specified log group does not exist.")
ARN = "arn:aws:logs:eu-west-1:111122223333:log-group:"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1"


def described(logs: Any, name: str = "g") -> Any:
    (group,) = logs.call("DescribeLogGroups", logGroupNamePrefix=name)["logGroups"]
    return group


def test_a_group_is_made_with_what_it_is_given(logs: Any, refusal: Any) -> None:
    """Class, key, protection and tags are kept and shown; again is refused, a function's own group included."""
    made = {"kmsKeyId": KEY, "logGroupClass": "INFREQUENT_ACCESS", "deletionProtectionEnabled": True}
    assert logs.call("CreateLogGroup", logGroupName="g", tags={"team": "a"}, **made) == {}
    assert made.items() <= described(logs).items()
    assert described(logs)["creationTime"] == int(logs.now * 1000)
    assert logs.call("ListTagsLogGroup", logGroupName="g") == {"tags": {"team": "a"}}
    again = ("ResourceAlreadyExistsException", "The specified log group already exists")
    assert refusal("CreateLogGroup", logGroupName="g") == again
    logs.write("x", group="of-a-function")
    assert refusal("CreateLogGroup", logGroupName="of-a-function") == again
    assert refusal("CreateLogGroup", logGroupName="aws/x")[0] == "InvalidParameterException"
    assert logs.call("CreateLogGroup", logGroupName="/aws/x") == {}


def test_new_groups_have_the_retention_of_the_server(logs: Any) -> None:
    """One made by hand; without the setting there is none. Those that functions make: test_logs of the store."""
    logs.retention_days = 7
    logs.call("CreateLogGroup", logGroupName="g")
    assert described(logs)["retentionInDays"] == 7
    logs.call("DeleteRetentionPolicy", logGroupName="g")
    assert "retentionInDays" not in described(logs)


def test_deleting_takes_what_was_written_before(logs: Any, refusal: Any) -> None:
    """What is still in the segment files goes with the group and does not bring it back."""
    logs.write("x")
    assert logs.call("DeleteLogGroup", logGroupName="g") == {}
    assert logs.call("DescribeLogGroups") == {"logGroups": []}
    assert refusal("DeleteLogGroup", logGroupName="g") == NO_GROUP


def test_a_protected_group_is_not_deleted(logs: Any, refusal: Any) -> None:
    """Until the protection is taken away, by name or by ARN."""
    logs.write("x")
    logs.call("PutLogGroupDeletionProtection", logGroupIdentifier="g", deletionProtectionEnabled=True)
    assert refusal("DeleteLogGroup", logGroupName="g")[0] == "ValidationException"
    assert described(logs)["deletionProtectionEnabled"] is True
    logs.call("PutLogGroupDeletionProtection", logGroupIdentifier=f"{ARN}g", deletionProtectionEnabled=False)
    assert logs.call("DeleteLogGroup", logGroupName="g") == {}
    gone = {"logGroupIdentifier": "g", "deletionProtectionEnabled": True}
    assert refusal("PutLogGroupDeletionProtection", **gone) == NO_GROUP


@pytest.mark.parametrize("days", [0, -1, 2, 31, 3654])
def test_only_certain_retentions_exist(logs: Any, refusal: Any, days: int) -> None:
    """Days that AWS does not know are refused with the list of those that it does."""
    logs.write("x")
    code, text = refusal("PutRetentionPolicy", logGroupName="g", retentionInDays=days)
    assert code == "InvalidParameterException"
    assert "3653" in text


def test_retention_comes_and_goes(logs: Any, refusal: Any) -> None:
    """Without it nothing is shown of it; an absent group has none."""
    logs.write("x")
    logs.call("PutRetentionPolicy", logGroupName="g", retentionInDays=3)
    assert described(logs)["retentionInDays"] == 3
    for _ in range(2):
        logs.call("DeleteRetentionPolicy", logGroupName="g")
        assert "retentionInDays" not in described(logs)
    assert refusal("PutRetentionPolicy", logGroupName="nobody", retentionInDays=1) == NO_GROUP
    assert refusal("DeleteRetentionPolicy", logGroupName="nobody") == NO_GROUP


def test_keys_are_shown(logs: Any, refusal: Any) -> None:
    """A group's key by either way of naming the group; both ways and query results are refused."""
    logs.write("x")
    logs.call("AssociateKmsKey", logGroupName="g", kmsKeyId=KEY)
    assert described(logs)["kmsKeyId"] == KEY
    logs.call("DisassociateKmsKey", resourceIdentifier=f"{ARN}g:*")
    assert "kmsKeyId" not in described(logs)
    for named in (
        {},
        {"logGroupName": "g", "resourceIdentifier": f"{ARN}g"},
        {"resourceIdentifier": "arn:aws:logs:eu-west-1:111122223333:query-result:*"},
    ):
        assert refusal("AssociateKmsKey", kmsKeyId=KEY, **named)[0] == "InvalidParameterException"
    assert refusal("DisassociateKmsKey", logGroupName="nobody") == NO_GROUP
