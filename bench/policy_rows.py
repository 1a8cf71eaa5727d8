"""The row about decisions: who may do something, among thousands of policies."""

import json
import random
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from bench.table import Line
from bench.yardsticks import interleave
from lambent.domain.policy import AccessRequest, Policies, PolicySet, compile_policy, decide
from lambent.domain.principal import Session, session_of_role

if TYPE_CHECKING:
    from bench.rows import Plan

_POLICIES = 10_000
_DECISIONS = 500
"""Of one sample."""
_MAX_S = 50e-6
_ACCOUNT = "111122223333"
_FUNCTION = f"arn:aws:lambda:eu-west-1:{_ACCOUNT}:function:f"


def measure_authorize(plan: "Plan") -> list[Line]:
    """
    Decide requests of a role with ten thousand policies, a boundary, and functions with policies of their own.

    The yardstick is reading the text of one policy, by the fastest decoder that there is: the least that can be asked
    of whoever keeps policies as texts, even if they knew which one matters. A look at a remembered answer would be no
    yardstick, for it decides nothing.
    """
    texts = [json.dumps(_policy(number)) for number in range(_POLICIES)]
    identity = Policies(map(compile_policy, texts))
    boundary = Policies([compile_policy(_everything())])
    own = Policies([compile_policy(_everything(Principal={"AWS": f"arn:aws:iam::{_ACCOUNT}:root"}))])
    policies = PolicySet(identity, boundary=boundary, resource=own)
    role = session_of_role(_ACCOUNT, "r", "/", "AROARRRRRRRRRRRRRRRRR", Session("s", 0, 0))
    choice = random.Random(1)

    def decide_one() -> Callable[[], object]:
        number = choice.randrange(_POLICIES)
        qualifier, is_allowed = choice.choice([("", True), (":prod", True), (":other", False)])
        request = AccessRequest(role, "lambda:InvokeFunction", f"{_FUNCTION}{number}{qualifier}", _ACCOUNT)

        def decided() -> object:
            verdict = decide(request, policies)
            assert verdict.is_allowed is is_allowed
            return verdict

        return decided

    def read_one() -> Callable[[], object]:
        text = choice.choice(texts)
        return lambda: msgspec.json.decode(text)

    measured, read = interleave(_sampler(decide_one), _sampler(read_one), rounds=plan.rounds)
    decision_s, read_s = statistics.median(measured), statistics.median(read)
    return [
        Line(
            f"authorize, {_POLICIES:,} policies, one decision, p50",
            f"{decision_s * 1e6:.1f} us",
            f"{read_s * 1e6:.1f} us, one policy decoded by msgspec",
            decision_s / read_s,
            is_met=decision_s < _MAX_S,
            required_text=f"under {_MAX_S * 1e6:.0f} us",
        )
    ]


def _sampler(make: Callable[[], Callable[[], object]]) -> Callable[[], float]:
    """Return what measures the median of many calls, each made ready outside of what is measured."""

    def sample() -> float:
        times = []
        for call in [make() for _ in range(_DECISIONS)]:
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
        return statistics.median(times)

    return sample


def _policy(number: int) -> dict[str, object]:
    """Return one as deployment tools write them: of one function, its alias, its log group."""
    function = f"{_FUNCTION}{number}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": [function, f"{function}:p*"]},
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": f"arn:aws:logs:*:{_ACCOUNT}:log-group:/aws/lambda/f{number}:*",
            },
        ],
    }


def _everything(**members: object) -> dict[str, object]:
    statement = {"Effect": "Allow", "Action": "lambda:*", "Resource": "*", **members}
    return {"Version": "2012-10-17", "Statement": statement}
