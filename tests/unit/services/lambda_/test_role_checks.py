"""What execution roles need: of what the server reads and sends in their names, and what is answered without."""

import asyncio
import io
import json
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lambent.access.authorize import Everything
from lambent.domain.destination import Target, parse_target
from lambent.domain.function import FunctionName
from lambent.domain.identity import Role
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.services.lambda_.role_checks import DeliveryRights, TargetRights, role_of
from lambent.testing.api import SCOPE, InProcessApi, open_api

ROLE = f"arn:aws:iam::{SCOPE.account}:role/r"
Q = f"arn:aws:sqs:{SCOPE.region}:{SCOPE.account}:q"
TRUSTING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
F = f"arn:aws:lambda:{SCOPE.region}:{SCOPE.account}:function:"


def code() -> dict[str, bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("f.py", "def handler(event, context): return event")
    return {"ZipFile": buffer.getvalue()}


async def allow(api: InProcessApi, *actions: str, resource: str = "*") -> None:
    """Give the role these actions and no others."""
    statement = {"Effect": "Allow", "Action": actions or ["none:None"], "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    async with api.identities.transaction(SCOPE.account) as rows:
        await rows.save(
            Role(
                account=SCOPE.account, name="r", unique_id="AROAR", created_at=0.0, trust_policy=TRUSTING,
                inline={"p": document},
            )
        )  # fmt: skip


async def create(api: InProcessApi, name: str = "f", **more: Any) -> None:
    await api.call(
        "CreateFunction", FunctionName=name, Runtime="python3.12", Role=ROLE, Handler="f.handler", Code=code(), **more
    )


def run(folder: Path, story: Callable[[InProcessApi], Awaitable[None]]) -> None:
    async def told() -> None:
        async with open_api(folder, iam="enforce") as api:
            await api.call("CreateQueue", "sqs", QueueName="q")
            await allow(api)
            await story(api)

    asyncio.run(told())


async def refused(call: Awaitable[Any]) -> str:
    with pytest.raises(InvalidParameterValueException) as excinfo:
        await call
    return excinfo.value.message


def target(arn: str) -> Target:
    found = parse_target(arn)
    assert found is not None
    return found


def map_queue(api: InProcessApi, arn: str = Q) -> Awaitable[Any]:
    return api.call("CreateEventSourceMapping", FunctionName="f", EventSourceArn=arn)


@pytest.mark.parametrize("lacking", ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"])
def test_a_mapping_needs_all_that_reading_takes(tmp_path: Path, lacking: str) -> None:
    """The first that the role lacks is named; a queue that is not there is told of in the same words."""
    needed = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]

    async def story(api: InProcessApi) -> None:
        await create(api)
        await allow(api, *(action for action in needed if action != f"sqs:{lacking}"))
        text = f"The provided execution role does not have permissions to call {lacking} on SQS"
        assert await refused(map_queue(api)) == text
        assert await refused(map_queue(api, f"{Q}gone")) == text
        await allow(api, *needed)
        await map_queue(api)

    run(tmp_path, story)


def test_a_role_that_is_not_there_may_nothing(tmp_path: Path) -> None:
    async def story(api: InProcessApi) -> None:
        await create(api)
        async with api.identities.transaction(SCOPE.account) as rows:
            await rows.delete(Role, "r")
        assert "ReceiveMessage on SQS" in await refused(map_queue(api))

    run(tmp_path, story)


def test_a_queue_lets_a_role_of_its_account_in_by_its_own_policy(tmp_path: Path) -> None:
    async def story(api: InProcessApi) -> None:
        await create(api)
        await allow(api)
        statement = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sqs:*", "Resource": Q}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        await api.call("SetQueueAttributes", "sqs", QueueUrl="q", Attributes={"Policy": policy})
        await map_queue(api)

    run(tmp_path, story)


def test_dead_letters_need_leave_to_send(tmp_path: Path) -> None:
    """Of the role that the function is to have, or has; before it is said whether there is such a queue."""
    text = "The provided execution role does not have permissions to call SendMessage on SQS"

    async def story(api: InProcessApi) -> None:
        await allow(api)
        assert await refused(create(api, DeadLetterConfig={"TargetArn": Q})) == text
        assert await refused(create(api, DeadLetterConfig={"TargetArn": f"{Q}gone"})) == text
        await create(api)
        await api.settle("f")
        update = {"FunctionName": "f", "DeadLetterConfig": {"TargetArn": Q}}
        assert await refused(api.call("UpdateFunctionConfiguration", **update)) == text
        await allow(api, "sqs:SendMessage", resource=Q)
        await api.call("UpdateFunctionConfiguration", **update)

    run(tmp_path, story)


def test_destinations_need_leave_to_send(tmp_path: Path) -> None:
    async def story(api: InProcessApi) -> None:
        await create(api)
        await create(api, "g")

        def send_to(arn: str) -> Awaitable[Any]:
            config = {"OnSuccess": {"Destination": arn}}
            return api.call("PutFunctionEventInvokeConfig", FunctionName="f", DestinationConfig=config)

        await allow(api)
        lacks = "The provided execution role does not have permissions to call "
        assert await refused(send_to(Q)) == f"{lacks}SendMessage on SQS"
        assert await refused(send_to(f"{F}g")) == f"{lacks}InvokeFunction on Lambda"
        await allow(api, "sqs:SendMessage", "lambda:InvokeFunction")
        await send_to(Q)
        await send_to(f"{F}g")

    run(tmp_path, story)


def test_deliveries_ask_the_role_that_the_function_has_now(tmp_path: Path) -> None:
    """A function that is gone has none; its record was accepted when it had one."""

    async def story(api: InProcessApi) -> None:
        await create(api)
        await api.settle("f")
        await allow(api)

        class Versions:
            async def resolve(self, scope: Any, name: str, qualifier: str | None) -> Any:
                async with api._store.snapshot(scope) as reading:
                    return await reading.version(FunctionName(name), qualifier or "$LATEST")

        rights = DeliveryRights(TargetRights(api.authorizer, {"sqs": api.queues.facts}), Versions())
        assert await rights.lacking(f"{F}f:$LATEST", target(Q), "") == "SendMessage on SQS"
        await allow(api, "sqs:SendMessage")
        assert await rights.lacking(f"{F}f:$LATEST", target(Q), "") is None
        assert await rights.lacking(f"{F}f:$LATEST", target("arn:aws:s3:::b"), "k") == "PutObject on S3"
        await allow(api, "s3:PutObject", resource="arn:aws:s3:::b/k")
        assert await rights.lacking(f"{F}f:$LATEST", target("arn:aws:s3:::b"), "k") is None
        assert await rights.lacking(f"{F}f:$LATEST", target("arn:aws:s3:::b"), "other") == "PutObject on S3"
        assert await rights.lacking(f"{F}gone:$LATEST", target(Q), "") is None
        assert await rights.lacking("", target(Q), "") is None

    run(tmp_path, story)


def test_the_role_of_what_a_qualifier_names(tmp_path: Path) -> None:
    async def story(api: InProcessApi) -> None:
        await create(api)
        await api.settle("f")
        await api.call("PublishVersion", FunctionName="f")
        await api.call("CreateAlias", FunctionName="f", Name="a", FunctionVersion="1")
        async with api._store.snapshot(SCOPE) as reading:
            found = [await role_of(reading, FunctionName("f"), one) for one in (None, "$LATEST", "1", "a", "b", "2")]
        assert found == [ROLE, ROLE, ROLE, ROLE, None, None]

    run(tmp_path, story)


def test_where_policies_are_off_no_role_is_asked() -> None:
    assert asyncio.run(TargetRights(Everything(), {}).lacking("none", target(Q))) is None


def test_active_tracing_takes_two_permissions(tmp_path: Path) -> None:
    """When it is switched on, and where a function that has it gets another role; without it nothing is asked."""
    lacks = "The provided execution role does not have permissions to call {} on XRAY"

    async def story(api: InProcessApi) -> None:
        async def update(**changes: Any) -> str:
            await api.settle("f")
            shown = await api.call("UpdateFunctionConfiguration", FunctionName="f", **changes)
            mode: str = shown["TracingConfig"]["Mode"]
            return mode

        active = {"Mode": "Active"}
        assert await refused(create(api, TracingConfig=active)) == lacks.format("PutTraceSegments")
        await allow(api, "xray:PutTraceSegments")
        assert await refused(create(api, TracingConfig=active)) == lacks.format("PutTelemetryRecords")
        await create(api)
        assert await refused(update(TracingConfig=active)) == lacks.format("PutTelemetryRecords")
        await allow(api, "xray:PutTraceSegments", "xray:PutTelemetryRecords")
        assert await update(TracingConfig=active) == "Active"
        await allow(api)
        assert await refused(update(Role=ROLE)) == lacks.format("PutTraceSegments")
        # What says nothing of either leaves both as they are.
        assert await update(Description="d") == "Active"
        assert await update(TracingConfig={"Mode": "PassThrough"}) == "PassThrough"

    run(tmp_path, story)
