"""The segments that sampled invocations become."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.caller import Scope
from lambent.domain.traced import (
    CAUSE_MAX_BYTES,
    Accepted,
    Attempt,
    Entered,
    Failure,
    HttpCall,
    Link,
    Linked,
    Ran,
    cause_of,
    documents_of,
    link_of,
    segment_name,
)

SCOPE = Scope("111122223333", "eu-west-1")
ARN = "arn:aws:lambda:eu-west-1:111122223333:function:f"
TRACE_ID = "1-654c0557-5611b044040fc7224c4790b6"
CALL = HttpCall("GET", "https://h/p", "curl/8", "127.0.0.1")

ACCEPTED = Accepted(
    SCOPE, "f", TRACE_ID, "0285bf1261be05ff", "", "74ba", began=1699480919.389, ended=1699480920.17, status=200
)
RAN = Ran(
    SCOPE,
    "f",
    "/aws/lambda/f",
    TRACE_ID,
    "17e84e76450d1777",
    "0285bf1261be05ff",
    "1111111111111111",
    began=1699480919.9099,
    answered=1699480920.1663,
    ended=1699480920.1668,
)


def of(traced: Any) -> dict[str, Any]:
    (document,) = documents_of(traced)
    assert json.loads(msgspec.json.encode(document)) == document
    return document


def test_an_invocation_is_two_segments_as_the_service_writes_them() -> None:
    """The service's, and below it the function's with what it consists of. Observed: a published trace."""
    assert of(ACCEPTED) == {
        "id": "0285bf1261be05ff",
        "name": "f",
        "start_time": 1699480919.389,
        "end_time": 1699480920.17,
        "trace_id": TRACE_ID,
        "http": {"response": {"status": 200}},
        "aws": {"request_id": "74ba"},
        "origin": "AWS::Lambda",
        "resource_arn": ARN,
    }
    document = of(RAN._replace(init=(1699480919.549, 1699480919.904)))
    initialization, invocation, overhead = document.pop("subsegments")
    assert document == {
        "id": "17e84e76450d1777",
        "parent_id": "0285bf1261be05ff",
        "name": "f",
        "start_time": 1699480919.9099,
        "end_time": 1699480920.1668,
        "trace_id": TRACE_ID,
        "origin": "AWS::Lambda::Function",
        "resource_arn": ARN,
        "aws": {
            "account_id": "111122223333",
            "function_arn": ARN,
            "cloudwatch_logs": [
                {
                    "log_group": "/aws/lambda/f",
                    "arn": "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/f",
                }
            ],
            "resource_names": ["f"],
        },
    }
    assert (initialization["name"], initialization["start_time"], initialization["end_time"]) == (
        "Initialization",
        1699480919.549,
        1699480919.904,
    )
    assert invocation == {
        "id": "1111111111111111",
        "name": "Invocation",
        "start_time": 1699480919.9099,
        "end_time": 1699480920.1663,
        "aws": {"function_arn": ARN},
    }
    assert (overhead["name"], overhead["start_time"]) == ("Overhead", 1699480920.1663)
    assert len({initialization["id"], invocation["id"], overhead["id"]}) == 3


def test_a_restore_stands_where_an_init_would() -> None:
    """SnapStart. Observed: published traces."""
    names = [part["name"] for part in of(RAN._replace(restore=(1699480919.5, 1699480919.9)))["subsegments"]]
    assert names == ["Restore", "Invocation", "Overhead"]


@pytest.mark.parametrize(
    ("status", "has_failed", "flags"),
    [
        (200, False, set()),
        (200, True, {"fault"}),
        (429, False, {"error", "throttle"}),
        (403, False, {"error"}),
        (500, False, {"fault"}),
    ],
)
def test_the_root_says_what_went_wrong(status: int, has_failed: bool, flags: set[str]) -> None:
    """What filters read: a failed function is a fault, a refusal an error, and one for concurrency a throttle."""
    document = of(ACCEPTED._replace(status=status, has_failed=has_failed))
    assert {name for name in ("error", "fault", "throttle") if document.get(name)} == flags
    assert document["http"]["response"]["status"] == status


def test_an_asynchronous_event_says_how_long_it_waited_and_how_often_it_ran() -> None:
    """Dwell Time up to the first attempt; while it will run again, its segment is open."""
    first = Attempt("2222222222222222", 1699480919.5, 1699480919.6, True)
    begun = ACCEPTED._replace(status=202, is_open=True, attempts=[first])
    document = of(begun)
    assert document["in_progress"] is True
    assert "end_time" not in document
    second = Attempt("3333333333333333", 1699480980.0, 1699480980.1, False)
    document = of(begun._replace(is_open=False, attempts=[first, second], ended=1699480980.1))
    assert "in_progress" not in document
    dwell, one, two = document["subsegments"]
    assert (dwell["name"], dwell["start_time"], dwell["end_time"]) == ("Dwell Time", 1699480919.389, 1699480919.5)
    assert (one["name"], one["id"], one["fault"]) == ("Attempt #1", "2222222222222222", True)
    assert (two["name"], two["end_time"], "fault" in two) == ("Attempt #2", 1699480980.1, False)


def test_a_consumer_and_its_producers_are_linked_both_ways() -> None:
    """Each names the other's segment; a segment has twenty links at most."""
    producer = Link("1-654c0557-aaaaaaaaaaaaaaaaaaaaaaaa", "4444444444444444")
    (link,) = of(ACCEPTED._replace(links=[producer]))["links"]
    assert link == {
        "trace_id": producer.trace_id,
        "id": producer.segment_id,
        "attributes": {"aws.xray.reserved.reference_type": "parent"},
    }
    assert len(of(ACCEPTED._replace(links=[producer] * 50))["links"]) == 20
    linked = Linked(SCOPE, *producer, Link(TRACE_ID, ACCEPTED.id), "consumer", 1699480920.1811)
    assert link_of(linked) == {
        "trace_id": TRACE_ID,
        "id": ACCEPTED.id,
        "attributes": {
            "aws.xray.reserved.reference_type": "child",
            "aws.xray.reserved.type": "AWS::Lambda",
            "aws.xray.reserved.names": ["consumer"],
            "aws.xray.reserved.received_event_end_time": 1699480920.181,
            "aws.xray.reserved.dwell_end_time": 1699480920.181,
        },
    }


def test_a_stage_of_an_api_is_a_segment_with_its_call_of_the_function() -> None:
    """As REST APIs write it."""
    entered = Entered(
        SCOPE, "abc", "my (api)", "$default", TRACE_ID, "5" * 16, "6" * 16, "r=", "7" * 16, 1.0, (1.1, 1.2), 1.3, 502,
        CALL,
    )  # fmt: skip
    document = of(entered)
    assert document["name"] == "my _api_/_default"
    assert document["origin"] == "AWS::ApiGateway::Stage"
    assert document["http"] == {
        "request": {"method": "GET", "url": "https://h/p", "user_agent": "curl/8", "client_ip": "127.0.0.1"},
        "response": {"status": 502},
    }
    assert document["fault"] is True
    assert document["parent_id"] == "6" * 16
    assert [(part["id"], part["name"]) for part in document["subsegments"]] == [("7" * 16, "Lambda")]
    assert "subsegments" not in of(entered._replace(called=None))


def test_a_failure_has_its_cause_where_x_ray_looks_for_it() -> None:
    """On the function's segment and on Invocation: what the runtime posted, with the ids that X-Ray wants."""
    posted = {
        "working_directory": "/var/task",
        "exceptions": [
            {"type": "ValueError", "message": "boom", "stack": [{"path": "app.py", "line": 3, "label": "handler"}]}
        ],
        "paths": ["/var/task/app.py"],
    }
    failure = Failure("ValueError", "boom", json.dumps(posted))
    document = of(RAN._replace(failure=failure))
    invocation = next(part for part in document["subsegments"] if part["name"] == "Invocation")
    assert document["fault"] is invocation["fault"] is True
    assert document["cause"] == invocation["cause"]
    (exception,) = document["cause"]["exceptions"]
    assert re.fullmatch("[0-9a-f]{16}", exception.pop("id"))
    assert {**document["cause"], "exceptions": [exception]} == posted


@pytest.mark.parametrize(
    "cause", ["", "nonsense", "[]", '{"exceptions": 1}', "[" * 10_000, " " * CAUSE_MAX_BYTES + '{"exceptions":[]}']
)
def test_without_a_cause_type_and_message_are_it(cause: str) -> None:
    """Of a timeout, say, no runtime posts anything; what is no cause counts for nothing."""
    (exception,) = cause_of(Failure("Sandbox.Timedout", "too slow", cause), "1" * 16)["exceptions"]
    assert exception.pop("id")
    assert exception == {"type": "Sandbox.Timedout", "message": "too slow"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["exceptions", "stack", "path", "line", "label", "type", "message", "paths"]), inner
            )
        ),
    )
)
def test_whatever_a_function_posts_the_document_is_sound(value: Any) -> None:
    """A cause is the function's own: nothing in it can make a document that nobody can read, or one without end."""
    cause = cause_of(Failure("T", "m", json.dumps({"exceptions": value})), "1" * 16)
    assert len(msgspec.json.encode(cause)) < 6 * CAUSE_MAX_BYTES
    assert all(re.fullmatch("[0-9a-f]{16}", one["id"]) for one in cause["exceptions"])


def test_names_hold_what_they_may() -> None:
    """Documented: the characters, and two hundred of them."""
    assert segment_name("a$b<c>" + "x" * 300) == "a_b_c_" + "x" * 194
