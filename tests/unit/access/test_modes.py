"""What `--iam` makes of the authorizer."""

import asyncio
import logging
from pathlib import Path

import pytest
from unit.access.people import People, people

from lambent.access.audit import Audit
from lambent.access.authorize import Everything, Policed
from lambent.access.modes import IamMode, iam_mode, make_authorizer


@pytest.mark.parametrize(
    ("setting", "is_verified", "mode"),
    [
        ("auto", True, "enforce"),
        ("auto", False, "off"),
        ("off", True, "off"),
        ("audit", False, "audit"),
        ("enforce", False, "enforce"),
    ],
)
def test_auto_follows_signatures(setting: str, is_verified: bool, mode: str) -> None:
    assert iam_mode(setting, is_verified=is_verified) == mode


@pytest.mark.parametrize("mode", ["off", "audit", "enforce"])
@pytest.mark.parametrize("is_verified", [True, False])
def test_whoever_goes_by_policies_without_signatures_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: IamMode, is_verified: bool
) -> None:
    async def story() -> object:
        async with people(tmp_path) as found:
            return make(found)

    def make(found: People) -> object:
        return make_authorizer(mode, found.identities, Audit(found.clock), found.clock, is_verified=is_verified)

    with caplog.at_level(logging.WARNING, "lambent.access"):
        made = asyncio.run(story())
    assert isinstance(made, Everything if mode == "off" else Policed)
    assert bool(caplog.records) is (mode != "off" and not is_verified)
