"""What policies would say of a request, with the statements that say so. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from lambent.domain.policy import AccessRequest, Policies, PolicyKind, PolicySet, Verdict, compile_policy, decide


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
    """Condition keys that the policies look at and the request has not."""

    @property
    def decision(self) -> str:
        if self.verdict.is_allowed:
            return "allowed"
        return "explicitDeny" if self.verdict.is_explicit else "implicitDeny"


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
            (kind, compile_policy(one.document, name=one.name), one.document)
            for kind, policies in given.items()
            for one in policies or ()
        ]
        self._policies = PolicySet(
            *(
                None if given[kind] is None else Policies(policy for other, policy, _ in self._read if other is kind)
                for kind in given
            )
        )

    def simulate(self, request: AccessRequest) -> Simulation:
        """Return what they say of a request."""
        verdict = decide(request, self._policies)
        kinds = set(PolicyKind) if verdict.is_explicit else {PolicyKind.IDENTITY, PolicyKind.RESOURCE}
        matched = tuple(
            MatchedStatement(policy.name, kind, Position(1, 1), Position(document.count("\n") + 1, 1))
            for kind, policy, document in self._read
            if kind in kinds
            for statement in policy.statements
            if statement.is_allow is not verdict.is_explicit
            and statement.is_about_action(request.action.lower())
            and statement.is_about_resource(request.resource, request.context)
            and statement.grants_to(request.principal)
            and statement.holds(request.context)
        )
        missing = {
            document[at : at + len(key)] if (at := document.lower().find(key)) >= 0 else key
            for _, policy, document in self._read
            for key in policy.keys
            if key not in request.context
        }
        return Simulation(verdict, matched, tuple(sorted(missing)))
