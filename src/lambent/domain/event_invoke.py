"""What becomes of a function's asynchronous events: how often and how long they are tried, and where they end."""

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName

RETRIES_MAX = 2
"""Documented: Lambda API reference, MaximumRetryAttempts: the default, and the most."""

AGE_MAX_S = 21_600
"""Documented: Lambda API reference, MaximumEventAgeInSeconds: six hours are the default, and the most."""


class EventInvokeConfig(msgspec.Struct, frozen=True):
    """What one qualifier of a function says of its asynchronous events."""

    scope: Scope
    name: FunctionName
    qualifier: str
    """`$LATEST`, decimal digits or an alias: events that were invoked by it follow this."""
    last_modified: float
    """Seconds since the epoch."""
    retries_max: int | None = None
    """How often an event is tried again after a function error, 0 to 2; None: the default."""
    age_max_s: int | None = None
    """How long an event is tried at all, 60 to 21,600 seconds; None: the default."""
    on_success: str = ""
    """The ARN that the record of a success goes to; empty: nowhere."""
    on_failure: str = ""
    """The same for an event that was given up."""
