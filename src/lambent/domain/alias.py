"""Aliases: names that point at one version of a function, or split its invocations between two."""

from collections.abc import Mapping, Sequence

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, FunctionName, FunctionVersion
from lambent.errors.api.lambda_ import InvalidParameterValueException


class RoutingRefused(InvalidParameterValueException):
    """
    Weights on an alias of `$LATEST`.

    Observed: localstack tests/aws/services/lambda_/test_lambda_api.py (recorded): this one's body carries no `Type`.
    """

    has_type = False


class Alias(msgspec.Struct, frozen=True):
    """One alias of one function."""

    scope: Scope
    name: FunctionName
    """The function's."""
    alias: str
    """1 to 128 characters of `[a-zA-Z0-9-_]`, not digits alone."""
    version: str
    """The version that it points at, `$LATEST` or decimal digits."""
    revision_id: str
    """UUID, new at every change."""
    description: str = ""
    weights: Mapping[str, float] = {}
    """At most one further version, and the share of the invocations that it gets: 0 to 1."""

    @property
    def versions(self) -> tuple[str, ...]:
        """Every version that may answer for it."""
        return (self.version, *self.weights)

    def choose(self, dice: float) -> str:
        """
        Return the version that answers one invocation.

        Args:
            dice: a random number, 0 inclusive to 1 exclusive.
        """
        for version, weight in self.weights.items():
            if dice < weight:
                return version
        return self.version


def check_routing(version: str, weights: Mapping[str, float]) -> None:
    """
    Refuse weights that an alias of `version` cannot have. Whether the versions exist is for others to see.

    Raises:
        InvalidParameterValueException: in AWS's words.

    Observed: localstack tests/aws/services/lambda_/test_lambda_api.py (recorded) for the three texts.
    """
    if len(weights) > 1:
        raise InvalidParameterValueException("Number of items in AdditionalVersionWeights cannot be greater than 1")
    if version in weights:
        raise InvalidParameterValueException(
            f"Invalid function version {version}. Function version {version} is already included in routing "
            "configuration."
        )
    if weights and version == LATEST:
        raise RoutingRefused("$LATEST is not supported for an alias pointing to more than 1 version")


def check_one_role(versions: Sequence[FunctionVersion]) -> None:
    """
    Refuse to split invocations between versions that run as different roles.

    Raises:
        InvalidParameterValueException: they do.

    Documented: Lambda developer guide, alias routing configuration. Assumed: the text (test_aliases).
    """
    if len({version.configuration.role for version in versions}) > 1:
        numbers = " and ".join(version.version for version in versions)
        raise InvalidParameterValueException(f"Versions {numbers} must have the same execution role.")
