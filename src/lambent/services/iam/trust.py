"""
Whom a trust policy names: users and roles by their ids, so that a later one of the same name is somebody else.

Documented: IAM user guide, AWS JSON policy elements, Principal: a user's or role's ARN is kept as its unique id, which
the document shows once there is no such user or role any more.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lambent.domain.access_key import ROLE_ID, USER_ID
from lambent.domain.identity import Role, User
from lambent.errors.api.iam import MalformedPolicyDocumentException
from lambent.services.iam.arns import parse_identity_arn
from lambent.store.contract import IdentityRows, IdentityStore

_ACCOUNT = re.compile(r"\*|[0-9]{12}|arn:aws[a-z-]*:iam::[0-9]{12}:root", re.ASCII)
_SESSION = re.compile(r"arn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([\w+=,.@-]{1,64})/[\w+=,.@-]{2,64}", re.ASCII)
_FEDERATED_USER = re.compile(r"arn:aws[a-z-]*:sts::[0-9]{12}:federated-user/[\w+=,.@-]{2,32}", re.ASCII)
_UNIQUE_ID = re.compile(rf"(?:{USER_ID}|{ROLE_ID})[A-Z2-7]{{17}}", re.ASCII)


async def trusted_ids(store: IdentityStore, account: str, document: str) -> dict[str, str]:
    """
    Return the unique ids of the users and roles that a trust policy names, by their ARNs.

    Those of other accounts that are not here are not looked for: they may be anywhere.

    Raises:
        MalformedPolicyDocumentException: there is no such user or role.
    """
    named: dict[str, dict[str, str]] = {}
    ids: dict[str, str] = {}
    for text in aws_principals(json.loads(document)):
        if _ACCOUNT.fullmatch(text) or _FEDERATED_USER.fullmatch(text):
            continue
        session, identity = _SESSION.fullmatch(text), parse_identity_arn(text)
        if session is not None:
            named.setdefault(session[1], {})[text] = f"role/{session[2]}"
        elif identity is not None and identity.kind != "group":
            named.setdefault(identity.account, {})[text] = f"{identity.kind}/{identity.name}"
        elif _UNIQUE_ID.fullmatch(text):
            named.setdefault(account, {})[text] = text
        else:
            raise invalid_principal(text)
    for owner, texts in named.items():
        async with store.snapshot(owner) as rows:
            for text, place in texts.items():
                found = await _find(rows, place)
                if found is not None and found.arn == _plain(text):
                    ids[text] = found.unique_id
                elif owner == account and (found is None or not _is_by_other_means(text)):
                    raise invalid_principal(text)
    return ids


async def shown_trust_policy(rows: IdentityRows, role: Role) -> str:
    """Return a role's trust policy as it reads now: with the names that its principals have by now, or their ids."""
    changed: dict[str, str] = {}
    for arn, unique_id in role.trust_ids.items():
        identity = parse_identity_arn(arn)
        if identity is None or identity.account != role.account:
            continue
        found = await _find(rows, unique_id)
        now = unique_id if found is None else found.arn
        if now != _plain(arn):
            changed[arn] = now
    if not changed:
        return role.trust_policy
    document = json.loads(role.trust_policy)
    for statement in _statements(document):
        principal = statement.get("Principal")
        if isinstance(principal, dict) and "AWS" in principal:
            given = principal["AWS"]
            principal["AWS"] = (
                changed.get(given, given) if isinstance(given, str) else [changed.get(text, text) for text in given]
            )
    return json.dumps(document, separators=(",", ":"))


def aws_principals(document: Any) -> Iterator[str]:
    """Yield what a trust policy has as `AWS` principals, each once."""
    seen: dict[str, None] = {}
    for statement in _statements(document):
        principal = statement.get("Principal")
        given = principal.get("AWS", []) if isinstance(principal, Mapping) else []
        seen.update(dict.fromkeys([given] if isinstance(given, str) else given))
    yield from seen


def invalid_principal(text: str) -> MalformedPolicyDocumentException:
    # Observed: hashicorp/terraform-provider-aws and aws/aws-cdk try again at this text, so nothing else has it.
    return MalformedPolicyDocumentException(f'Invalid principal in policy: "AWS":"{text}"')


def _is_by_other_means(text: str) -> bool:
    """Say whether a principal is no ARN of a user or role, so that nothing of it has to be right beside the name."""
    return _SESSION.fullmatch(text) is not None or _UNIQUE_ID.fullmatch(text) is not None


def _statements(document: Any) -> list[dict[str, Any]]:
    found = document["Statement"]
    return [found] if isinstance(found, dict) else list(found)


async def _find(rows: IdentityRows, place: str) -> User | Role | None:
    """Find a user or role by `user/<name>`, `role/<name>` or a unique id."""
    kind, _, name = place.partition("/")
    if name:
        return await rows.get(User, name) if kind == "user" else await rows.get(Role, name)
    return await rows.by_id(User, place) if place.startswith(USER_ID) else await rows.by_id(Role, place)


def _plain(arn: str) -> str:
    """Return an ARN in the one partition that is here."""
    return f"arn:aws:{arn.split(':', 2)[2]}" if arn.startswith("arn:") else arn
