"""What filters make of a batch of events: points, payloads."""

import base64
import gzip
import json
import os
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.caller import Scope
from lambent.domain.filter_pattern import InvalidPattern
from lambent.domain.log_filter import MetricFilter, SubscriptionFilter
from lambent.domain.metric import Distribution, Metric
from lambent.store.contract import LogEvent, NewLogEvent
from lambent.telemetry import log_filters as telemetry_log_filters
from lambent.telemetry.log_filters import (
    PAYLOAD_JSON_MAX_BYTES,
    Gathering,
    GroupMetrics,
    Payload,
    compiled,
    number,
)

SCOPE = Scope("111122223333", "eu-west-1")
MINUTE = 1_795_000_020_000
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:f"


def event(message: str, at_ms: int = MINUTE, stream: str = "s", group: str = "g") -> NewLogEvent:
    return NewLogEvent(SCOPE, group, stream, at_ms, at_ms + 5, message)


def metric_filter(pattern: str, value: str = "1", name: str = "f", group: str = "g", **more: Any) -> MetricFilter:
    return MetricFilter(SCOPE, group, name, 1, pattern, "M", "N", value, **more)


def subscription(pattern: str = "", name: str = "sub", group: str = "g") -> SubscriptionFilter:
    return SubscriptionFilter(SCOPE, group, name, 1, pattern, FUNCTION)


def gather(filters: list[Any], events: list[NewLogEvent], first_sequence: int = 7) -> Gathering:
    by_group, broken = compiled(filters)
    assert not broken
    gathering = Gathering(by_group, first_sequence)
    gathering.note(events)
    return gathering


def points(gathering: Gathering) -> dict[tuple[Metric, int, int], Distribution]:
    return {(one.metric, one.at_s, one.period_s): one.values for one in gathering.points.take()}


def of(*values: float) -> Distribution:
    distribution = Distribution()
    for value in values:
        distribution.add(value)
    return distribution


def content(payload: Payload) -> Any:
    """Return what a function reads of its event."""
    event_ = json.loads(payload.body)
    assert list(event_) == ["awslogs"] and list(event_["awslogs"]) == ["data"]
    return json.loads(gzip.decompress(base64.b64decode(event_["awslogs"]["data"])))


def event_id(at_ms: int, sequence: int) -> str:
    return LogEvent("s", at_ms, at_ms + 5, sequence, "").event_id


# Metrics ------------------------------------------------------------------------------------------------------------


def test_points_are_of_the_minute_of_the_event() -> None:
    """A number counts once for each event that matches; groups without filters give none."""
    events = [
        event("ERROR 1", MINUTE),
        event("fine", MINUTE),
        event("ERROR 2", MINUTE + 59_999),
        event("ERROR 3", MINUTE + 60_000),
        event("ERROR", group="other"),
    ]
    metric = Metric(SCOPE, "N", "M", (), "Count")
    assert points(gather([metric_filter("ERROR", "2.5", unit="Count")], events)) == {
        (metric, MINUTE // 1000, 60): of(2.5, 2.5),
        (metric, MINUTE // 1000 + 60, 60): of(2.5),
    }


def test_a_value_and_dimensions_out_of_the_event() -> None:
    """What is no number gives no point, and what lacks a dimension gives none either."""
    wanted = metric_filter("{ $.ms = * }", "$.ms", dimensions=(("Type", "$.type"),))
    events = [
        event('{"ms": 5, "type": "a"}'),
        event('{"ms": "7.5", "type": "a"}'),
        event('{"ms": 1, "type": 3}'),
        event('{"ms": "fast", "type": "a"}'),
        event('{"ms": 9}'),
        event('{"ms": 9, "type": ""}'),
        event('{"ms": 9, "type": "' + "x" * 1025 + '"}'),
    ]
    assert points(gather([wanted], events)) == {
        (Metric(SCOPE, "N", "M", (("Type", "a"),)), MINUTE // 1000, 60): of(5, 7.5),
        (Metric(SCOPE, "N", "M", (("Type", "3"),)), MINUTE // 1000, 60): of(1),
    }


def test_a_value_out_of_a_column() -> None:
    """By the column's name."""
    wanted = metric_filter("[ip, code=5*, bytes]", "$bytes", dimensions=(("Code", "$code"),))
    events = [event("1.1.1.1 500 10"), event("1.1.1.1 200 20"), event("1.1.1.1 500 -")]
    assert points(gather([wanted], events)) == {
        (Metric(SCOPE, "N", "M", (("Code", "500"),)), MINUTE // 1000, 60): of(10)
    }


def test_a_constant_with_dimensions() -> None:
    """Counts by what the event says of itself."""
    wanted = metric_filter("{ $.type = * }", "1", dimensions=(("Type", "$.type"),))
    found = points(gather([wanted], [event('{"type": "a"}'), event('{"type": "a"}'), event('{"type": "b"}')]))
    assert {key[0].dimensions: values.count for key, values in found.items()} == {
        (("Type", "a"),): 2,
        (("Type", "b"),): 1,
    }


def test_minutes_with_and_without_a_match_are_told_apart() -> None:
    """Of filters that have a default value."""
    wanted, other = metric_filter("ERROR", default=0.0), metric_filter("x", name="without")
    gathering = gather([wanted, other], [event("ERROR"), event("fine"), event("fine", MINUTE + 60_000)])
    assert gathering.matched == {(wanted, MINUTE)}
    assert gathering.unmatched == {(wanted, MINUTE), (wanted, MINUTE + 60_000)}


def test_figures_that_events_carry() -> None:
    """With or without filters; failures count for the group."""
    document = {
        "_aws": {
            "Timestamp": MINUTE - 60_000,
            "CloudWatchMetrics": [
                {"Namespace": "orders", "Dimensions": [["service"]], "Metrics": [{"Name": "ms"}]},
                {"Namespace": "orders", "Dimensions": [["nope"]], "Metrics": [{"Name": "ms"}]},
            ],
        },
        "service": "checkout",
        "ms": [1, 2],
    }
    text = json.dumps(document)
    of_group = (("LogGroupName", "g"),)
    assert points(gather([], [event(text), event(text[:-1])])) == {
        (Metric(SCOPE, "orders", "ms", (("service", "checkout"),)), MINUTE // 1000 - 60, 60): of(1, 2),
        (Metric(SCOPE, "AWS/Logs", "EMFValidationErrors", of_group, "Count"), MINUTE // 1000, 60): of(1),
        (Metric(SCOPE, "AWS/Logs", "EMFParsingErrors", of_group, "Count"), MINUTE // 1000, 60): of(1),
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1.5e3", -1500),
        (" 2 ", 2),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("-1e109", None),
        ("1_0", None),
        ("", None),
    ],
)
def test_numbers(text: str, value: float | None) -> None:
    assert number(text) == value


# Payloads -----------------------------------------------------------------------------------------------------------


def test_a_payload_holds_events_of_one_stream() -> None:
    """With the ids under which they will be found in the store: sequences are those of the whole batch."""
    events = [event("ERROR a"), event("fine"), event("ERROR b", stream="t"), event("ERROR c", MINUTE + 1)]
    first, second = gather([subscription("ERROR", "errors")], events).payloads()
    assert content(first) == {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "g",
        "logStream": "s",
        "subscriptionFilters": ["errors"],
        "logEvents": [
            {"id": LogEvent("s", MINUTE, MINUTE + 5, 7, "").event_id, "timestamp": MINUTE, "message": "ERROR a"},
            {
                "id": LogEvent("s", MINUTE + 1, MINUTE + 6, 10, "").event_id,
                "timestamp": MINUTE + 1,
                "message": "ERROR c",
            },
        ],
    }
    assert [one["message"] for one in content(second)["logEvents"]] == ["ERROR b"]
    assert (first.event_count, second.event_count) == (2, 1)
    assert first.subscription.name == "errors"


def test_each_subscription_gets_its_own() -> None:
    """What it wants, with what a pattern of columns takes out, under bare names."""
    filters = [subscription("[level=ERROR, code, ...]", "a"), subscription("{ $.n > 1 }", "b")]
    first, second = gather(filters, [event("ERROR 5 x y"), event('{"n": 2}')]).payloads()
    assert content(first)["logEvents"][0]["extractedFields"] == {"level": "ERROR", "code": "5", "3": "x", "4": "y"}
    assert "extractedFields" not in content(second)["logEvents"][0]


def test_much_is_several_payloads() -> None:
    """None above the limit but of a single event; nothing is lost, and order is kept."""
    size = PAYLOAD_JSON_MAX_BYTES // 4
    messages = [f"{number} " + os.urandom(size // 2).hex() for number in range(9)]
    messages.insert(4, "x" * (PAYLOAD_JSON_MAX_BYTES + 1))
    payloads = list(gather([subscription()], [event(message) for message in messages]).payloads())
    assert len(payloads) > 3
    assert [one["message"] for payload in payloads for one in content(payload)["logEvents"]] == messages
    # What a function can be given.
    assert all(len(payload.body) <= 6_291_456 for payload in payloads)


def test_the_same_events_are_the_same_bytes() -> None:
    """So a delivery that is repeated after a crash can be known as such."""
    bodies = [[one.body for one in gather([subscription()], [event("a"), event("b")]).payloads()] for _ in range(2)]
    assert bodies[0] == bodies[1]


@given(
    st.lists(st.text(max_size=30) | st.sampled_from(['{"a": 1}', "x 5 [y] z", '{"_aws": {"CloudWatchMetrics": 5}}']))
)
def test_nothing_that_is_printed_stops_the_logs(messages: list[str]) -> None:
    """Whatever filters are there, each event is passed by all of them."""
    filters = [
        metric_filter("{ $.a = * }", "$.a", name="a", dimensions=(("D", "$.b"),)),
        metric_filter("[a, b>3, ...]", "$b", name="b", default=1.0),
        metric_filter("%[a-z]+%", name="c"),
        subscription("", "all"),
        subscription("[..., last]", "columns"),
    ]
    payloads = list(gather(filters, [event(message) for message in messages]).payloads())
    assert sum(one.event_count for one in payloads if one.subscription.name == "all") == len(messages)


def test_a_filter_that_cannot_be_is_left_out() -> None:
    """One of an older version, say: others work on."""
    broken = metric_filter("a=b")
    by_group, left_out = compiled([broken, subscription()])
    assert left_out == [broken]
    assert len(by_group[SCOPE, "g"].subscriptions) == 1
    with pytest.raises(InvalidPattern):
        GroupMetrics(metric_filter("ERROR", "$.x"))


def test_what_nobody_understands_keeps_nothing_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours costs what one event would have made, and says so; the batch comes in, and the others count."""
    real = telemetry_log_filters.embedded_metrics

    def fails_once(message: str, now_ms: int) -> Any:
        monkeypatch.setattr(telemetry_log_filters, "embedded_metrics", real)
        raise AssertionError("ours")

    monkeypatch.setattr(telemetry_log_filters, "embedded_metrics", fails_once)
    gathering = gather([subscription()], [event('{"_aws": 1}'), event("after")])
    assert [payload.event_count for payload in gathering.payloads()] == [1]
    assert "logs.event_not_understood group=g stream=s" in caplog.text


def test_filters_that_are_as_they_were_are_not_compiled_again() -> None:
    """One filter that changes would cost all of them otherwise."""
    kept, changed = subscription(), metric_filter("ERROR")
    before, _ = compiled([kept, changed])
    after, _ = compiled([kept, msgspec.structs.replace(changed, pattern="other")], before)
    (group,) = before
    assert after[group].subscriptions[0] is before[group].subscriptions[0]
    assert after[group].metrics[0] is not before[group].metrics[0]
    assert after[group].metrics[0].configured.pattern == "other"


def test_a_batch_makes_so_many_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line can name thousands of metrics; the commit of a batch is not to take seconds. Known ones go on."""
    monkeypatch.setattr(telemetry_log_filters, "POINTS_MAX", 2)
    gathering = gather([metric_filter("[a]", "$a", dimensions=(("a", "$a"),))], [event(text) for text in "12332141"])
    found = {metric.dimensions: values.count for (metric, _, _), values in points(gathering).items()}
    assert found == {(("a", "1"),): 3, (("a", "2"),): 2}
    assert gathering.points.dropped == 3
