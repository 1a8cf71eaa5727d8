"""REST APIs: every operation of the service model is refused with a reason."""

import botocore.session

from lambent.services import apigateway


def test_refusals_are_the_model() -> None:
    """Nothing is forgotten, and nothing answered."""
    model = set(botocore.session.get_session().get_service_model("apigateway").operation_names)
    made = apigateway.service()
    assert set(made.not_offered) == model and not made.handlers
