"""What each operation of SQS asks leave for, as its request names the queue."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import root_of
from lambent.protocol.service_model import ServiceModel
from lambent.services.sqs.demands import DEMANDS

A, X = "111122223333", "444455556666"
CALLER = Caller(Scope(A, "eu-west-1"), root_of(A), "signature", "id", "https://x")
Q = f"arn:aws:sqs:eu-west-1:{A}:q"
URL = f"http://127.0.0.1:4566/{A}/q"


def handle(said: object) -> str:
    return base64.b64encode(json.dumps(said).encode()).decode()


def asked(operation: str, request: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (demand.action, demand.resource, *([dict(demand.context)] if demand.context else []))
        for demand in DEMANDS[operation](CALLER, request)
    ]


@pytest.mark.parametrize(
    ("operation", "request_", "expected"),
    [
        ("SendMessage", {"QueueUrl": URL}, [("sqs:SendMessage", Q)]),
        ("SendMessage", {"QueueUrl": "q"}, [("sqs:SendMessage", Q)]),
        ("SendMessage", {"QueueUrl": URL.replace(A, X)}, [("sqs:SendMessage", Q.replace(A, X))]),
        ("SendMessageBatch", {"QueueUrl": URL}, [("sqs:SendMessage", Q)]),
        ("DeleteMessageBatch", {"QueueUrl": URL}, [("sqs:DeleteMessage", Q)]),
        ("ChangeMessageVisibilityBatch", {"QueueUrl": URL}, [("sqs:ChangeMessageVisibility", Q)]),
        ("GetQueueUrl", {"QueueName": "q", "QueueOwnerAWSAccountId": X}, [("sqs:GetQueueUrl", Q.replace(A, X))]),
        ("ListQueues", {}, [("sqs:ListQueues", "*")]),
        ("CreateQueue", {"QueueName": "q"}, [("sqs:CreateQueue", Q)]),
        (
            "CreateQueue",
            {"QueueName": "q", "tags": {"Team": "red"}},
            [
                ("sqs:CreateQueue", Q, {"aws:requesttag/team": "red", "aws:tagkeys": ("Team",)}),
                ("sqs:TagQueue", Q, {"aws:requesttag/team": "red", "aws:tagkeys": ("Team",)}),
            ],
        ),
        ("UntagQueue", {"QueueUrl": URL, "TagKeys": ["k"]}, [("sqs:UntagQueue", Q, {"aws:tagkeys": ("k",)})]),
        ("ListMessageMoveTasks", {"SourceArn": Q}, [("sqs:ListMessageMoveTasks", Q)]),
        (
            "StartMessageMoveTask",
            {"SourceArn": Q, "DestinationArn": f"{Q}2"},
            [
                ("sqs:StartMessageMoveTask", Q),
                ("sqs:ReceiveMessage", Q),
                ("sqs:DeleteMessage", Q),
                ("sqs:GetQueueAttributes", Q),
                ("sqs:SendMessage", f"{Q}2"),
            ],
        ),
        (
            "CancelMessageMoveTask",
            {"TaskHandle": handle({"taskId": "t", "sourceArn": Q})},
            [("sqs:CancelMessageMoveTask", Q)],
        ),
    ],
)
def test_demands(operation: str, request_: Mapping[str, Any], expected: list[tuple[Any, ...]]) -> None:
    assert asked(operation, request_) == expected


@pytest.mark.parametrize("text", ["", "?", handle([]), handle({}), handle({"sourceArn": 1}), handle(None), "W1s="])
def test_a_handle_that_names_no_queue_needs_leave_for_all(text: str) -> None:
    assert asked("CancelMessageMoveTask", {"TaskHandle": text}) == [("sqs:CancelMessageMoveTask", "*")]


def test_actions_are_operations() -> None:
    request = {
        "QueueUrl": URL,
        "QueueName": "q",
        "TaskHandle": handle({"sourceArn": Q}),
        "Tags": {"k": "v"},
        "TagKeys": ["k"],
    }
    actions = {demand.action for make in DEMANDS.values() for demand in make(CALLER, request)}
    assert actions - {f"sqs:{name}" for name in ServiceModel("sqs").operations} == set()
    assert not any(action.endswith("Batch") for action in actions)
