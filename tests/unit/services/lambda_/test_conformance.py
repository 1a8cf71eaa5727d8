"""What the table of the Lambda API says, where the code can be asked."""

from lambent.services.lambda_.conformance import JUDGEMENTS
from lambent.services.lambda_.inert import _DEFAULTS


def test_inert_settings_are_refused_and_stored_on_demand() -> None:
    """Exactly those of inert.py: a setting that comes to act leaves both."""
    marked = {name.rpartition(":")[2] for name, reason in JUDGEMENTS.refused.items() if "`--accept-inert`" in reason}
    # A dead-letter queue acts; what else it names is stored on demand.
    assert marked == set(_DEFAULTS) - {"DeadLetterConfig"}
