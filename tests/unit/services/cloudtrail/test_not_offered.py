"""What the CloudTrail service answers, and what it says of the rest."""

import botocore.session

from lambent.services.cloudtrail.lookup import EventHistory
from lambent.services.cloudtrail.not_offered import NOT_OFFERED


def test_handlers_and_refusals_are_the_model() -> None:
    """Every operation of the service model is answered or refused with a reason, none both."""
    model = set(botocore.session.get_session().get_service_model("cloudtrail").operation_names)
    offered = {
        operation
        for method in vars(EventHistory).values()
        if (operation := getattr(method, "__operation__", None)) is not None
    }
    assert offered.isdisjoint(NOT_OFFERED)
    assert offered | set(NOT_OFFERED) == model
