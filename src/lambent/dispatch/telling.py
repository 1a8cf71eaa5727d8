"""What is told of an event that ended, on its way to where it is to be told: its record, and its dead letter."""

from lambent.dispatch.async_event import OutgoingMessage, outgoing
from lambent.dispatch.settle import Condition
from lambent.domain.arn import function_arn
from lambent.domain.destination import object_key, parse_target
from lambent.domain.event_invoke import EventInvokeConfig
from lambent.domain.invocation import InvocationOutcome
from lambent.domain.invocation_record import error_message, invocation_record
from lambent.store.contract import Claim, NewEvent


def told(
    claim: Claim,
    config: EventInvokeConfig,
    condition: Condition,
    *,
    attempts: int,
    outcome: InvocationOutcome | None,
    dead_letters: str,
    trace_header: str,
    now: float,
) -> tuple[NewEvent, ...]:
    """
    Return what is put into the queues of destinations in the commit that ends an event.

    Args:
        config: says where to; of the qualifier that was invoked.
        attempts: how often the function ran with it.
        outcome: of the last attempt; None where the function did not run.
        dead_letters: ARN of the version's dead-letter queue, empty without one.
        trace_header: of the last attempt.
        now: seconds since the epoch.
    """
    is_success = condition is Condition.SUCCESS
    arn = function_arn(config.scope, config.name, config.qualifier)
    messages = []
    if target := config.on_success if is_success else config.on_failure:
        named = parse_target(target)
        is_for_bucket = named is not None and named.is_bucket
        record = invocation_record(
            now=now,
            request_id=claim.id,
            function_arn=arn,
            condition=condition.value,
            attempts=attempts,
            payload=claim.body,
            outcome=outcome,
            is_whole=is_for_bucket,
        )
        key = object_key(f"async/{config.name}", now, claim.id) if is_for_bucket else ""
        message = OutgoingMessage(
            trace_header,
            arn,
            is_success=is_success,
            object_key=key,
            ends_chain=is_for_bucket and condition is Condition.RECURSION_DETECTED,
        )
        messages.append(outgoing(config.scope, target, claim.id, record, message))
    if dead_letters and not is_success:
        # Documented: Lambda developer guide, dead-letter queues, for the three attributes. Assumed: the code and
        # the message where the function did not run (test_async_invocations).
        code, text = ("429", condition.value) if outcome is None else ("200", error_message(outcome))
        attributes = {
            "RequestID": ("String", claim.id),
            "ErrorCode": ("Number", code),
            "ErrorMessage": ("String", text or condition.value),
        }
        message = OutgoingMessage(trace_header, arn, attributes)
        messages.append(outgoing(config.scope, dead_letters, claim.id, claim.body, message))
    return tuple(messages)
