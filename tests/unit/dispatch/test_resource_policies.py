"""Whom a function's resource policy lets in."""

import asyncio
from pathlib import Path

import pytest

from lambent.dispatch.resource_policies import is_let_in
from lambent.domain.function import FunctionName
from lambent.domain.resource_policy import ResourcePolicy, service_for
from lambent.testing.conformance.store import SCOPE, function_of, latest_of
from lambent.testing.stores import make_sqlite, open_sqlite

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:f"
BUCKET = "arn:aws:s3:::b"
S3 = service_for("s3.amazonaws.com", BUCKET, "111122223333")
OTHER = service_for("logs.amazonaws.com", BUCKET, "111122223333")


@pytest.mark.parametrize(
    ("arn", "requesters", "expected"),
    [
        (FUNCTION, [S3], True),
        (FUNCTION, [OTHER, S3], True),
        (FUNCTION, [OTHER], False),
        (FUNCTION, [], False),
        (f"{FUNCTION}:$LATEST", [S3], True),
        (f"{FUNCTION}:live", [S3], False),
        (f"{FUNCTION}:a:b", [S3], False),
        (FUNCTION.replace(":f", ":g"), [S3], False),
        (FUNCTION.replace("eu-west-1", "us-east-1"), [S3], False),
        ("f", [S3], False),
    ],
)
def test_who_is_let_in(tmp_path: Path, arn: str, requesters: list[object], *, expected: bool) -> None:
    """Whom the policy of what is named allows, any of them; a qualifier has a policy of its own."""
    allowed = {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        "Condition": {"ArnLike": {"AWS:SourceArn": BUCKET}},
    }

    async def ask() -> bool:
        make_sqlite(tmp_path / "state.db")
        async with open_sqlite(str(tmp_path / "state.db")) as stores:
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.create(function_of("f"), latest_of("f"))
                await tx.policies.save(FunctionName("f"), None, ResourcePolicy((allowed,)))
            return await is_let_in(stores.functions, arn, *requesters)  # type: ignore[arg-type]

    assert asyncio.run(ask()) is expected
