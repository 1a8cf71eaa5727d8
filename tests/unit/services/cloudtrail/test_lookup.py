"""Looking up events: whose they are, which are wanted, page by page."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import Principal, Session, root_of, session_of_role
from lambent.errors.families import ApiError
from lambent.protocol.wire import WireRequest
from lambent.services.cloudtrail import lookup as module
from lambent.services.cloudtrail.lookup import EventHistory
from lambent.telemetry.trail import Call, Trail
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("111122223333", "us-east-1")
ROLE = session_of_role(SCOPE.account, "r", "/", "AROAR", Session("work", 0.0, 1.0), "ASIAKEY")


class Stage:
    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.trail = Trail(
            folder, self.clock, max_bytes=1 << 30, has_data=True, account="000000000000", region="us-east-1"
        )
        self.history = EventHistory(self.trail, self.clock)

    def note(
        self,
        operation: str,
        parameters: Any = None,
        *,
        scope: Scope = SCOPE,
        principal: Principal | None = None,
        service: str = "lambda",
    ) -> None:
        call = Call(WireRequest("GET", "/"), "the-id", "http://x")
        call.service, call.operation, call.parameters = service, operation, parameters
        who = principal or root_of(scope.account, "AKIAROOT")
        call.caller = Caller(scope, who, "signature", "the-id", "http://x")
        self.trail.note(call)

    def look(self, scope: Scope = SCOPE, **request: Any) -> dict[str, Any]:
        caller = Caller(scope, root_of(scope.account), "signature", "the-id", "http://x")
        return dict(asyncio.run(self.history.lookup(caller, request)))  # type: ignore[arg-type]

    def names(self, scope: Scope = SCOPE, **request: Any) -> list[str]:
        return [event["EventName"] for event in self.look(scope, **request)["Events"]]

    def by(self, key: str, value: str) -> list[str]:
        return self.names(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])

    def refusal(self, **request: Any) -> str:
        with pytest.raises(ApiError) as refused:
            self.look(**request)
        return refused.value.code


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "trail")


def test_an_account_sees_its_own_region_alone(stage: Stage) -> None:
    """Data events are in the files, and not in the event history."""
    stage.note("ListFunctions")
    stage.note("ListAliases", scope=Scope(SCOPE.account, "eu-west-1"))
    stage.note("ListLayers", scope=Scope("9" * 12, "us-east-1"))
    stage.note("Invoke")
    stage.note("CreateRole", {"RoleName": "r"}, scope=Scope(SCOPE.account, "eu-west-1"), service="iam")
    assert stage.names() == ["CreateRole", "ListFunctions20150331"]
    assert stage.names(Scope(SCOPE.account, "eu-west-1")) == ["ListAliases20150331"]


def test_pages_follow_each_other(stage: Stage) -> None:
    """Newest first; what comes meanwhile shifts nothing. A token is good for its own look-up."""
    for number in range(7):
        stage.note(f"ListX{number}")
    first = stage.look(MaxResults=3)
    stage.note("ListLater")
    second = stage.look(MaxResults=3, NextToken=first["NextToken"])
    third = stage.look(MaxResults=3, NextToken=second["NextToken"])
    found = [event["EventName"] for page in (first, second, third) for event in page["Events"]]
    assert found == [f"ListX{number}" for number in range(6, -1, -1)]
    assert "NextToken" not in third
    with pytest.raises(ApiError) as refused:
        stage.look(Scope("9" * 12, "us-east-1"), NextToken=first["NextToken"])
    assert refused.value.code == "InvalidNextTokenException"


def test_a_look_up_ends_somewhere(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where to go on, though it has found nothing."""
    monkeypatch.setattr(module, "_LINES_MAX", 5)
    stage.note("ListWanted")
    for _ in range(7):
        stage.note("ListOther")
    attributes = [{"AttributeKey": "EventName", "AttributeValue": "ListWanted"}]
    first = stage.look(LookupAttributes=attributes)
    assert first["Events"] == []
    second = stage.look(LookupAttributes=attributes, NextToken=first["NextToken"])
    assert [event["EventName"] for event in second["Events"]] == ["ListWanted"]


def test_attributes_choose(stage: Stage) -> None:
    """Each of the eight."""
    stage.note("DeleteFunction", {"FunctionName": "f"})
    stage.note("ListFunctions", principal=ROLE)
    (newest, oldest) = stage.look()["Events"]
    assert (newest["Username"], newest["AccessKeyId"], newest["ReadOnly"]) == ("work", "ASIAKEY", "true")
    assert oldest["Resources"] == [{"ResourceType": "AWS::Lambda::Function", "ResourceName": "f"}]
    assert msgspec.json.decode(oldest["CloudTrailEvent"])["eventID"] == oldest["EventId"]
    deleted, listed = ["DeleteFunction20150331"], ["ListFunctions20150331"]
    assert stage.by("EventId", oldest["EventId"]) == deleted
    assert stage.by("EventName", "DeleteFunction20150331") == deleted
    assert stage.by("ReadOnly", "false") == deleted
    assert stage.by("Username", "work") == listed
    assert stage.by("Username", "root") == deleted
    assert stage.by("AccessKeyId", "ASIAKEY") == listed
    assert stage.by("ResourceType", "AWS::Lambda::Function") == deleted
    assert stage.by("ResourceName", "f") == deleted
    assert stage.by("ResourceName", "arn:aws:lambda:us-east-1:111122223333:function:f") == deleted
    assert stage.by("EventSource", "lambda.amazonaws.com") == listed + deleted
    assert stage.by("EventSource", "sqs.amazonaws.com") == []


def test_times_bound(stage: Stage) -> None:
    """Both included; nothing is older than 90 days."""
    stage.note("ListOld")
    stage.clock._elapsed += 91 * 86_400
    stage.note("ListOne")
    at = datetime.fromtimestamp(int(stage.clock.now()), UTC)
    stage.clock._elapsed += 10
    stage.note("ListTwo")
    assert stage.names() == ["ListTwo", "ListOne"]
    assert stage.names(EndTime=at) == ["ListOne"]
    assert stage.names(StartTime=at, EndTime=at) == ["ListOne"]
    assert stage.names(StartTime=datetime.fromtimestamp(stage.clock.now() + 1, UTC)) == []


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"NextToken": "x"}, "InvalidNextTokenException"),
        ({"NextToken": "e30="}, "InvalidNextTokenException"),
        ({"NextToken": "A" * 10_000}, "InvalidNextTokenException"),
        ({"NextToken": "\u00e4"}, "InvalidNextTokenException"),
        ({"EventCategory": "insight"}, "InvalidEventCategoryException"),
        (
            {"StartTime": datetime(2026, 2, 1, tzinfo=UTC), "EndTime": datetime(2026, 1, 1, tzinfo=UTC)},
            "InvalidTimeRangeException",
        ),
        ({"LookupAttributes": [{"AttributeKey": "EventId", "AttributeValue": "e"}] * 2}, None),
        ({"LookupAttributes": [{"AttributeKey": "Nothing", "AttributeValue": "e"}]}, None),
        ({"LookupAttributes": [{"AttributeKey": "ReadOnly", "AttributeValue": "yes"}]}, None),
        ({"LookupAttributes": [{"AttributeKey": "EventId", "AttributeValue": "e" * 2001}]}, None),
    ],
)
def test_what_cannot_be_looked_up(stage: Stage, request_: dict[str, Any], code: str | None) -> None:
    """Each parameter has an error of its own."""
    assert stage.refusal(**request_) == (code or "InvalidLookupAttributesException")


def test_without_a_trail_it_says_so(stage: Stage) -> None:
    """An empty answer would be a lie."""
    stage.history = EventHistory(None, stage.clock)
    assert stage.refusal() == "UnsupportedOperationException"


def test_lines_that_are_none_are_passed_over(stage: Stage, tmp_path: Path) -> None:
    """Half a line, bytes, another JSON."""
    stage.note("ListA")
    (path,) = (tmp_path / "trail").iterdir()
    with path.open("ab") as stream:
        stream.write(b'{"eventName": "ha\n\xff\xfe\n[]\n{}\n')
    stage.note("ListB")
    assert stage.names() == ["ListB", "ListA"]
