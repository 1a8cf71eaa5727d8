"""Summaries: each member, from where the documentation says that it comes."""

from datetime import UTC, datetime
from typing import Any

from unit.domain.xray.segments import TRACE_ID, nested, segment, trace

from lambent.domain.xray.summary import summarise

F = {"Name": "f", "Names": ["f"], "AccountId": "111122223333", "Type": "AWS::Lambda"}
APP = {"Name": "app", "Names": ["app"], "AccountId": "111122223333"}


def test_a_summary() -> None:
    """Of a program that was called over HTTP and called a function, which was throttled."""
    arn = "arn:aws:lambda:eu-west-1:111122223333:function:f"
    found = summarise(
        trace(
            segment(
                1,
                name="app",
                user="ann",
                http={
                    "request": {"url": "http://h/p", "method": "GET", "user_agent": "curl", "client_ip": "192.0.2.1"},
                    "response": {"status": 404},
                },
                error=True,
                annotations={"n": 7, "ok": False},
                aws={"ec2": {"instance_id": "i-1", "availability_zone": "eu-west-1a"}},
                subsegments=[nested(2, name="Lambda", namespace="aws", end_time=104.5, annotations={"s": "x"})],
            ),
            segment(
                3, name="f", origin="AWS::Lambda", parent_id=f"{2:016x}", resource_arn=arn, throttle=True, user="ann"
            ),
            revision=4,
        )
    )  # fmt: skip
    causes = {name: found.pop(name) for name in list(found) if name.endswith("RootCauses")}
    assert found == {
        "Id": TRACE_ID,
        "StartTime": datetime(1970, 1, 1, 0, 1, 41, tzinfo=UTC),
        "Duration": 12.0,
        "ResponseTime": 10.0,
        "HasFault": False,
        "HasError": True,
        "HasThrottle": True,
        "IsPartial": False,
        "Http": {
            "HttpURL": "http://h/p",
            "HttpMethod": "GET",
            "UserAgent": "curl",
            "ClientIp": "192.0.2.1",
            "HttpStatus": 404,
        },
        "Annotations": {
            "n": [{"AnnotationValue": {"NumberValue": 7.0}, "ServiceIds": [APP]}],
            "ok": [{"AnnotationValue": {"BooleanValue": False}, "ServiceIds": [APP]}],
            "s": [{"AnnotationValue": {"StringValue": "x"}, "ServiceIds": [APP]}],
        },
        "Users": [{"UserName": "ann", "ServiceIds": [APP, F]}],
        "ServiceIds": [APP, F],
        "ResourceARNs": [{"ARN": arn}],
        "InstanceIds": [{"Id": "i-1"}],
        "AvailabilityZones": [{"Name": "eu-west-1a"}],
        "EntryPoint": APP,
        "Revision": 4,
    }
    assert causes["FaultRootCauses"] == []
    assert causes["ErrorRootCauses"] == [
        {
            "Services": [
                {**APP, "EntityPath": [{"Name": "app", "Exceptions": [], "Remote": False}], "Inferred": False}
            ],
            "ClientImpacting": True,
        }
    ]


def test_the_cause_of_a_fault_is_followed_down() -> None:
    """Through calls and services to the last that failed, with its exceptions."""
    cause = {"exceptions": [{"type": "KeyError", "message": "'x'"}, 5]}
    found = summarise(
        trace(
            segment(
                1,
                name="app",
                fault=True,
                subsegments=[nested(2, name="ok"), nested(3, name="Lambda", fault=True, namespace="aws")],
            ),
            segment(4, name="f", origin="AWS::Lambda", parent_id=f"{3:016x}", fault=True, cause=cause),
        )
    )  # fmt: skip
    (root_cause,) = found["FaultRootCauses"]
    assert root_cause["ClientImpacting"] is True
    assert [
        (service["Name"], [(entity["Name"], entity["Remote"]) for entity in service["EntityPath"]])
        for service in root_cause["Services"]
    ] == [("app", [("app", False), ("Lambda", True)]), ("f", [("f", False)])]
    assert root_cause["Services"][1]["EntityPath"][0]["Exceptions"] == [
        {"Name": "KeyError", "Message": "'x'"},
        {"Name": "", "Message": ""},
    ]


def test_a_fault_that_was_handled_hurt_nobody() -> None:
    found = summarise(trace(segment(1), segment(2, parent_id=f"{1:016x}", fault=True)))
    assert (found["HasFault"], found["FaultRootCauses"][0]["ClientImpacting"]) == (False, False)


def test_what_took_the_time() -> None:
    """Each step takes at least half of the one before."""
    found = summarise(
        trace(
            segment(
                1,
                name="app",
                start_time=100.0,
                end_time=110.0,
                subsegments=[
                    nested(2, name="short", start_time=100.0, end_time=102.0),
                    nested(3, name="long", start_time=102.0, end_time=110.0, namespace="remote"),
                ],
            ),
            segment(4, name="far", parent_id=f"{3:016x}", start_time=103.0, end_time=109.0),
        )
    )
    (cause,) = found["ResponseTimeRootCauses"]
    paths: list[Any] = [
        [(entity["Name"], entity["Coverage"]) for entity in service["EntityPath"]] for service in cause["Services"]
    ]
    assert paths == [[("app", 1.0), ("long", 0.8)], [("far", 1.0)]]


def test_rings_of_segments_end() -> None:
    """A segment that says it was called from what it calls."""
    summarise(
        trace(
            segment(1, fault=True, parent_id=f"{2:016x}"),
            segment(2, fault=True, parent_id=f"{1:016x}"),
            segment(3, fault=True, parent_id=f"{3:016x}"),
        )
    )
