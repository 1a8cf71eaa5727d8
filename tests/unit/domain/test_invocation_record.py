"""The record of an asynchronous invocation that ended, and what a dead letter says."""

import json
from typing import Any

import pytest

from lambent.domain.invocation import FunctionError, InvocationOutcome
from lambent.domain.invocation_record import RECORD_MAX_BYTES, error_message, invocation_record

ARN = "arn:aws:lambda:eu-west-1:111122223333:function:f:$LATEST"
ERROR = b'{"errorMessage":"boom","errorType":"Exception","requestId":"r","stackTrace":[]}'


def record(outcome: InvocationOutcome | None, payload: bytes = b'{"k":1}', condition: str = "Success") -> Any:
    made = invocation_record(
        now=1_795_572_619.1239,
        request_id="r",
        function_arn=ARN,
        condition=condition,
        attempts=3,
        payload=payload,
        outcome=outcome,
    )
    assert len(made) <= RECORD_MAX_BYTES
    return json.loads(made)


def test_as01_the_record_of_a_success() -> None:
    """AS-01: every member, and no functionError."""
    assert record(InvocationOutcome(b'{"ok": true}', "$LATEST")) == {
        "version": "1.0",
        "timestamp": "2026-11-25T02:10:19.123Z",
        "requestContext": {
            "requestId": "r",
            "functionArn": ARN,
            "condition": "Success",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"k": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"ok": True},
    }


def test_as01_the_record_of_a_failure() -> None:
    """AS-01: the error is the responsePayload; without a run there is no response."""
    found = record(InvocationOutcome(ERROR, "7", FunctionError()), condition="RetriesExhausted")
    assert found["requestContext"]["condition"] == "RetriesExhausted"
    assert found["responseContext"] == {"statusCode": 200, "executedVersion": "7", "functionError": "Unhandled"}
    assert found["responsePayload"] == json.loads(ERROR)
    assert set(record(None)) == {"version", "timestamp", "requestContext", "requestPayload"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(b"null", None), (b"1.50", 1.5), (b"plain", "plain"), (b"\xff", "\N{REPLACEMENT CHARACTER}"), (b"", "")],
)
def test_an_answer_that_is_no_json_becomes_a_text(answer: bytes, expected: object) -> None:
    """Custom runtimes may answer anything; the record is JSON."""
    assert record(InvocationOutcome(answer, "$LATEST"))["responsePayload"] == expected


def test_a_record_fits_every_target() -> None:
    """The response is left out first, then the request."""
    outcome = InvocationOutcome(json.dumps("y" * RECORD_MAX_BYTES).encode(), "$LATEST")
    found = record(outcome)
    assert "responsePayload" not in found
    assert found["requestPayload"] == {"k": 1}
    found = record(outcome, json.dumps("x" * (RECORD_MAX_BYTES - 2)).encode())
    assert {"requestPayload", "responsePayload"}.isdisjoint(found)
    assert found["responseContext"]["executedVersion"] == "$LATEST"


def test_a_record_for_a_bucket_is_whole() -> None:
    """An object may be as large as payloads are."""
    answer = json.dumps("y" * RECORD_MAX_BYTES).encode()
    made = invocation_record(
        now=0.0,
        request_id="r",
        function_arn=ARN,
        condition="RetriesExhausted",
        attempts=3,
        payload=b'{"k":1}',
        outcome=InvocationOutcome(answer, "$LATEST", FunctionError()),
        is_whole=True,
    )
    assert json.loads(made)["responsePayload"] == "y" * RECORD_MAX_BYTES


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ERROR, "boom"),
        (b"plain", "plain"),
        (b"{}", ""),
        (json.dumps({"errorMessage": "\u00e9" * 2000}).encode(), "\u00e9" * 512),
    ],
)
def test_a_dead_letter_has_the_bare_message(answer: bytes, expected: str) -> None:
    """The first KiB of it, cut between characters."""
    assert error_message(InvocationOutcome(answer, "$LATEST", FunctionError())) == expected
