"""What the SQS service answers: all of it."""

import botocore.session

from lambent.services.sqs import lacking
from lambent.services.sqs.not_offered import NOT_OFFERED
from lambent.testing.sqs import SqsBench


def test_handlers_are_the_model(sqs: SqsBench) -> None:
    """Every operation of the service model is answered."""
    model = set(botocore.session.get_session().get_service_model("sqs").operation_names)
    assert set(sqs.queues.service.handlers) == model
    assert len(model) == 23 and NOT_OFFERED == {}


def test_what_is_lacking_is_named() -> None:
    """In the words of the service, with the number of a batch's entry."""
    broken = "1 validation error detected: Value null at 'messageBody' failed to satisfy constraint: Member must not"
    assert lacking(broken).message == "The request must contain the parameter MessageBody."
    broken = broken.replace("messageBody", "entries.2.member.id")
    assert lacking(broken).message == "The request must contain the parameter Entries.2.Id."
