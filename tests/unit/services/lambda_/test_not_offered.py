"""What the Lambda service answers, and what it says of the rest."""

import botocore.session

from lambent.services import lambda_
from lambent.services.lambda_.not_offered import NOT_OFFERED


def test_handlers_and_refusals_are_the_model() -> None:
    """Every operation of the service model is answered or refused with a reason, none both."""
    model = set(botocore.session.get_session().get_service_model("lambda").operation_names)
    resources = [resource for resource in vars(lambda_).values() if isinstance(resource, type)]
    offered = {
        operation
        for resource in resources
        for method in vars(resource).values()
        if (operation := getattr(method, "__operation__", None)) is not None
    }
    assert offered.isdisjoint(NOT_OFFERED)
    assert offered | set(NOT_OFFERED) == model


def test_every_reason_says_something() -> None:
    """The 501 answer holds it after a colon."""
    assert all(reason and not reason.endswith(".") for reason in NOT_OFFERED.values())
