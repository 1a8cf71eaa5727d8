"""What operations of X-Ray ask leave for: groups and rules by ARN, everything else anywhere."""

from typing import Any

import pytest

from lambent.access.authorize import Demand
from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import root_of
from lambent.services.xray.demands import DEMANDS

SCOPE = Scope("111122223333", "eu-west-1")
CALLER = Caller(SCOPE, root_of(SCOPE.account), "none", "r", "http://localhost")
ARN = "arn:aws:xray:eu-west-1:111122223333"


@pytest.mark.parametrize(
    ("operation", "request_", "resource"),
    [
        ("PutTraceSegments", {"TraceSegmentDocuments": []}, "*"),
        ("CreateGroup", {"GroupName": "g"}, f"{ARN}:group/g/*"),
        ("GetGroup", {"GroupARN": f"{ARN}:group/g/X"}, f"{ARN}:group/g/X"),
        ("DeleteGroup", {}, f"{ARN}:group//*"),
        ("CreateSamplingRule", {"SamplingRule": {"RuleName": "r"}}, f"{ARN}:sampling-rule/r"),
        ("UpdateSamplingRule", {"SamplingRuleUpdate": {"RuleARN": "x"}}, "x"),
        ("DeleteSamplingRule", {"RuleName": "r"}, f"{ARN}:sampling-rule/r"),
        ("TagResource", {"ResourceARN": f"{ARN}:sampling-rule/r"}, f"{ARN}:sampling-rule/r"),
    ],
)
def test_demands(operation: str, request_: Any, resource: str) -> None:
    (demand,) = DEMANDS[operation](CALLER, request_)
    account = "" if resource == "*" else SCOPE.account
    assert demand == Demand(f"xray:{operation}", resource, account=account)
