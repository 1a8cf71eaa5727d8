"""What an account may use, and uses."""

from collections.abc import Mapping
from typing import Any

from lambent.domain.caller import Caller
from lambent.domain.concurrency import unreserved_executions
from lambent.domain.quotas import AccountQuotas
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore


class AccountSettings:
    """GetAccountSettings."""

    def __init__(self, store: FunctionStore, quotas: AccountQuotas) -> None:
        self._store = store
        self._quotas = quotas

    @operation("GetAccountSettings")
    async def get(self, caller: Caller, request: Mapping[str, Any]) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as reading:
            usage = await reading.usage()
            claims = await reading.claims()
        quotas = await self._quotas.of(caller.scope.account)
        # Documented: what PutFunctionConcurrency reserves is not unreserved. Assumed: nor is what is provisioned, which
        # AWS's refusals count against "account's unreserved concurrency" (test_provisioned_concurrency).
        return {
            "AccountLimit": {
                "TotalCodeSize": quotas.code_total_max_bytes,
                "CodeSizeUnzipped": quotas.code_unzipped_max_bytes,
                "CodeSizeZipped": quotas.code_zipped_max_bytes,
                "ConcurrentExecutions": quotas.concurrent_executions,
                "UnreservedConcurrentExecutions": unreserved_executions(claims.kept_aside_by_all(), quotas),
            },
            "AccountUsage": {"TotalCodeSize": usage.code_bytes, "FunctionCount": usage.function_count},
        }
