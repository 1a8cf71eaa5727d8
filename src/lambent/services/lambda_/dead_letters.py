"""DeadLetterConfig: the queue that gets the events of a version that were given up."""

from collections.abc import Mapping
from typing import Any

from lambent.destinations.contract import Destinations
from lambent.domain.caller import Scope
from lambent.domain.destination import parse_target, why_not_offered
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.services.lambda_.role_checks import TargetRights


def dead_letter_arn(config: Mapping[str, Any]) -> str | None:
    """Return the queue that a DeadLetterConfig names, empty where it names nothing; None: it names no queue."""
    arn: str = config.get("TargetArn") or ""
    if not arn:
        return ""
    target = parse_target(arn)
    return arn if target is not None and target.service == "sqs" else None


async def check_dead_letters(
    scope: Scope,
    request: Mapping[str, Any],
    role: str,
    destinations: Destinations,
    rights: TargetRights,
    *,
    accept_inert: bool,
) -> None:
    """
    Refuse a DeadLetterConfig of a create or update request that cannot be one.

    Args:
        role: that the function is to have.
        accept_inert: whether what is no queue is stored without acting.

    Raises:
        InvalidParameterValueException: it names no standard queue of this account and region, or none that
            there is, or none that the role may send to.
    """
    config = request.get("DeadLetterConfig") or {}
    arn = dead_letter_arn(config)
    if arn is None:
        given = config["TargetArn"]
        if accept_inert:
            return
        reason = why_not_offered(given, tuple(destinations)) or f"{given} is no SQS queue"
        raise InvalidParameterValueException(f"DeadLetterConfig: {reason}.")
    target = parse_target(arn)
    if target is None:
        return
    # Assumed: the texts. AWS tells of a missing queue as of a missing permission.
    if target.resource.endswith(".fifo"):
        # Documented: Lambda developer guide, dead-letter queues.
        raise InvalidParameterValueException(f"DeadLetterConfig: {arn} is a FIFO queue; use a standard queue.")
    if target.scope != scope:
        raise InvalidParameterValueException(
            f"DeadLetterConfig: {arn} must be of account {scope.account} in {scope.region}, as the function is."
        )
    # Observed: field reports of the text. Before it is said whether there is one.
    if lacking := await rights.lacking(role, target):
        raise InvalidParameterValueException(f"The provided execution role does not have permissions to call {lacking}")
    if not await destinations["sqs"].exists(target):
        raise InvalidParameterValueException(f"DeadLetterConfig: {arn} does not exist; create the queue first.")
