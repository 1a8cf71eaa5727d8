"""The account as a whole: its alias, and what it has."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.identity import Account, Group, InstanceProfile, ManagedPolicy, Role, User
from lambent.domain.policy_document import MANAGED_MAX, TRUST_MAX
from lambent.errors.api.iam import EntityAlreadyExistsException, NoSuchEntityException
from lambent.protocol.shapes.iam import (
    CreateAccountAliasRequest,
    DeleteAccountAliasRequest,
    ListAccountAliasesRequest,
)
from lambent.services.iam.identities import whole
from lambent.services.iam.known_policies import uses_of_all
from lambent.services.iam.limits import (
    ATTACHED,
    GROUPS_PER_USER,
    INLINE_MAX,
    KEYS_PER_USER,
    PER_ACCOUNT,
    VERSIONS_MAX,
)
from lambent.services.iam.paging import requested_page
from lambent.services.operation import operation
from lambent.store.contract import IdentityStore


class Accounts:
    """One alias, the counts, and a password policy that nobody needs: there are no passwords."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateAccountAlias")
    async def create_alias(self, caller: Caller, request: CreateAccountAliasRequest) -> Mapping[str, Any]:
        account, alias = caller.scope.account, request["AccountAlias"]
        others = await self._store.accounts()
        if any(other.alias == alias and other.account != account for other in others):
            raise EntityAlreadyExistsException(f"The account alias {alias} already exists.")
        async with self._store.transaction(account) as tx:
            made = await tx.get(Account, account)
            if made is None:
                # Any twelve digits are an account where nobody verifies keys: it is made when something is known of it.
                made = Account(account=account, name=account, created_at=whole(self._clock.now()))
            # Documented: IAM user guide, account aliases: there is one, and a new one takes its place.
            await tx.save(msgspec.structs.replace(made, alias=alias))
        return {}

    @operation("ListAccountAliases")
    async def list_aliases(self, caller: Caller, request: ListAccountAliasesRequest) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope.account) as rows:
            made = await rows.get(Account, caller.scope.account)
        return page.of([made.alias] if made is not None and made.alias else [], str).answer("AccountAliases", str)

    @operation("DeleteAccountAlias")
    async def delete_alias(self, caller: Caller, request: DeleteAccountAliasRequest) -> Mapping[str, Any]:
        alias = request["AccountAlias"]
        async with self._store.transaction(caller.scope.account) as tx:
            made = await tx.get(Account, caller.scope.account)
            if made is None or made.alias != alias:
                # Assumed: the text (test_iam_account).
                raise NoSuchEntityException(f"The account alias {alias} cannot be found.")
            await tx.save(msgspec.structs.replace(made, alias=""))
        return {}

    @operation("GetAccountSummary")
    async def summary(self, caller: Caller, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        account = caller.scope.account
        async with self._store.snapshot(account) as rows:
            counts = {
                word: await rows.count(kind)
                for kind, word in (
                    (Group, "Groups"),
                    (InstanceProfile, "InstanceProfiles"),
                    (ManagedPolicy, "Policies"),
                    (Role, "Roles"),
                    (User, "Users"),
                )
            }
            in_use = len(await uses_of_all(rows))
            root_keys = await rows.keys_of(account)
        return {
            "SummaryMap": {
                **counts,
                **_QUOTAS,
                "PolicyVersionsInUse": in_use,
                "AccountAccessKeysPresent": int(bool(root_keys)),
            }
        }

    @operation("GetAccountPasswordPolicy")
    async def password_policy(self, caller: Caller, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        # Assumed: other implementations have the text (test_iam_account).
        raise NoSuchEntityException(f"The Password Policy with domain name {caller.scope.account} cannot be found.")


_QUOTAS: Mapping[str, int] = {
    "AccessKeysPerUserQuota": KEYS_PER_USER,
    "AssumeRolePolicySizeQuota": TRUST_MAX,
    "AttachedPoliciesPerGroupQuota": ATTACHED[Group][1],
    "AttachedPoliciesPerRoleQuota": ATTACHED[Role][1],
    "AttachedPoliciesPerUserQuota": ATTACHED[User][1],
    "GroupPolicySizeQuota": INLINE_MAX[Group],
    "GroupsPerUserQuota": GROUPS_PER_USER,
    "GroupsQuota": PER_ACCOUNT[Group][1],
    "InstanceProfilesQuota": PER_ACCOUNT[InstanceProfile][1],
    "PoliciesQuota": PER_ACCOUNT[ManagedPolicy][1],
    "PolicySizeQuota": MANAGED_MAX,
    "RolePolicySizeQuota": INLINE_MAX[Role],
    "RolesQuota": PER_ACCOUNT[Role][1],
    "UserPolicySizeQuota": INLINE_MAX[User],
    "UsersQuota": PER_ACCOUNT[User][1],
    "VersionsPerPolicyQuota": VERSIONS_MAX,
    # What is not offered is not there.
    "AccountMFAEnabled": 0,
    "AccountPasswordPresent": 0,
    "AccountSigningCertificatesPresent": 0,
    "MFADevices": 0,
    "MFADevicesInUse": 0,
    "Providers": 0,
    "ServerCertificates": 0,
}
"""Documented: IAM API reference, GetAccountSummary: the names."""
