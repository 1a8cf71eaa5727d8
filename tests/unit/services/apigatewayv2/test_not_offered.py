"""What the service of HTTP APIs answers, and what it says of the rest."""

import botocore.session

from lambent.clock import SystemClock
from lambent.domain.function_url import UrlDomain
from lambent.services import apigatewayv2
from lambent.services.apigatewayv2.not_offered import NOT_OFFERED


def test_handlers_and_refusals_are_the_model() -> None:
    """Every operation of the service model is answered or refused with a reason, none both."""
    model = set(botocore.session.get_session().get_service_model("apigatewayv2").operation_names)
    domain = UrlDomain("http", "localhost", ":4566")
    # Nothing is read before the first request.
    made = apigatewayv2.service(
        store=None,  # type: ignore[arg-type]
        domain=domain,
        forget_verdicts=lambda *_: None,
        clock=SystemClock(),
    )
    assert set(made.handlers).isdisjoint(NOT_OFFERED)
    assert set(made.handlers) | set(NOT_OFFERED) == model
