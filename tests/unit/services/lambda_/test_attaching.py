"""Layers that functions ask for: which are found, which refused and in which order, and how large they may be."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lambent.domain.caller import Caller, Scope
from lambent.domain.layer import AttachedLayer, LayerName, LayerVersion
from lambent.domain.principal import root_of
from lambent.domain.quotas import Quotas
from lambent.domain.resource_policy import ResourcePolicy
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.errors.families import AccessDeniedException, ApiError
from lambent.services.lambda_.attaching import attach_layers, check_unzipped
from lambent.store.contract import FunctionStore
from lambent.testing.stores import make_sqlite, open_sqlite

OWN, OTHER, FAR = Scope("1" * 12, "us-east-1"), Scope("2" * 12, "us-east-1"), Scope("1" * 12, "eu-west-1")
CALLER = Caller(
    scope=OWN, principal=root_of("000000000000"), authenticated_by="none", request_id="id", endpoint="http://x"
)
ALLOWED = ResourcePolicy(
    ({"Sid": "s", "Effect": "Allow", "Principal": "*", "Action": "lambda:GetLayerVersion", "Resource": "*"},)
)

Story = Callable[[Callable[[FunctionStore], Awaitable[None]]], None]


def layer(name: str, number: int = 1, scope: Scope = OWN, policy: ResourcePolicy | None = None) -> LayerVersion:
    return LayerVersion(scope, LayerName(name), number, f"{number:064x}", 10 * number, 0.0, policy=policy)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """Give a function that tells a story with a store that holds some layers."""
    make_sqlite(tmp_path / "state.db")

    def run(tell: Callable[[FunctionStore], Awaitable[None]]) -> None:
        async def open_and_tell() -> None:
            async with open_sqlite(str(tmp_path / "state.db")) as stores:
                for stored in (
                    *(layer(name, number) for name in "abcdef" for number in (1, 2)),
                    layer("closed", scope=OTHER),
                    layer("open", scope=OTHER, policy=ALLOWED),
                    layer("a", scope=FAR),
                ):
                    async with stores.functions.transaction(stored.scope) as tx:
                        await tx.layers.save(stored)
                await tell(stores.functions)

        asyncio.run(open_and_tell())

    return run


def test_layers_are_attached_in_the_order_of_the_request(story: Story) -> None:
    """With the hash and the size of their zips, so that they outlive the layer; none is fine as well."""

    async def tell(store: FunctionStore) -> None:
        wanted = [layer("b", 2), layer("open", scope=OTHER, policy=ALLOWED), layer("a")]
        found = await attach_layers(store, CALLER, [one.arn for one in wanted])
        assert found == tuple(AttachedLayer(one.arn, one.sha256, one.size_bytes) for one in wanted)
        assert await attach_layers(store, CALLER, []) == ()

    story(tell)


A1, A2, A9 = (f"{layer('a').arn[:-1]}{number}" for number in (1, 2, 9))
TWICE = (
    "Two different versions of the same layer are not allowed to be referenced in the same function. "
    "{} and {} are versions of the same layer."
)
ELSEWHERE = "Layers are not in the same region as the function. Layers are expected to be in region us-east-1."


def denied(arn: str) -> str:
    return (
        f"User: {CALLER.principal.arn} is not authorized to perform: lambda:GetLayerVersion on resource: {arn} "
        "because no resource-based policy allows the lambda:GetLayerVersion action"
    )


@pytest.mark.parametrize(
    ("arns", "error", "text"),
    [
        # The number of layers comes before all else.
        (["x"] * 6, InvalidParameterValueException, "Cannot reference more than 5 layers."),
        ([A1, A2], InvalidParameterValueException, TWICE.format(A1, A2)),
        # The same text twice may be one object, or two.
        ([A1, A1], InvalidParameterValueException, TWICE.format(A1, A1)),
        ([A1, "".join(list(A1))], InvalidParameterValueException, TWICE.format(A1, A1)),
        # One that is not there is told before that it is the second.
        ([A1, A9], InvalidParameterValueException, f"Layer version {A9} does not exist."),
        ([A9, A9], InvalidParameterValueException, f"Layer version {A9} does not exist."),
        ([layer("a", scope=FAR).arn], InvalidParameterValueException, ELSEWHERE),
        # Whether a stranger's layer is there is not told.
        ([layer("closed", scope=OTHER).arn], AccessDeniedException, denied(layer("closed", scope=OTHER).arn)),
        ([layer("none", scope=OTHER).arn], AccessDeniedException, denied(layer("none", scope=OTHER).arn)),
        ([layer("open", 2, OTHER).arn], AccessDeniedException, denied(layer("open", 2, OTHER).arn)),
        (
            [layer("a", scope=Scope("2" * 12, "eu-west-1")).arn],
            AccessDeniedException,
            denied(layer("a", scope=Scope("2" * 12, "eu-west-1")).arn),
        ),
        (
            ["arn:aws:lambda:::awslayer:x"],
            InvalidParameterValueException,
            "Layer arn:aws:lambda:::awslayer:x is not offered by this version of Lambent",
        ),
    ],
)
def test_layers_that_cannot_be_attached(story: Story, arns: list[str], error: type[ApiError], text: str) -> None:
    """Each is refused in AWS's words; the first in the request's order decides."""

    async def tell(store: FunctionStore) -> None:
        with pytest.raises(error) as excinfo:
            await attach_layers(store, CALLER, arns)
        assert excinfo.value.message == text

    story(tell)


class Sizes:
    """Packages of which only the unzipped size is known, by hash; notes which were asked for."""

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes
        self.asked: list[str] = []

    async def unzipped_bytes(self, sha256: str) -> int:
        self.asked.append(sha256)
        return self.sizes[sha256]


def check(packages: Any, *layers: str, most_bytes: int = 100) -> None:
    attached = [AttachedLayer(f"{name}:1", name, 1) for name in layers]
    asyncio.run(check_unzipped(packages, "code", attached, Quotas(code_unzipped_max_bytes=most_bytes)))


def test_code_and_layers_share_one_limit() -> None:
    """To the byte; what two layers have in common counts twice."""
    packages = Sizes(code=50, a=20, b=30)
    check(packages, "a", "b")
    with pytest.raises(InvalidParameterValueException) as excinfo:
        check(packages, "a", "b", most_bytes=99)
    assert excinfo.value.message == (
        "Function code combined with layers exceeds the maximum allowed size of 99 bytes. The actual size is 100 bytes."
    )
    with pytest.raises(InvalidParameterValueException, match=r"The actual size is 110 bytes\.$"):
        check(packages, "b", "b")


def test_code_alone_is_not_measured_again() -> None:
    """Its own limit was checked when it was unpacked."""
    packages = Sizes(code=1000)
    check(packages)
    assert packages.asked == []
