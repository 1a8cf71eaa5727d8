"""A queue's policy, statement by statement."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.caller import Caller
from lambent.domain.resource_policy import ResourcePolicy
from lambent.errors.api.sqs import (
    InvalidParameterValueException,
    MissingRequiredParameterException,
    OverLimit,
)
from lambent.protocol.shapes.sqs import AddPermissionRequest, RemovePermissionRequest
from lambent.services.operation import operation
from lambent.services.sqs.attributes import POLICY_MAX_BYTES, read_policy
from lambent.services.sqs.cross_account import ACTIONS
from lambent.services.sqs.directory import Directory, Queue, QueueDocument
from lambent.services.sqs.naming import queue_arn, queue_at_url
from lambent.services.sqs.receiving import out_of_range
from lambent.store.contract import QueueRules

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ACCOUNT = re.compile(r"\d{12}")
_ACTIONS_MAX = 7
_ACTION_NAMES = {*ACTIONS.values(), "*"}


class QueuePermissions:
    """AddPermission and RemovePermission. They write the attribute Policy."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    @operation("AddPermission")
    async def add(self, caller: Caller, request: AddPermissionRequest) -> Mapping[str, Any]:
        queue = queue_at_url(caller, request["QueueUrl"])
        label = request["Label"]
        await self._directory.get(queue)
        _check_label(label)
        arn = queue_arn(queue)
        statement = {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": _alone(_principals(request["AWSAccountIds"]))},
            "Action": _alone(_actions(request["Actions"])),
            "Resource": arn,
        }

        def decide(before: Queue) -> tuple[QueueRules, QueueDocument]:
            text = before.document.attributes.get("Policy")
            policy = ResourcePolicy((), "2008-10-17", f"{arn}/SQSDefaultPolicy") if text is None else read_policy(text)
            if policy.has(label):
                raise out_of_range("Label", label, "Already exists.")
            after = msgspec.structs.replace(policy, statements=(*policy.statements, statement)).text()
            if len(after.encode()) > POLICY_MAX_BYTES:
                raise OverLimit(f"The policy of a queue has at most {POLICY_MAX_BYTES} bytes.")
            return _with_policy(before, after)

        await self._directory.change(queue, decide)
        return {}

    @operation("RemovePermission")
    async def remove(self, caller: Caller, request: RemovePermissionRequest) -> Mapping[str, Any]:
        label = request["Label"]

        def decide(before: Queue) -> tuple[QueueRules, QueueDocument]:
            text = before.document.attributes.get("Policy")
            policy = None if text is None else read_policy(text)
            if policy is None or not policy.has(label):
                raise out_of_range("Label", label, "can't find label.")
            left = policy.without(label)
            return _with_policy(before, "" if left is None else left.text())

        await self._directory.change(queue_at_url(caller, request["QueueUrl"]), decide)
        return {}


def _with_policy(before: Queue, text: str) -> tuple[QueueRules, QueueDocument]:
    attributes = {name: value for name, value in before.document.attributes.items() if name != "Policy"}
    if text:
        attributes["Policy"] = text
    return before.rules, msgspec.structs.replace(before.document, attributes=attributes)


def _check_label(label: str) -> None:
    if _LABEL.fullmatch(label) is None:
        # Assumed: the text (test_permissions).
        raise out_of_range("Label", label[:80], "1 to 80 alphanumeric characters, hyphens and underscores.")


def _principals(accounts: list[str]) -> list[str]:
    if not accounts or not all(_ACCOUNT.fullmatch(account) for account in accounts):
        # Assumed: as emulators have it (test_permissions).
        raise out_of_range("PrincipalId", f"[{', '.join(accounts)}]", "Unable to verify.")
    return [f"arn:aws:iam::{account}:root" for account in accounts]


def _actions(names: list[str]) -> list[str]:
    if not names:
        raise MissingRequiredParameterException("The request must contain the parameter Actions.")
    if len(names) > _ACTIONS_MAX:
        raise OverLimit(f"{len(names)} Actions were found, maximum allowed is {_ACTIONS_MAX}.")
    for name in names:
        if name not in _ACTION_NAMES:
            raise _no_action(name)
    return [f"SQS:{name}" for name in names]


def _no_action(name: str) -> InvalidParameterValueException:
    return out_of_range("ActionName", f"SQS:{name}", "Only the queue owner is allowed to invoke this action.")


def _alone(items: list[str]) -> str | list[str]:
    # Observed: localstack/localstack tests/aws/services/sqs (recorded): one is a text, several are a list.
    return items[0] if len(items) == 1 else items
