"""What is looked up of identities where a request does not say it."""

import asyncio
from pathlib import Path

from unit.access.people import A, people, role, user

from lambent.access.authorize import Demand
from lambent.services.iam.facts import IdentityFacts

BOUNDARY = f"arn:aws:iam::{A}:policy/b"


def test_path_boundary_and_tags_are_those_of_what_there_is(tmp_path: Path) -> None:
    """Found by name in any case; what is to be made is as its request says."""

    async def story() -> None:
        async with people(tmp_path) as found:
            facts = IdentityFacts(found.store)
            before = facts.revision
            await found.put(role(path="/app/", boundary=BOUNDARY, tags={"team": "red"}), user(path="/x/"))
            assert facts.revision > before
            asked = Demand("iam:DeleteRole", f"arn:aws:iam::{A}:role/R", shown_as="role R")
            known = await facts.completed(asked)
            assert (known.resource, known.shown_as) == (f"arn:aws:iam::{A}:role/app/r", "role R")
            assert known.context == {"iam:permissionsboundary": BOUNDARY}
            assert await facts.tags(asked) == {"team": "red"}
            new = Demand("iam:CreateRole", f"arn:aws:iam::{A}:role/r")
            assert await facts.completed(new) is new
            key = await facts.completed(Demand("iam:CreateAccessKey", f"arn:aws:iam::{A}:user/u"))
            assert key.resource == f"arn:aws:iam::{A}:user/x/u"
            for nothing in ("*", f"arn:aws:iam::{A}:role/gone", f"arn:aws:iam::{A}:oidc-provider/x", "arn:aws:s3:::b"):
                demand = Demand("iam:GetRole", nothing)
                assert await facts.completed(demand) is demand and await facts.tags(demand) == {}

    asyncio.run(story())


def test_a_boundary_that_a_request_sets_is_what_counts(tmp_path: Path) -> None:
    async def story() -> None:
        async with people(tmp_path) as found:
            await found.put(role(boundary=BOUNDARY))
            facts = IdentityFacts(found.store)
            wanted = {"iam:permissionsboundary": "arn:other"}
            asked = Demand("iam:PutRolePermissionsBoundary", f"arn:aws:iam::{A}:role/r", context=wanted)
            assert (await facts.completed(asked)).context == wanted

    asyncio.run(story())
