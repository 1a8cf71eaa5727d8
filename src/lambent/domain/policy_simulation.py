"""
What policies would say of a request, with the statements that say so; and the policy that would allow some. Pure.

Documented: IAM API reference, SimulatePrincipalPolicy.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.domain.policy import (
    AccessRequest,
    Policies,
    Policy,
    PolicyKind,
    PolicySet,
    Verdict,
    compile_policy,
    decide,
)


class NamedPolicy(NamedTuple):
    """A policy, and what results call it."""

    name: str
    document: str


class Position(NamedTuple):
    """A place in a document's text."""

    line: int
    column: int
    """Both from 1."""


class MatchedStatement(NamedTuple):
    """A statement that decided, and where it stands."""

    policy: str
    kind: PolicyKind
    begin: Position
    end: Position
    """Behind its last character."""


class Simulation(NamedTuple):
    """What came of one request."""

    verdict: Verdict
    matched: tuple[MatchedStatement, ...]
    missing: tuple[str, ...]
    """Condition keys that the policies look at and the request has not, as they are written there."""

    @property
    def decision(self) -> str:
        if self.verdict.is_allowed:
            return "allowed"
        return "explicitDeny" if self.verdict.is_explicit else "implicitDeny"


class _Read(NamedTuple):
    kind: PolicyKind
    policy: Policy
    document: str
    positions: Sequence[tuple[Position, Position]]


class SimulatedPolicies:
    """
    Policies whose say is asked of requests that nobody makes. They are compiled once.

    Raises:
        MalformedPolicy: one of them is none.
    """

    def __init__(
        self,
        identity: Sequence[NamedPolicy],
        *,
        boundary: Sequence[NamedPolicy] | None = None,
        session: Sequence[NamedPolicy] | None = None,
        resource: Sequence[NamedPolicy] | None = None,
    ) -> None:
        given = {
            PolicyKind.IDENTITY: identity,
            PolicyKind.BOUNDARY: boundary,
            PolicyKind.SESSION: session,
            PolicyKind.RESOURCE: resource,
        }
        self._read = [
            _Read(kind, compile_policy(one.document, name=one.name), one.document, statement_positions(one.document))
            for kind, policies in given.items()
            for one in policies or ()
        ]
        self._policies = PolicySet(
            *(
                None if given[kind] is None else Policies(one.policy for one in self._read if one.kind is kind)
                for kind in given
            )
        )
        self._keys = {key: one.document for one in reversed(self._read) for key in one.policy.keys}

    def simulate(self, request: AccessRequest) -> Simulation:
        """Return what they say of a request."""
        verdict = decide(request, self._policies)
        # Documented: of a denial only the statements that deny are told. Assumed: else those of the kinds that grant,
        # for a boundary grants nothing (test_policy_simulation).
        kinds = set(PolicyKind) if verdict.is_explicit else {PolicyKind.IDENTITY, PolicyKind.RESOURCE}
        matched = [
            MatchedStatement(one.policy.name, one.kind, *one.positions[statement.number])
            for one in self._read
            if one.kind in kinds
            for statement in one.policy.statements
            if statement.is_allow is not verdict.is_explicit and statement.applies(request)
        ]
        missing = [_as_written(key, document) for key, document in self._keys.items() if key not in request.context]
        return Simulation(verdict, tuple(matched), tuple(sorted(missing)))


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]', re.DOTALL)


def statement_positions(document: str) -> list[tuple[Position, Position]]:
    """
    Return where each statement of a policy stands.

    Observed: aws/aws-cli, examples of simulate-principal-policy, and localstack (recorded): the first one begins
    directly behind the bracket, white space included, and ends behind its brace. Assumed: the next ones begin behind
    the comma, and a lone one behind the colon (test_policy_simulation).

    Args:
        document: JSON that is a policy.
    """
    lines = [0, *(found.end() for found in re.finditer("\n", document))]

    def position(at: int) -> Position:
        line = bisect_right(lines, at)
        return Position(line, at - lines[line - 1] + 1)

    found: list[tuple[Position, Position]] = []
    depth, begin, outer = 0, 0, -1
    key = ""
    for token in _TOKEN.finditer(document):
        sign = token[0]
        if sign in "{[":
            depth += 1
            if depth == 2 and json.loads(key or '""') == "Statement":
                # A key may be there twice: the last one counts.
                found = []
                outer = 3 if sign == "[" else 2
                begin = token.end() if sign == "[" else begin
        elif sign in "}]":
            if depth == outer:
                found.append((position(begin), position(token.end())))
            depth -= 1
            if depth < 2:
                outer = -1
        elif sign in ",:":
            if depth < 2 or depth == outer - 1:
                begin = token.end()
        elif depth == 1:
            key = sign
    return found


def _as_written(key: str, document: str) -> str:
    """Return a key in the letters in which a document has it; in small ones where it has it in escapes."""
    small = document.lower()
    at = small.find(key) if len(small) == len(document) else -1
    return key if at < 0 else document[at : at + len(key)]


def smallest_policy(needs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """
    Return the smallest policy of an identity that allows some actions, each on its resource, and nothing else.

    Actions on the same resources share a statement, or resources with the same actions: whichever is shorter.
    """
    pairs = set(needs)
    pairs = {(action, resource) for action, resource in pairs if resource == "*" or (action, "*") not in pairs}
    by_resource = _grouped((resource, action) for action, resource in pairs)
    by_action = _grouped(pairs)
    documents = [
        _document((actions, resources) for resources, actions in by_resource),
        _document((actions, resources) for actions, resources in by_action),
    ]
    return min(documents, key=lambda document: len(json.dumps(document)))


def _grouped(pairs: Iterable[tuple[str, str]]) -> list[tuple[list[str], list[str]]]:
    """Return what stands first in pairs, together where the same stands second to it."""
    seconds: dict[str, set[str]] = {}
    for first, second in pairs:
        seconds.setdefault(first, set()).add(second)
    firsts: dict[tuple[str, ...], list[str]] = {}
    for first, of_it in sorted(seconds.items()):
        firsts.setdefault(tuple(sorted(of_it)), []).append(first)
    return sorted((one, list(other)) for other, one in firsts.items())


def _document(grants: Iterable[tuple[list[str], list[str]]]) -> dict[str, Any]:
    statements: list[Mapping[str, Any]] = [
        {"Effect": "Allow", "Action": _alone(actions), "Resource": _alone(list(map(_literal, resources)))}
        for actions, resources in sorted(grants)
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _alone(texts: list[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else texts


def _literal(resource: str) -> str:
    """Return a pattern of one resource. A name may have signs that mean something in patterns: objects' keys do."""
    if resource == "*":
        return resource
    return re.sub(r"[*?]|\$(?=\{)", lambda sign: f"${{{sign[0]}}}", resource)
