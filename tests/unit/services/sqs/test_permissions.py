"""Statements of a queue's policy, and what policies do."""

import json

import pytest

from lambent.errors.api.sqs import AccessDeniedException
from lambent.testing.sqs import SqsBench

ARN = "arn:aws:sqs:eu-west-1:111122223333:q"
URL = "http://x/111122223333/q"
OTHER = "444455556666"
INVALID = "InvalidParameterValueException"


def add(sqs: SqsBench, label: str, *actions: str) -> None:
    sqs.call("AddPermission", QueueUrl="q", Label=label, AWSAccountIds=[OTHER], Actions=list(actions))


def test_a_statement_is_written_as_aws_does(sqs: SqsBench) -> None:
    """One action is a text, several are a list; the last statement takes the policy along."""
    sqs.create("q")
    add(sqs, "one", "ReceiveMessage")
    assert json.loads(sqs.attributes("q", "Policy")["Policy"]) == {
        "Version": "2008-10-17",
        "Id": f"{ARN}/SQSDefaultPolicy",
        "Statement": [
            {
                "Sid": "one",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
                "Action": "SQS:ReceiveMessage",
                "Resource": ARN,
            }
        ],
    }
    add(sqs, "two", "SendMessage", "GetQueueUrl")
    statements = json.loads(sqs.attributes("q", "Policy")["Policy"])["Statement"]
    assert statements[1]["Action"] == ["SQS:SendMessage", "SQS:GetQueueUrl"]
    taken = {"QueueUrl": "q", "Label": "two", "AWSAccountIds": [OTHER], "Actions": ["SendMessage"]}
    assert sqs.refusal("AddPermission", **taken) == (
        INVALID,
        "Value two for parameter Label is invalid. Reason: Already exists.",
    )
    sqs.call("RemovePermission", QueueUrl="q", Label="one")
    sqs.call("RemovePermission", QueueUrl="q", Label="two")
    assert sqs.attributes("q", "Policy") == {}
    assert sqs.refusal("RemovePermission", QueueUrl="q", Label="two") == (
        INVALID,
        "Value two for parameter Label is invalid. Reason: can't find label.",
    )


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({"Actions": ["SendMessage"] * 8}, "OverLimit", "8 Actions were found, maximum allowed is 7."),
        ({"Actions": ["DeleteQueue"]}, INVALID, "Value SQS:DeleteQueue for parameter ActionName is invalid."),
        ({"Actions": []}, "MissingRequiredParameterException", "The request must contain the parameter Actions."),
        ({"AWSAccountIds": []}, INVALID, "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify."),
        ({"AWSAccountIds": ["x"]}, INVALID, "Value [x] for parameter PrincipalId is invalid."),
        ({"Label": "a b"}, INVALID, "Value a b for parameter Label is invalid."),
    ],
)
def test_what_cannot_be_granted(shared: SqsBench, given: dict[str, object], code: str, text: str) -> None:
    """Too much, to nobody, or what is the owner's alone."""
    shared.create("q")
    request = {"QueueUrl": "q", "Label": "l", "AWSAccountIds": [OTHER], "Actions": ["SendMessage"], **given}
    found = shared.refusal("AddPermission", **request)
    assert found[0] == code and found[1].startswith(text)


def test_other_accounts_enter_by_the_policy(sqs: SqsBench) -> None:
    """By action, batches included; a deny denies; without a queue or a grant the words are the same."""
    sqs.create("q")
    stranger = sqs.caller(OTHER)

    def may(operation: str, url: str = URL, **request: object) -> bool:
        try:
            sqs.call(operation, caller=stranger, **{"QueueUrl": url, **request})
        except AccessDeniedException as error:
            assert error.message.startswith(f"User: arn:aws:iam::{OTHER}:root is not authorized to perform: sqs:")
            return False
        return True

    entries = [{"Id": "a", "MessageBody": "m"}]
    assert not may("SendMessage", MessageBody="m")
    add(sqs, "send", "SendMessage")
    assert may("SendMessage", MessageBody="m") and may("SendMessageBatch", Entries=entries)
    assert not may("ReceiveMessage") and not may("SendMessage", URL + "x", MessageBody="m")
    add(sqs, "all", "*")
    assert may("ReceiveMessage") and may("GetQueueAttributes")
    assert not may("DeleteQueue") and not may("SetQueueAttributes", Attributes={}) and not may("ListQueueTags")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:Send*", "Resource": ARN}
    policy = json.loads(sqs.attributes("q", "Policy")["Policy"])
    policy["Statement"].append(deny)
    sqs.call("SetQueueAttributes", QueueUrl="q", Attributes={"Policy": json.dumps(policy)})
    assert not may("SendMessage", MessageBody="m") and may("ReceiveMessage")
    # Within the account nobody is asked, until there are identities with policies of their own.
    sqs.send("q", "m")
    found = sqs.call("GetQueueUrl", caller=stranger, QueueName="q", QueueOwnerAWSAccountId="111122223333")
    assert found["QueueUrl"].endswith("/111122223333/q")
