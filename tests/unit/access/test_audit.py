"""What is written of would-be denials: each once, the policy now and then, and never too much."""

import asyncio
import json
import logging
from collections.abc import Callable

import pytest
from unit.access.people import INVOKE, F, as_session, as_user, role, user

from lambent.access.audit import Audit
from lambent.domain.policy import PolicyKind, Verdict
from lambent.domain.policy_simulation import smallest_policy
from lambent.testing.virtual_clock import VirtualClock

NOT_ALLOWED = Verdict(False)
WHO = as_user(user())


def lines(caplog: pytest.LogCaptureFixture, story: Callable[[Audit, VirtualClock], None]) -> list[str]:
    clock = VirtualClock()

    async def run() -> None:
        story(Audit(clock), clock)

    with caplog.at_level(logging.WARNING, "lambent.access"):
        asyncio.run(run())
    return [record.getMessage() for record in caplog.records]


def policies(found: list[str]) -> list[dict[str, object]]:
    return [json.loads(line.split("policy=", 1)[1]) for line in found if line.startswith("access.would_allow")]


def test_a_denial_is_written_once_and_with_the_policy_that_would_allow_it(caplog: pytest.LogCaptureFixture) -> None:
    def story(audit: Audit, clock: VirtualClock) -> None:
        for _ in range(3):
            audit.note(WHO, INVOKE, F, NOT_ALLOWED)

    found = lines(caplog, story)
    assert found[0] == (
        f"access.would_deny principal={WHO.arn} action={INVOKE} resource={F} reason=no identity-based policy"
    )
    assert policies(found) == [smallest_policy([(INVOKE, F)])]
    assert len(found) == 2


def test_the_policy_of_a_principal_is_written_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """All of its denials so far are in it, those of all sessions of a role; nothing new, nothing written."""

    def story(audit: Audit, clock: VirtualClock) -> None:
        for number in range(5):
            audit.note(as_session(role(), name=f"s{number}"), INVOKE, f"{F}{number}", NOT_ALLOWED)
        clock.advance(61)
        clock.advance(61)

    found = policies(lines(caplog, story))
    assert found == [
        smallest_policy([(INVOKE, f"{F}0")]),
        smallest_policy([(INVOKE, f"{F}{number}") for number in range(5)]),
    ]


def test_what_no_policy_would_allow_is_in_none(caplog: pytest.LogCaptureFixture) -> None:
    """A Deny, a boundary, a session, a role that is not there."""

    def story(audit: Audit, clock: VirtualClock) -> None:
        audit.note(WHO, INVOKE, F, Verdict(False, is_explicit=True))
        audit.note(WHO, INVOKE, F, Verdict(False, PolicyKind.BOUNDARY))
        audit.note_missing_role("arn:role", INVOKE, F)
        assert audit.policy_of(WHO.identity_arn) is None

    found = lines(caplog, story)
    assert [line.rpartition("reason=")[2] for line in found] == [
        "explicit deny in identity-based policy",
        "no permissions boundary",
        "no such role",
    ]


def test_lines_are_limited(caplog: pytest.LogCaptureFixture) -> None:
    """A second has twenty; how many were left out is said with the next."""

    def story(audit: Audit, clock: VirtualClock) -> None:
        for number in range(50):
            audit.note(WHO, "iam:GetUser", str(number), Verdict(False, is_explicit=True))
        clock.advance(1)
        audit.note(WHO, "iam:GetUser", "last", Verdict(False, is_explicit=True))

    found = lines(caplog, story)
    assert len(found) == 22
    assert "access.would_deny_suppressed lines=30" in found


def test_memory_is_limited(caplog: pytest.LogCaptureFixture) -> None:
    """By principals, and by denials of each."""

    def story(audit: Audit, clock: VirtualClock) -> None:
        for number in range(150):
            audit.note(as_user(user(name=f"u{number}")), INVOKE, F, NOT_ALLOWED)
        assert len(audit._principals) == 100
        for number in range(500):
            audit.note(WHO, INVOKE, f"{F}{number}", NOT_ALLOWED)
        found = audit.policy_of(WHO.identity_arn)
        assert found is not None and len(found["Statement"][0]["Resource"]) == 200

    lines(caplog, story)


def test_names_write_no_lines_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    def story(audit: Audit, clock: VirtualClock) -> None:
        audit.note(WHO, "s3:GetObject", "arn:aws:s3:::b/k\naccess.would_deny forged", NOT_ALLOWED)

    assert all("\n" not in line for line in lines(caplog, story))
