"""The operations on event source mappings: answers, refusals and pages."""

import json
from pathlib import Path

from unit.dispatch.async_bench import SCOPE
from unit.event_sources.mapping_bench import Bench, queue_arn, tell

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
IN_USE = "because it is in use."


def test_what_is_answered(tmp_path: Path) -> None:
    """Every member that a queue's mapping has, and none that it has not."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        made = dict(await bench.call("CreateEventSourceMapping", EventSourceArn=queue_arn("q"), FunctionName="f"))
        uuid = made["UUID"]
        assert made.pop("LastModified").timestamp() == bench.clock.now()
        assert made == {
            "UUID": uuid,
            "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}",
            "EventSourceArn": queue_arn("q"),
            "FunctionArn": FUNCTION,
            "BatchSize": 10,
            "MaximumBatchingWindowInSeconds": 0,
            "FunctionResponseTypes": [],
            "State": "Creating",
            "StateTransitionReason": "USER_INITIATED",
        }

    tell(tmp_path, story, follows=False)


def test_what_is_on_its_way_cannot_be_changed(tmp_path: Path) -> None:
    """EM-01-states: 400 ResourceInUseException while a mapping is being created, updated or deleted."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        made = await bench.call("CreateEventSourceMapping", EventSourceArn=queue_arn("q"), FunctionName="f")
        for operation in ("UpdateEventSourceMapping", "DeleteEventSourceMapping"):
            code, text = await bench.refusal(operation, UUID=made["UUID"])
            assert code == "ResourceInUseException"
            assert text.endswith(IN_USE)

    tell(tmp_path, story, follows=False)


def test_an_unknown_mapping(tmp_path: Path) -> None:
    """EM-01-states: the same words for each operation."""

    async def story(bench: Bench) -> None:
        for operation in ("GetEventSourceMapping", "UpdateEventSourceMapping", "DeleteEventSourceMapping"):
            assert await bench.refusal(operation, UUID="0" * 36) == (
                "ResourceNotFoundException",
                "The resource you requested does not exist.",
            )

    tell(tmp_path, story)


def test_what_a_mapping_needs(tmp_path: Path) -> None:
    """A function, with the qualifier; a queue in its region, that shows nothing again while the function works."""

    async def story(bench: Bench) -> None:
        await bench.function(timeout_s=31)
        await bench.queue()
        refused = "InvalidParameterValueException"
        for function in ("g", "f:live", "f:7"):
            code_and_text = await bench.refusal(
                "CreateEventSourceMapping", EventSourceArn=queue_arn("q"), FunctionName=function
            )
            assert code_and_text == (refused, "Function does not exist")
        for arn, text in (
            (
                queue_arn("none"),
                "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS "
                "Error Message: The specified queue does not exist.",
            ),
            (queue_arn("q"), "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"),
            (
                queue_arn("q", "111122223333"),
                "The provided execution role does not have permissions to call ReceiveMessage on SQS",
            ),
            (
                "arn:aws:sqs:eu-west-1:000000000000:q",
                "The event source must be in the function's region, us-east-1.",
            ),
        ):
            assert await bench.refusal("CreateEventSourceMapping", EventSourceArn=arn, FunctionName="f") == (
                refused,
                text,
            )
        assert (await bench.call("ListEventSourceMappings"))["EventSourceMappings"] == []

    tell(tmp_path, story)


def test_a_function_that_keeps_tenants_apart(tmp_path: Path) -> None:
    """Messages name no tenant."""

    async def story(bench: Bench) -> None:
        await bench.function(for_tenants=True)
        await bench.queue()
        assert await bench.refusal("CreateEventSourceMapping", EventSourceArn=queue_arn("q"), FunctionName="f") == (
            "InvalidParameterValueException",
            "Functions with tenant isolation cannot be invoked by event source mappings.",
        )

    tell(tmp_path, story)


def test_one_mapping_for_a_queue_and_a_function(tmp_path: Path) -> None:
    """A second one is a conflict that names the first, with AWS's blanks; so is an update that would make one."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.function("g")
        await bench.queue()
        first = await bench.mapping()
        other = await bench.mapping(function="g")
        expected = (
            "ResourceConflictException",
            f'An event source mapping with SQS arn (" {queue_arn("q")} ") and function (" f ") already exists. Please '
            f"update or delete the existing mapping with UUID {first}",
        )
        for name in ("f", FUNCTION):
            assert expected == await bench.refusal(
                "CreateEventSourceMapping", EventSourceArn=queue_arn("q"), FunctionName=name
            )
        assert expected == await bench.refusal("UpdateEventSourceMapping", UUID=other, FunctionName="f")
        # To itself it is none.
        await bench.call("UpdateEventSourceMapping", UUID=first, FunctionName="f")

    tell(tmp_path, story)


def test_an_update_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    """Neither what is answered nor the state."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.function("long", timeout_s=60)
        await bench.queue()
        uuid = await bench.mapping(BatchSize=5)
        before = await bench.call("GetEventSourceMapping", UUID=uuid)
        for request in ({"BatchSize": 11}, {"FunctionName": "none"}, {"FunctionName": "long"}):
            code, _ = await bench.refusal("UpdateEventSourceMapping", UUID=uuid, **request)
            assert code == "InvalidParameterValueException"
        assert await bench.call("GetEventSourceMapping", UUID=uuid) == before

    tell(tmp_path, story)


def test_an_update_moves_to_another_function(tmp_path: Path) -> None:
    """Messages go there from then on."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.function("g")
        await bench.queue()
        uuid = await bench.mapping()
        answer = await bench.call("UpdateEventSourceMapping", UUID=uuid, FunctionName="g")
        assert answer["FunctionArn"].endswith(":function:g")
        await bench.until_state(uuid, "Enabled")
        await bench.send("a")
        await bench.until_depth(0, 0, 0)
        assert bench.bodies("g") == [["a"]]

    tell(tmp_path, story)


def test_lists(tmp_path: Path) -> None:
    """By source, by function as it is qualified, in pages."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.function("g")
        for name in ("q1", "q2"):
            await bench.queue(name)
        made = {
            (queue, function): await bench.mapping(queue, function)
            for queue, function in (("q1", "f"), ("q2", "f"), ("q1", "g"))
        }

        async def listed(**request: object) -> set[str]:
            found = await bench.call("ListEventSourceMappings", **request)
            return {mapping["UUID"] for mapping in found["EventSourceMappings"]}

        assert await listed() == set(made.values())
        assert await listed(FunctionName="f") == {made["q1", "f"], made["q2", "f"]}
        assert await listed(FunctionName="f:1") == set()
        assert await listed(FunctionName="none") == set()
        assert await listed(EventSourceArn=queue_arn("q1")) == {made["q1", "f"], made["q1", "g"]}
        assert await listed(EventSourceArn=queue_arn("q1"), FunctionName=FUNCTION) == {made["q1", "f"]}
        seen: list[str] = []
        marker: dict[str, str] = {}
        for _ in range(3):
            page = await bench.call("ListEventSourceMappings", MaxItems=1, **marker)
            seen += [mapping["UUID"] for mapping in page["EventSourceMappings"]]
            marker = {"Marker": page["NextMarker"]} if "NextMarker" in page else {}
        assert sorted(seen) == sorted(made.values())
        assert marker == {}
        assert (await bench.refusal("ListEventSourceMappings", Marker="!"))[0] == "InvalidParameterValueException"

    tell(tmp_path, story)


def test_a_role_of_another_account_is_let_in(tmp_path: Path) -> None:
    """By the queue's policy; the first action that it lacks is named."""
    owner = "111122223333"

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.call("CreateQueue", owner, QueueName="q")
        for actions, lacking in (
            (["sqs:ReceiveMessage"], "DeleteMessage"),
            (["sqs:ReceiveMessage", "sqs:DeleteMessage"], "GetQueueAttributes"),
        ):
            statement = {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{SCOPE.account}:root"},
                "Action": actions,
                "Resource": queue_arn("q", owner),
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            await bench.call("SetQueueAttributes", owner, QueueUrl="q", Attributes={"Policy": policy})
            _, text = await bench.refusal(
                "CreateEventSourceMapping", EventSourceArn=queue_arn("q", owner), FunctionName="f"
            )
            assert text == f"The provided execution role does not have permissions to call {lacking} on SQS"

    tell(tmp_path, story)
