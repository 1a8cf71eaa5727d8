"""What the IAM service answers and what it does not: together the service model."""

from collections.abc import Callable
from typing import Any

import botocore.session

from lambent.services.iam.conformance import JUDGEMENTS
from lambent.services.iam.not_offered import NOT_OFFERED


def test_handlers_and_reasons_are_the_model(tell: Callable[[Any], None]) -> None:
    """Every operation is answered, or has a reason why not."""

    async def story(bench: Any) -> None:
        handlers = set(bench.service.handlers)
        model = set(botocore.session.get_session().get_service_model("iam").operation_names)
        assert handlers | set(NOT_OFFERED) == model
        assert not handlers & set(NOT_OFFERED)
        assert handlers == set(JUDGEMENTS.acting)

    tell(story)
