"""The one step that decides whether a caller may act."""

from lambent.domain.caller import Caller


async def authorize(caller: Caller, action: str, resource: str) -> None:
    """
    Refuse what the caller may not do.

    Every request passes here before its handler runs. This version verifies no signatures and knows no
    policies, so it lets everything through; that is why `serve` refuses to bind anything but loopback
    without `--insecure` (docs/adr/0009-scope-and-caller.md).

    Args:
        caller: who asks.
        action: for instance `lambda:CreateFunction`.
        resource: the ARN acted upon, or `*`.

    Raises:
        AccessDeniedException: the caller may not.
    """
