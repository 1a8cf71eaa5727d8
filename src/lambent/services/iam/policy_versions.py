"""The documents of a managed policy: up to five, one of which counts."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.identity import ManagedPolicy, PolicyVersion
from lambent.domain.policy_document import check_managed_policy
from lambent.errors.api.iam import DeleteConflictException, LimitExceededException, NoSuchEntityException
from lambent.protocol.shapes.iam import (
    CreatePolicyVersionRequest,
    DeletePolicyVersionRequest,
    GetPolicyVersionRequest,
    ListPolicyVersionsRequest,
    SetDefaultPolicyVersionRequest,
)
from lambent.services.iam.arns import parse_policy_arn
from lambent.services.iam.documents import check, shown_document
from lambent.services.iam.identities import whole
from lambent.services.iam.known_policies import is_of_aws, own_policy
from lambent.services.iam.limits import VERSIONS_MAX
from lambent.services.iam.managed_policies import MANAGED
from lambent.services.iam.paging import requested_page
from lambent.services.iam.refusals import missing_policy, not_yours
from lambent.services.iam.shown import moment
from lambent.services.operation import operation
from lambent.store.contract import IdentityStore


class PolicyVersions:
    """Versions; numbers are never given again."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreatePolicyVersion")
    async def create(self, caller: Caller, request: CreatePolicyVersionRequest) -> Mapping[str, Any]:
        arn, document = request["PolicyArn"], request["PolicyDocument"]
        _refuse_of_aws(caller, "CreatePolicyVersion", arn)
        check(document, check_managed_policy)
        async with self._store.transaction(caller.scope.account) as tx:
            before = await own_policy(tx, caller.scope.account, arn)
            policy = with_version(
                before, document, whole(self._clock.now()), is_default=request.get("SetAsDefault", False)
            )
            await tx.save(policy)
        # Documented: IAM API reference, PolicyVersion: the answer to CreatePolicyVersion has no document.
        return {"PolicyVersion": _shown(policy, policy.versions[-1])}

    @operation("GetPolicyVersion")
    async def get(self, caller: Caller, request: GetPolicyVersionRequest) -> Mapping[str, Any]:
        arn, version_id = request["PolicyArn"], request["VersionId"]
        if is_of_aws(arn):
            shown, document = _of_aws(arn)
            if shown["VersionId"] != version_id:
                raise _missing(arn, version_id)
        else:
            async with self._store.snapshot(caller.scope.account) as rows:
                policy = await own_policy(rows, caller.scope.account, arn)
            version = _version(policy, version_id)
            shown, document = _shown(policy, version), version.document
        return {"PolicyVersion": {"Document": shown_document(document), **shown}}

    @operation("ListPolicyVersions")
    async def list(self, caller: Caller, request: ListPolicyVersionsRequest) -> Mapping[str, Any]:
        page, arn = requested_page(request), request["PolicyArn"]
        if is_of_aws(arn):
            return {"Versions": [_of_aws(arn)[0]], "IsTruncated": False}
        async with self._store.snapshot(caller.scope.account) as rows:
            policy = await own_policy(rows, caller.scope.account, arn)
        # The newest first; numbers are whole ones without end, so the key counts down.
        found = page.of(policy.versions, lambda version: f"{10**9 - version.number:010d}")
        return found.answer("Versions", lambda version: _shown(policy, version))

    @operation("SetDefaultPolicyVersion")
    async def set_default(self, caller: Caller, request: SetDefaultPolicyVersionRequest) -> Mapping[str, Any]:
        arn = request["PolicyArn"]
        _refuse_of_aws(caller, "SetDefaultPolicyVersion", arn)
        async with self._store.transaction(caller.scope.account) as tx:
            policy = await own_policy(tx, caller.scope.account, arn)
            number = _version(policy, request["VersionId"]).number
            now = whole(self._clock.now())
            await tx.save(msgspec.structs.replace(policy, default_number=number, updated_at=now))
        return {}

    @operation("DeletePolicyVersion")
    async def delete(self, caller: Caller, request: DeletePolicyVersionRequest) -> Mapping[str, Any]:
        arn = request["PolicyArn"]
        _refuse_of_aws(caller, "DeletePolicyVersion", arn)
        async with self._store.transaction(caller.scope.account) as tx:
            policy = await own_policy(tx, caller.scope.account, arn)
            version = _version(policy, request["VersionId"])
            if version.number == policy.default_number:
                # Observed: hashicorp/terraform-provider-aws issues quote it.
                raise DeleteConflictException("Cannot delete the default version of a policy.")
            left = tuple(other for other in policy.versions if other is not version)
            await tx.save(msgspec.structs.replace(policy, versions=left))
        return {}


def with_version(policy: ManagedPolicy, document: str, now: float, *, is_default: bool) -> ManagedPolicy:
    """
    Return a policy with one version more, the last of its versions.

    Raises:
        LimitExceededException: it has as many as it may have.
    """
    if len(policy.versions) >= VERSIONS_MAX:
        # Observed: hashicorp/terraform-provider-aws issues quote it.
        raise LimitExceededException(
            f"A managed policy can have up to {VERSIONS_MAX} versions. Before you create a new version, you must "
            "delete an existing version."
        )
    number = policy.next_number
    return msgspec.structs.replace(
        policy,
        versions=(*policy.versions, PolicyVersion(number, document, now)),
        default_number=number if is_default else policy.default_number,
        next_number=number + 1,
        # Documented: IAM API reference, Policy: UpdateDate is when the newest version was made.
        updated_at=now,
    )


def _shown(policy: ManagedPolicy, version: PolicyVersion) -> dict[str, Any]:
    return {
        "VersionId": f"v{version.number}",
        "IsDefaultVersion": version.number == policy.default_number,
        "CreateDate": moment(version.created_at),
    }


def _version(policy: ManagedPolicy, version_id: str) -> PolicyVersion:
    for version in policy.versions:
        if f"v{version.number}" == version_id:
            return version
    raise _missing(policy.arn, version_id)


def _of_aws(arn: str) -> tuple[dict[str, Any], str]:
    """Return the one version that there is of a policy of AWS's, and its document."""
    parsed = parse_policy_arn(arn)
    found = None if parsed is None else MANAGED.get(parsed.canonical)
    if found is None:
        raise missing_policy(arn)
    return {"VersionId": f"v{found.version}", "IsDefaultVersion": True, "CreateDate": moment(0)}, found.document


def _refuse_of_aws(caller: Caller, action: str, arn: str) -> None:
    if is_of_aws(arn):
        raise not_yours(caller.principal.arn, action, arn)


def _missing(arn: str, version_id: str) -> NoSuchEntityException:
    # Assumed: other implementations have the text (test_iam_policies).
    return NoSuchEntityException(f"Policy {arn} version {version_id} does not exist or is not attachable.")
