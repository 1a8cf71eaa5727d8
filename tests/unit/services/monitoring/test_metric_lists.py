"""ListMetrics: which metrics there are, page by page."""

from pathlib import Path
from typing import Any

from unit.services.monitoring.stage import SCOPE, Stage, at, play

from lambent.domain.caller import Scope


def dimensions(**pairs: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in pairs.items()]


async def names(stage: Stage, **request: Any) -> list[str]:
    found = await stage.call("ListMetrics", **request)
    return [one["MetricName"] + "".join(pair["Value"] for pair in one["Dimensions"]) for one in found["Metrics"]]


def test_filters(tmp_path: Path) -> None:
    """Namespace and name are exact; each dimension that is asked for is there, others may be."""

    async def story(stage: Stage) -> None:
        assert await stage.call("ListMetrics") == {"Metrics": [], "NextToken": None}
        await stage.put({"MetricName": "m", "Value": 1.0}, {"MetricName": "m", "Value": 1.0, "Unit": "Count"})
        await stage.put({"MetricName": "m", "Value": 1.0, "Dimensions": dimensions(a="1")}, namespace="O")
        await stage.put(
            {"MetricName": "n", "Value": 1.0, "Dimensions": dimensions(a="1", b="2"), "Timestamp": at(-200)}
        )
        assert await names(stage) == ["m", "n12", "m1"]
        assert await names(stage, Namespace="N") == ["m", "n12"]
        assert await names(stage, MetricName="m") == ["m", "m1"]
        assert await names(stage, Dimensions=[{"Name": "a"}]) == ["n12", "m1"]
        assert await names(stage, Dimensions=dimensions(a="1", b="2")) == ["n12"]
        assert await names(stage, Dimensions=dimensions(a="2")) == []
        assert await names(stage, RecentlyActive="PT3H") == ["m", "m1"]
        assert await names(stage, OwningAccount=SCOPE.account) == ["m", "n12", "m1"]
        assert await names(stage, OwningAccount="9" * 12) == []
        linked = await stage.call("ListMetrics", IncludeLinkedAccounts=True)
        assert linked["OwningAccounts"] == [SCOPE.account] * 3
        elsewhere = await stage.call("ListMetrics", scope=Scope(SCOPE.account, "us-east-1"))
        assert elsewhere["Metrics"] == []
        stage.clock.set_wall(14 * 86_400 + 100)
        assert await names(stage) == []

    play(tmp_path, story)


def test_pages(tmp_path: Path) -> None:
    """Of 500, where filters leave fewer of each stretch that is read as well."""

    async def story(stage: Stage) -> None:
        for begin in range(0, 2_000, 500):
            await stage.put(
                *(
                    {"MetricName": f"m{number:04}", "Value": 1.0, "Dimensions": dimensions(odd=str(number % 2))}
                    for number in range(begin, begin + 500)
                )
            )
        request: dict[str, Any] = {"Dimensions": dimensions(odd="1")}
        first = await stage.call("ListMetrics", **request)
        second = await stage.call("ListMetrics", NextToken=first["NextToken"], **request)
        assert second["NextToken"] is None
        found = [one["MetricName"] for page in (first, second) for one in page["Metrics"]]
        assert found == [f"m{number:04}" for number in range(1, 2_000, 2)] and len(first["Metrics"]) == 500
        for token in ("x", "W10=", "bnVsbA=="):
            assert await stage.refusal("ListMetrics", NextToken=token) == (
                "InvalidParameterValueException",
                "Request parameter NextToken is invalid",
            )

    play(tmp_path, story)
