"""Provisioned concurrency beyond what the wire tests reach without many environments."""

from pathlib import Path

import msgspec
import pytest
from unit.services.lambda_.function_bench import ACTIVE, PENDING, SCOPE, Bench, tell

from lambent.domain.caller import Caller, Scope
from lambent.domain.concurrency import ProvisionedState, ProvisionedStatus
from lambent.domain.function import FunctionName
from lambent.domain.principal import root_of
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import ResourceConflictException
from lambent.services.lambda_.provisioned_concurrency import ProvisionedConcurrencyConfigs

CALLER = Caller(
    scope=SCOPE, principal=root_of("000000000000"), authenticated_by="none", request_id="id", endpoint="http://x"
)


class Ready:
    """All that is asked for is there."""

    def state(self, scope: Scope, name: FunctionName, version: str, requested: int) -> ProvisionedState:
        return ProvisionedState(requested, ProvisionedStatus.READY)


def configs_of(bench: Bench) -> ProvisionedConcurrencyConfigs:
    return ProvisionedConcurrencyConfigs(bench.store, Ready(), Quotas(), bench.clock)


async def put(bench: Bench, qualifier: str, count: int) -> None:
    request = {"FunctionName": "f", "Qualifier": qualifier, "ProvisionedConcurrentExecutions": count}
    await configs_of(bench).put(CALLER, request)


def test_the_list_comes_in_pages(tmp_path: Path) -> None:
    """By number, whatever their digits; the last page has no marker."""

    async def story(bench: Bench) -> None:
        numbers = ["1", "2", "10"]
        await bench.save(ACTIVE, *(msgspec.structs.replace(ACTIVE, version=number) for number in numbers))
        for number in ("10", "1", "2"):
            await put(bench, number, int(number))
        request: dict[str, object] = {"FunctionName": "f", "MaxItems": 2}
        pages = []
        while True:
            answer = await configs_of(bench).list(CALLER, request)
            pages.append([item["FunctionArn"].rpartition(":")[2] for item in answer["ProvisionedConcurrencyConfigs"]])
            if "NextMarker" not in answer:
                break
            request["Marker"] = answer["NextMarker"]
        assert pages == [["1", "2"], ["10"]]

    tell(tmp_path, story)


def test_a_version_that_does_not_run_has_none(tmp_path: Path) -> None:
    """What is Pending is refused, and nothing is stored."""

    async def story(bench: Bench) -> None:
        await bench.save(ACTIVE, msgspec.structs.replace(PENDING, version="1"))
        with pytest.raises(ResourceConflictException, match="in the following state: Pending"):
            await put(bench, "1", 1)
        answer = await configs_of(bench).list(CALLER, {"FunctionName": "f"})
        assert answer == {"ProvisionedConcurrencyConfigs": []}

    tell(tmp_path, story)
