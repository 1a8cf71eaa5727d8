"""Aliases: which version answers, and which weights there can be. Case FN-04."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.alias import Alias, RoutingRefused, check_one_role, check_routing
from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, Code, Configuration, FunctionName, FunctionVersion
from lambent.errors.api.lambda_ import InvalidParameterValueException

SCOPE = Scope("111122223333", "eu-west-1")
F = FunctionName("f")


def alias(**weights: float) -> Alias:
    return Alias(SCOPE, F, "a", "1", "r", weights={version[1:]: weight for version, weight in weights.items()})


def version(number: str, role: str) -> FunctionVersion:
    return FunctionVersion(SCOPE, F, number, "id", Configuration("r", "h", role), Code("0" * 64, 1), "r", 0.0)


def test_fn04_the_share_of_the_dice_is_the_weight() -> None:
    """FN-04: of evenly spread dice the further version answers exactly its share, the alias's own the rest."""
    for weight in (0.0, 0.1, 0.5, 1.0):
        chosen = [alias(v2=weight).choose(number / 1000) for number in range(1000)]
        assert chosen.count("2") == round(1000 * weight)
        assert chosen.count("1") == 1000 - round(1000 * weight)


@given(st.floats(0, 1, exclude_max=True))
def test_nothing_and_all_are_exact(dice: float) -> None:
    """Whatever the dice: a weight of 0 is never chosen, one of 1 always is, and without weights there is no choice."""
    assert alias(v2=0.0).choose(dice) == alias().choose(dice) == "1"
    assert alias(v2=1.0).choose(dice) == "2"


def test_every_version_that_may_answer_is_named() -> None:
    """Its own first, then the one by weight, also where the weight is 0: it may change without the version."""
    assert alias().versions == ("1",)
    assert alias(v2=0.0).versions == ("1", "2")


def test_fn04_weights_that_can_be() -> None:
    """FN-04: none at all on any version, and one on a published one."""
    check_routing(LATEST, {})
    check_routing("1", {})
    check_routing("1", {"2": 0.5})


@pytest.mark.parametrize(
    ("number", "weights", "text"),
    [
        ("1", {"2": 0.1, "3": 0.1}, "Number of items in AdditionalVersionWeights cannot be greater than 1"),
        # The number of items is looked at first.
        (LATEST, {"1": 0.1, "2": 0.1}, "Number of items in AdditionalVersionWeights cannot be greater than 1"),
        (
            "1",
            {"1": 0.5},
            "Invalid function version 1. Function version 1 is already included in routing configuration.",
        ),
        (LATEST, {"1": 0.5}, "$LATEST is not supported for an alias pointing to more than 1 version"),
    ],
)
def test_fn04_weights_that_cannot_be(number: str, weights: dict[str, float], text: str) -> None:
    """FN-04: refused in the recorded words."""
    with pytest.raises(InvalidParameterValueException) as excinfo:
        check_routing(number, weights)
    assert excinfo.value.message == text
    assert isinstance(excinfo.value, RoutingRefused) == text.startswith("$LATEST")


def test_versions_behind_one_alias_have_one_role() -> None:
    """Two roles are refused, naming the versions; one role is fine, and so is one version."""
    check_one_role([version("1", "a")])
    check_one_role([version("1", "a"), version("2", "a")])
    with pytest.raises(InvalidParameterValueException, match=r"^Versions 1 and 2 must have the same execution role\.$"):
        check_one_role([version("1", "a"), version("2", "b")])
