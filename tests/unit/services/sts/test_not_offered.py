"""What STS answers, and what it says of the rest."""

import botocore.session

from lambent.services.sts import assume_role, callers
from lambent.services.sts.not_offered import NOT_OFFERED


def test_handlers_and_refusals_are_the_model() -> None:
    """Every operation of the service model is answered or refused with a reason, none both."""
    model = set(botocore.session.get_session().get_service_model("sts").operation_names)
    offered = {
        operation
        for resource in (assume_role.AssumeRole, callers.Callers)
        for method in vars(resource).values()
        if (operation := getattr(method, "__operation__", None)) is not None
    }
    assert offered.isdisjoint(NOT_OFFERED)
    assert offered | set(NOT_OFFERED) == model
