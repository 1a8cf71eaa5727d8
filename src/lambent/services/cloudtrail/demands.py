"""What each operation of CloudTrail asks leave for. Documented: service authorization reference, AWS CloudTrail."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.access.authorize import Demand
from lambent.domain.caller import Caller
from lambent.services.operation import Demands


def _look_up(_: Caller, _request: Mapping[str, Any]) -> Sequence[Demand]:
    return (Demand("cloudtrail:LookupEvents"),)


DEMANDS: Mapping[str, Demands] = {"LookupEvents": _look_up}
"""What each operation that is offered asks leave for."""
