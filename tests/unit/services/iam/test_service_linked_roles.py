"""What roles of services are called."""

import pytest

from lambent.errors.api.iam import InvalidInputException
from lambent.services.iam.service_linked_roles import name_of


@pytest.mark.parametrize(
    ("service", "suffix", "name"),
    [
        ("ops.apigateway.amazonaws.com", None, "AWSServiceRoleForAPIGateway"),
        ("autoscaling.amazonaws.com", "mine", "AWSServiceRoleForAutoScaling_mine"),
        ("some-thing.amazonaws.com", None, "AWSServiceRoleForSomeThing"),
    ],
)
def test_names(service: str, suffix: str | None, name: str) -> None:
    """Known ones as AWS calls them, others after their service."""
    assert name_of(service, suffix) == name


@pytest.mark.parametrize(
    ("service", "suffix", "why"),
    [
        ("ops.apigateway.amazonaws.com", "s", "Custom suffix is not allowed for ops.apigateway.amazonaws.com"),
        ("nothing", None, "Service nothing is not valid."),
        ("a/b.amazonaws.com", None, "is not valid"),
        ("autoscaling.amazonaws.com", "s" * 64, "longer than 64 characters"),
    ],
)
def test_refusals(service: str, suffix: str | None, why: str) -> None:
    """A service that is none would become part of a path."""
    with pytest.raises(InvalidInputException, match=why):
        name_of(service, suffix)
