"""The limits of one account in one region, at AWS's defaults."""

from collections.abc import Callable
from typing import Protocol

import msgspec


class Quotas(msgspec.Struct, frozen=True):
    """
    Limits that operations check. Sizes in bytes.

    Source: Lambda developer guide, quotas; GetAccountSettings.
    """

    code_zipped_max_bytes: int = 52_428_800
    code_unzipped_max_bytes: int = 262_144_000
    code_total_max_bytes: int = 80_530_636_800
    concurrent_executions: int = 1000
    """Executions at once, over all functions of the scope."""
    environment_max_bytes: int = 4096
    timeout_max_s: int = 900
    memory_max_mib: int = 10_240
    ephemeral_storage_max_mib: int = 10_240
    tags_max: int = 50
    invoke_payload_max_bytes: int = 6_291_456
    event_payload_max_bytes: int = 1_048_576
    """Documented: Lambda quotas, asynchronous payload, since October 2025."""
    invoke_async_payload_max_bytes: int = 262_144
    response_payload_max_bytes: int = 6_291_556
    """6 MiB and 100 bytes of slack. Observed: the text of Function.ResponseSizeTooLarge."""
    response_stream_max_bytes: int = 209_715_200
    """Documented: Lambda developer guide, response streaming: 200 MB."""
    client_context_max_bytes: int = 3_583
    create_request_max_bytes: int = 70_167_211
    """Observed: CreateFunction's own text for a body beyond it."""
    is_open: bool = True
    """Whether anything runs at all: nothing does in an account that was closed."""

    @property
    def unreserved_executions_min(self) -> int:
        """
        Executions that reservations must leave to the other functions.

        Documented: Lambda developer guide, configuring reserved concurrency: 100.
        Observed: awslabs/amazon-neptune-tools#324: accounts with a limit of 10 or 50 can reserve nothing.
        Assumed: where the operator made the limit small, a tenth of it serves better than that (test_concurrency).
        """
        return min(100, self.concurrent_executions // 10)

    async def of(self, account: str) -> "Quotas":
        """Return itself: the same limits for every account."""
        return self

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Do nothing: they never change."""


class AccountQuotas(Protocol):
    """The limits of accounts, which may differ."""

    async def of(self, account: str) -> Quotas:
        """Return the limits of an account: the server's own where the operator gave it none."""
        ...

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Call back, on the event loop, with the number of each account whose limits may have changed."""
        ...
