"""The operations on mappings of streams: what is answered and what is refused."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from unit.event_sources.stream_bench import ARN, StreamBench, tell_of_streams

from lambent.event_sources.stream_reader import StreamUnavailable

REFUSED = "InvalidParameterValueException"


async def refusal(bench: StreamBench, arn: str = ARN, **settings: Any) -> tuple[str, str]:
    given = {"StartingPosition": "LATEST", "FunctionName": "f", **settings}
    return await bench.refusal("CreateEventSourceMapping", EventSourceArn=arn, **given)


def test_streams_that_cannot_be_sources(tmp_path: Path) -> None:
    """Not there, another region's, another account's, not to be read now."""

    async def story(bench: StreamBench) -> None:
        none = ARN.replace("/s", "/none")
        assert await refusal(bench, none) == (REFUSED, f"Stream not found: {none}")
        assert await refusal(bench, ARN.replace("us-east-1", "eu-west-1")) == (
            REFUSED,
            "The event source must be in the function's region, us-east-1.",
        )
        other = ARN.replace("000000000000", "111122223333")
        assert await refusal(bench, other) == (
            REFUSED,
            f"Event source {other} is not offered by this version of Lambent: streams of other accounts are not read",
        )
        bench.reader.failure = StreamUnavailable("nobody answers")
        assert await refusal(bench) == (REFUSED, f"Cannot access stream {ARN}: nobody answers")

    tell_of_streams(tmp_path, story)


def test_a_moment_that_is_yet_to_come(tmp_path: Path) -> None:
    """Documented: it cannot be in the future; a caller's clock may be a little ahead."""

    async def story(bench: StreamBench) -> None:
        def since(seconds: float) -> dict[str, Any]:
            at = datetime.fromtimestamp(bench.clock.now() + seconds, UTC)
            return {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": at}

        assert await refusal(bench, **since(120)) == (REFUSED, "StartingPositionTimestamp cannot be in the future.")
        await bench.stream_mapping(**since(5))

    tell_of_streams(tmp_path, story)


@pytest.mark.parametrize(
    ("arn", "text"),
    [
        *(
            (arn, f"Destination {arn} is not offered by this version of Lambent for event source mappings: use an SQS "
                  "queue or an S3 bucket")
            for arn in ("arn:aws:sns:us-east-1:000000000000:t", "kafka://topic")
        ),
        *(
            (arn, f"The destination ARN {arn} is invalid: an event source mapping's is a standard SQS queue or a "
                  "bucket.")
            for arn in (
                "arn:aws:lambda:us-east-1:000000000000:function:g", "arn:aws:sqs:us-east-1:000000000000:q.fifo", "x",
            )
        ),
        ("arn:aws:sqs:us-east-1:000000000000:none",
         "The destination ARN arn:aws:sqs:us-east-1:000000000000:none is invalid."),
        ("arn:aws:s3:::none", "The destination ARN arn:aws:s3:::none is invalid."),
        ("arn:aws:s3:::closed", "The destination ARN arn:aws:s3:::closed is invalid: it lets nobody in."),
        ("arn:aws:sqs:us-east-1:111122223333:q",
         "The destination ARN arn:aws:sqs:us-east-1:111122223333:q is invalid: it must be of account 000000000000 in "
         "us-east-1, as the function is."),
    ],
)  # fmt: skip
def test_where_failures_cannot_go(tmp_path: Path, arn: str, text: str) -> None:
    """When a mapping is made and when it is changed."""

    async def story(bench: StreamBench) -> None:
        config = {"OnFailure": {"Destination": arn}}
        assert await refusal(bench, DestinationConfig=config) == (REFUSED, text)
        uuid = await bench.stream_mapping()
        assert await bench.refusal("UpdateEventSourceMapping", UUID=uuid, DestinationConfig=config) == (REFUSED, text)

    tell_of_streams(tmp_path, story)


def test_a_second_mapping_of_a_stream_and_a_function(tmp_path: Path) -> None:
    """A conflict, with AWS's words for streams; another function may have one."""

    async def story(bench: StreamBench) -> None:
        uuid = await bench.stream_mapping()
        assert await refusal(bench) == (
            "ResourceConflictException",
            f'The event source arn (" {ARN} ") and function (" f ") provided mapping already exists. Please update or '
            f"delete the existing mapping with UUID {uuid}",
        )
        await bench.function("g")
        other = await bench.stream_mapping(function="g")
        found = (await bench.call("ListEventSourceMappings", EventSourceArn=ARN))["EventSourceMappings"]
        assert {one["UUID"] for one in found} == {uuid, other}
        assert {one["LastProcessingResult"] for one in found} == {"No records processed"}

    tell_of_streams(tmp_path, story)


def test_streams_are_refused_where_nothing_reads_them(tmp_path: Path) -> None:
    """By name: the readers that a server has decide."""

    async def story(bench: StreamBench) -> None:
        del bench.streams["dynamodb"]
        arn = "arn:aws:dynamodb:us-east-1:000000000000:table/tab/stream/2026-11-20T08:00:00.000"
        assert await refusal(bench, arn) == (
            REFUSED,
            f"Event source {arn} is not offered by this version of Lambent: DynamoDB streams come with a later "
            "version; use an SQS queue",
        )

    tell_of_streams(tmp_path, story)
