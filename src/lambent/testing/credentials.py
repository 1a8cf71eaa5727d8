"""Credentials of functions whose roles are nowhere."""

from lambent.access.function_credentials import FunctionCredentials
from lambent.access.secrets import Secrets
from lambent.clock import Clock

SECRETS = Secrets(bytes(32))
"""What opens them."""


def function_credentials(clock: Clock, *, lasts_s: float = 3_600) -> FunctionCredentials:
    """Return what gives environments theirs."""
    return FunctionCredentials(SECRETS, _no_role, clock, lasts_s=lasts_s)


async def _no_role(account: str, role_arn: str) -> str | None:
    return None
