"""Dashboards are kept as they were put, and refused where no console could draw them."""

import json
from pathlib import Path

import pytest
from unit.services.monitoring.stage import NOW_S, SCOPE, Stage, play

from lambent.domain.caller import Scope
from lambent.errors.families import ApiError
from lambent.services.monitoring import dashboards

BODY = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "ä"}}]}, ensure_ascii=False)


def test_a_dashboard_is_shown_as_it_was_put(tmp_path: Path) -> None:
    """In every region of its account, until it is deleted."""

    async def story(stage: Stage) -> None:
        put = await stage.call("PutDashboard", DashboardName="a", DashboardBody='{"widgets":[]}')
        assert put == {"DashboardValidationMessages": []}
        await stage.call("PutDashboard", DashboardName="a", DashboardBody=BODY)
        await stage.call("PutDashboard", DashboardName="b", DashboardBody=BODY)
        arn = f"arn:aws:cloudwatch::{SCOPE.account}:dashboard/a"
        elsewhere = Scope(SCOPE.account, "us-east-1")
        assert await stage.call("GetDashboard", scope=elsewhere, DashboardName="a") == {
            "DashboardArn": arn,
            "DashboardBody": BODY,
            "DashboardName": "a",
        }
        listed = await stage.call("ListDashboards", DashboardNamePrefix="a")
        (entry,) = listed["DashboardEntries"]
        assert (entry["DashboardArn"], entry["Size"]) == (arn, len(BODY) + 1)
        assert entry["LastModified"].timestamp() == NOW_S + 30
        assert await stage.call("ListDashboards", scope=Scope("9" * 12, "us-east-1")) == {
            "DashboardEntries": [],
            "NextToken": None,
        }
        refused = await stage.refusal("DeleteDashboards", DashboardNames=["a", "nope"])
        assert refused == ("DashboardNotFoundError", "Dashboard nope does not exist")
        assert await stage.refusal("GetDashboard", DashboardName="a") == (
            "DashboardNotFoundError",
            "Dashboard a does not exist",
        )
        await stage.call("DeleteDashboards", DashboardNames=["b"])
        assert (await stage.call("ListDashboards"))["DashboardEntries"] == []
        assert (await stage.refusal("DeleteDashboards", DashboardNames=[]))[0] == "InvalidParameterValueException"

    play(tmp_path, story)


def test_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ListDashboards goes on by its NextToken."""
    monkeypatch.setattr(dashboards, "_PAGE", 2)

    async def story(stage: Stage) -> None:
        for name in "abc":
            await stage.call("PutDashboard", DashboardName=name, DashboardBody=BODY)
        first = await stage.call("ListDashboards")
        second = await stage.call("ListDashboards", NextToken=first["NextToken"])
        assert [one["DashboardName"] for page in (first, second) for one in page["DashboardEntries"]] == ["a", "b", "c"]
        assert second["NextToken"] is None
        assert (await stage.refusal("ListDashboards", NextToken="x"))[0] == "InvalidParameterValueException"

    play(tmp_path, story)


def test_an_account_has_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is there may still be put anew."""
    monkeypatch.setattr(dashboards, "DASHBOARDS_MAX", 1)

    async def story(stage: Stage) -> None:
        for _ in range(2):
            await stage.call("PutDashboard", DashboardName="a", DashboardBody=BODY)
        refused = await stage.refusal("PutDashboard", DashboardName="b", DashboardBody=BODY)
        assert refused[0] == "DashboardInvalidInputError"

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("{", "/"),
        ("[]", "/"),
        ("{}", "/"),
        ('{"widgets":{}}', "/"),
        ('{"widgets":[{}]}', "/widgets/0"),
        ('{"widgets":[{"type":"text"},{"type":1}]}', "/widgets/1"),
        (json.dumps({"widgets": [{"type": "text"}] * 501}), "/widgets"),
        ("[" * 100_000, "/"),
    ],
)
def test_other_bodies_are_refused(tmp_path: Path, body: str, path: str) -> None:
    """With the place that is wrong."""

    async def story(stage: Stage) -> None:
        with pytest.raises(ApiError) as refused:
            await stage.call("PutDashboard", DashboardName="a", DashboardBody=body)
        assert refused.value.code == "DashboardInvalidInputError"
        (message,) = refused.value.fields["dashboardValidationMessages"]
        assert message["DataPath"] == path

    play(tmp_path, story)


def test_names_and_tags_are_refused(tmp_path: Path) -> None:
    """Observed: the text of the first, with the line's end."""

    async def story(stage: Stage) -> None:
        assert await stage.refusal("PutDashboard", DashboardName="a b", DashboardBody=BODY) == (
            "DashboardInvalidInputError",
            "The value for field DashboardName contains invalid characters. It can only contain alphanumerics, dash "
            "(-) and underscore (_).\n",
        )
        tags = [{"Key": "a", "Value": "b"}]
        refused = await stage.refusal("PutDashboard", DashboardName="a", DashboardBody=BODY, Tags=tags)
        assert refused[0] == "InvalidParameterValueException"
        long = await stage.refusal("PutDashboard", DashboardName="a", DashboardBody=" " * 1_000_001)
        assert long[0] == "DashboardInvalidInputError"

    play(tmp_path, story)
