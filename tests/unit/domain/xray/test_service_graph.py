"""The graph: nodes, edges, what is counted where, and that it is bounded."""

from typing import Any

import pytest
from unit.domain.xray.segments import nested, segment, trace

from lambent.domain.xray import service_graph
from lambent.domain.xray.document import moment_of
from lambent.domain.xray.service_graph import ServiceGraph, TimeSeries


def shop(number: int, **pay: Any) -> list[dict[str, Any]]:
    """Return a trace of a program that calls a function and a table."""
    base = 10 * number
    return [
        segment(
            base,
            name="shop",
            start_time=100.0,
            end_time=102.0,
            subsegments=[
                nested(base + 1, name="Lambda", namespace="aws"),
                nested(base + 2, name="DynamoDB", namespace="aws", start_time=100.0, end_time=100.5),
            ],
        ),
        segment(base + 3, name="pay", origin="AWS::Lambda", parent_id=f"{base + 1:016x}", start_time=100.0, **pay),
    ]


def test_nodes_and_edges() -> None:
    """A client, the root, and what it called; each edge counts what its target answered."""
    graph = ServiceGraph()
    graph.add(trace(*shop(1, end_time=101.0)))
    graph.add(trace(*shop(2, end_time=101.04, fault=True)))
    graph.add(trace(*shop(3, end_time=104.0, error=True, throttle=True)))
    graph.add(trace(*shop(4, end_time=104.0, error=True)))
    services = {(one["Name"], one.get("Type")): one for one in graph.shown()}
    assert set(services) == {
        ("shop", None), ("shop", "client"), ("pay", "AWS::Lambda"), ("DynamoDB", "AWS::DynamoDB::Table")
    }  # fmt: skip
    client, root, pay, table = (
        services[key]
        for key in (("shop", "client"), ("shop", None), ("pay", "AWS::Lambda"), ("DynamoDB", "AWS::DynamoDB::Table"))
    )
    assert sorted(one["ReferenceId"] for one in graph.shown()) == [0, 1, 2, 3]
    assert [edge["ReferenceId"] for edge in client["Edges"]] == [root["ReferenceId"]]
    assert {edge["ReferenceId"] for edge in root["Edges"]} == {pay["ReferenceId"], table["ReferenceId"]}
    assert (root.get("Root"), pay.get("Root"), client.get("Root")) == (True, None, None)
    assert "SummaryStatistics" not in client
    wanted = {
        "OkCount": 1,
        "ErrorStatistics": {"ThrottleCount": 1, "OtherCount": 1, "TotalCount": 2},
        "FaultStatistics": {"OtherCount": 1, "TotalCount": 1},
        "TotalCount": 4,
        "TotalResponseTime": 10.04,
    }
    assert pay["SummaryStatistics"] == wanted
    (to_pay,) = (edge for edge in root["Edges"] if edge["ReferenceId"] == pay["ReferenceId"])
    assert to_pay["SummaryStatistics"] == wanted
    assert pay["ResponseTimeHistogram"] == [{"Value": 1.0, "Count": 2}, {"Value": 4.0, "Count": 2}]
    assert table["SummaryStatistics"]["TotalCount"] == 4
    assert (pay["StartTime"], pay["EndTime"], pay["State"]) == (moment_of(100), moment_of(104), "active")


def test_links_are_edges() -> None:
    """From the sender to who received, in another trace."""
    link = {
        "trace_id": "1-00000000-000000000000000000000000",
        "id": "0" * 16,
        "attributes": {
            "aws.xray.reserved.reference_type": "child",
            "aws.xray.reserved.type": "AWS::Lambda",
            "aws.xray.reserved.names": ["consumer"],
        },
    }
    graph = ServiceGraph()
    junk: Any
    for junk in (5, [5], [{"attributes": 5}], [{"attributes": {**link["attributes"], "aws.xray.reserved.names": []}}]):
        graph.add(trace(segment(1, name="sender", links=junk)))
    assert len(graph.shown()) == 2
    graph.add(trace(segment(1, name="sender", subsegments=[nested(2, links=[link])])))
    (sender,) = (one for one in graph.shown() if one["Name"] == "sender" and "Type" not in one)
    (consumer,) = (one for one in graph.shown() if one["Name"] == "consumer")
    assert [(edge["ReferenceId"], edge["EdgeType"]) for edge in sender["Edges"]] == [(consumer["ReferenceId"], "link")]
    back = {"attributes": {"aws.xray.reserved.reference_type": "parent"}}
    graph.add(trace(segment(1, name="consumer", origin="AWS::Lambda", links=[back])))
    found = [(one["Name"], one.get("Type"), one.get("Root")) for one in graph.shown()]
    assert ("consumer", "AWS::Lambda", None) in found and ("consumer", "client", None) not in found


def test_a_graph_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services beyond the bound are left out, and so are edges to them."""
    monkeypatch.setattr(service_graph, "SERVICES_MAX", 6)
    graph = ServiceGraph()
    for number in range(10):
        graph.add(trace(segment(number, name=f"n{number}"), segment(100, parent_id=f"{number:016x}")))
    shown = graph.shown()
    assert len(shown) == 6
    numbers = {one["ReferenceId"] for one in shown}
    assert all(edge["ReferenceId"] in numbers for one in shown for edge in one["Edges"])


def test_a_graph_has_so_many_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of some services could call each."""
    monkeypatch.setattr(service_graph, "EDGES_MAX", 3)
    graph = ServiceGraph()
    for number in range(10):
        graph.add(trace(segment(number, name=f"n{number}"), segment(100, parent_id=f"{number:016x}")))
    assert sum(len(one["Edges"]) for one in graph.shown()) == 3


def test_a_time_series_has_so_many_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the segments of a trace say when they were."""
    monkeypatch.setattr(service_graph, "STRETCHES_MAX", 2)
    series = TimeSeries(60)
    series.add(segment(number, start_time=600.0 * number, end_time=1e6) for number in range(5))
    series.add([segment(9, start_time=601.0, end_time=1e6)])
    shown = series.shown("ServiceSummaryStatistics")
    assert [one["ServiceSummaryStatistics"]["TotalCount"] for one in shown] == [1, 2]


def test_stretches_of_time() -> None:
    """Each call counts where it began."""
    series = TimeSeries(60)
    series.add([segment(1, start_time=119.9, end_time=200.0), segment(2, start_time=120.0, end_time=121.0)])
    series.add([segment(3, start_time=60.0, end_time=60.5, fault=True)])
    shown = series.shown("ServiceSummaryStatistics")
    assert [
        (one["Timestamp"], one["ServiceSummaryStatistics"]["OkCount"], one["ServiceSummaryStatistics"]["TotalCount"])
        for one in shown
    ] == [(moment_of(60), 1, 2), (moment_of(120), 1, 1)]
