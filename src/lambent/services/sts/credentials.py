"""Temporary credentials as answers hold them."""

from collections.abc import Mapping
from typing import Any

from lambent.access.secrets import Credentials
from lambent.protocol.timestamps import from_epoch
from lambent.services.sts.errors import ValidationError


def shown(issued: Credentials) -> dict[str, Any]:
    """Return credentials as the `Credentials` of an answer."""
    return {
        "AccessKeyId": issued.access_key,
        "SecretAccessKey": issued.secret_key,
        "SessionToken": issued.session_token,
        "Expiration": from_epoch(issued.expires_at),
    }


def refuse_token_size(request: Mapping[str, Any]) -> None:
    """
    Refuse a least size of the token.

    Documented: the service model: 0 is as good as nothing.
    """
    if request.get("MinimumSessionTokenSize"):
        raise ValidationError("MinimumSessionTokenSize is not offered by this version of Lambent")
