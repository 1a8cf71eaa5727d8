"""
Condition keys of a request, as policies ask for them: each is made when it is asked for, and most never are.

Documented: IAM user guide, AWS global condition context keys. `aws:PrincipalOrgID` and its like are never there: there
are no organisations here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from lambent.domain.caller import Caller
from lambent.domain.policy import Value
from lambent.domain.principal import Principal, PrincipalType

_PRINCIPAL_TAG = "aws:principaltag/"
_RESOURCE_TAGS = ("aws:resourcetag/", "iam:resourcetag/")
"""Documented: service authorization reference, IAM: both are the same."""


class Conditions(Mapping[str, Value]):
    """
    The keys of one request, in small letters.

    Args:
        tags: the principal's.
        own: keys of the action.
        caller: None: the server itself acts, in the name of a role.
        resource_tags: as far as a policy asks for them.
        now: seconds since the epoch.
    """

    __slots__ = ("_account", "_action", "_caller", "_now", "_own", "_principal", "_resource_tags", "_tags")

    def __init__(
        self,
        principal: Principal,
        tags: Mapping[str, str],
        action: str,
        own: Mapping[str, Value],
        caller: Caller | None,
        account: str,
        resource_tags: Mapping[str, str],
        now: float,
    ) -> None:
        self._principal = principal
        self._tags = tags
        self._action = action
        self._own = own
        self._caller = caller
        self._account = account
        self._resource_tags = resource_tags
        self._now = now

    def _find(self, key: str) -> Value | None:
        found = self._own.get(key)
        if found is not None:
            return found
        if key.startswith(_PRINCIPAL_TAG):
            return _tag(self._tags, key.removeprefix(_PRINCIPAL_TAG))
        for prefix in _RESOURCE_TAGS:
            if key.startswith(prefix):
                return _tag(self._resource_tags, key.removeprefix(prefix))
        make = _MAKERS.get(key)
        return None if make is None else make(self)

    def __getitem__(self, key: str) -> Value:
        found = self._find(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from (f"{_PRINCIPAL_TAG}{name.lower()}" for name in self._tags)
        yield from (f"{_RESOURCE_TAGS[0]}{name.lower()}" for name in self._resource_tags)
        yield from (key for key, make in _MAKERS.items() if key not in self._own and make(self) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def _is_person(self) -> bool:
        """Whether it is neither a service nor nobody."""
        return self._principal.type not in {PrincipalType.SERVICE, PrincipalType.ANONYMOUS}

    def _principal_arn(self) -> str | None:
        return self._principal.identity_arn if self._is_person else None

    def _principal_account(self) -> str | None:
        return self._principal.account if self._is_person else None

    def _principal_type(self) -> str | None:
        return None if self._principal.type is PrincipalType.SERVICE else self._principal.type.value

    def _user_id(self) -> str | None:
        return self._principal.unique_id or None

    def _user_name(self) -> str | None:
        return self._principal.name if self._principal.type is PrincipalType.USER else None

    def _is_service(self) -> str | None:
        if self._principal.type is PrincipalType.ANONYMOUS:
            return None
        return _bool(self._principal.type is PrincipalType.SERVICE)

    def _service_name(self) -> str | None:
        return self._principal.name if self._principal.type is PrincipalType.SERVICE else None

    def _token_issue_time(self) -> str | None:
        session = self._principal.session
        # The server's own sessions of a role were never issued.
        return None if session is None or not session.issued_at else _iso(session.issued_at)

    def _has_mfa(self) -> str | None:
        return None if self._principal.session is None else "false"

    def _source_identity(self) -> str | None:
        session = self._principal.session
        return None if session is None else session.source_identity or None

    def _source_function(self) -> str | None:
        session = self._principal.session
        return None if session is None else session.function_arn or None

    def _source_ip(self) -> str | None:
        return None if self._caller is None else self._caller.client

    def _is_secure(self) -> str | None:
        return None if self._caller is None else _bool(self._caller.is_secure)

    def _user_agent(self) -> str | None:
        return None if self._caller is None else self._caller.user_agent or None

    def _requested_region(self) -> str | None:
        if self._caller is None:
            return None
        # Documented: IAM user guide, aws:RequestedRegion: global services are in us-east-1.
        return "us-east-1" if self._action.startswith("iam:") else self._caller.scope.region

    def _current_time(self) -> str:
        return _iso(self._now)

    def _epoch_time(self) -> str:
        return str(int(self._now))

    def _is_via_service(self) -> str:
        return "false"

    def _resource_account(self) -> str | None:
        return self._account or None


_MAKERS: Mapping[str, Callable[[Conditions], Value | None]] = {
    "aws:principalarn": Conditions._principal_arn,
    "aws:principalaccount": Conditions._principal_account,
    "aws:principaltype": Conditions._principal_type,
    "aws:userid": Conditions._user_id,
    "aws:username": Conditions._user_name,
    "aws:principalisawsservice": Conditions._is_service,
    "aws:principalservicename": Conditions._service_name,
    "aws:tokenissuetime": Conditions._token_issue_time,
    "aws:multifactorauthpresent": Conditions._has_mfa,
    "aws:sourceidentity": Conditions._source_identity,
    "lambda:sourcefunctionarn": Conditions._source_function,
    "aws:sourceip": Conditions._source_ip,
    "aws:securetransport": Conditions._is_secure,
    "aws:useragent": Conditions._user_agent,
    "aws:requestedregion": Conditions._requested_region,
    "aws:currenttime": Conditions._current_time,
    "aws:epochtime": Conditions._epoch_time,
    "aws:viaawsservice": Conditions._is_via_service,
    "aws:resourceaccount": Conditions._resource_account,
}


def of_tags(tags: Mapping[str, str]) -> dict[str, Value]:
    """Return the condition keys of a request that sets tags."""
    return {**{f"aws:requesttag/{name.lower()}": value for name, value in tags.items()}, **of_tag_keys(tags)}


def of_tag_keys(names: Iterable[str]) -> dict[str, Value]:
    """Return the condition keys of a request that names tags."""
    found = tuple(names)
    return {"aws:tagkeys": found} if found else {}


def _tag(tags: Mapping[str, str], name: str) -> str | None:
    """Documented: IAM user guide, tags: their names are compared without regard to case."""
    return next((value for key, value in tags.items() if key.lower() == name), None)


def _bool(value: bool) -> str:
    return str(value).lower()


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
