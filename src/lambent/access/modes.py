"""How far policies count: the setting `--iam`, and what it makes of the authorizer."""

import logging
from typing import Literal, TypeAlias, cast

from lambent.access.audit import Audit
from lambent.access.authorize import Authorizer, Everything, Policed
from lambent.access.identities import Identities
from lambent.clock import Clock

_log = logging.getLogger("lambent.access")


IamMode: TypeAlias = Literal["off", "audit", "enforce"]
"""What policies do: nothing, say in the log what they would deny, or decide."""


def iam_mode(setting: str, *, is_verified: bool) -> IamMode:
    """
    Return what policies do.

    Args:
        setting: one of these, or `auto`.
        is_verified: whether signatures are: a policy for whoever says to be somebody keeps nobody out.
    """
    if setting == "auto":
        return "enforce" if is_verified else "off"
    return cast("IamMode", setting)


def make_authorizer(
    mode: IamMode, identities: Identities, audit: Audit, clock: Clock, *, is_verified: bool
) -> Authorizer:
    """
    Return what decides, in a mode that `iam_mode` gave.

    Where signatures are not verified, a line of the log says what policies are good for there.
    """
    if mode == "off":
        return Everything()
    if not is_verified:
        _log.warning(
            "access.unverified iam=%s meaning=%s", mode,
            "keys are not verified: any that is not known is root of its account, whom policies do not bind",
        )  # fmt: skip
    return Policed(identities, clock, audit if mode == "audit" else None)
