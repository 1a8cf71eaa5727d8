"""CORS configurations: what may be one. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from lambent.domain.http_api import ApiCors
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2.limits import CORS_ITEMS_MAX

_LISTS = ("AllowHeaders", "AllowMethods", "AllowOrigins", "ExposeHeaders")
_METHODS = frozenset({"*", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:\*|[^/?#@*\\ ]+)")
"""
Scheme and host, with a port or without, or all with a scheme. Source: RFC 6454, section 6.2: an origin has no path.
Assumed: a star does not stand for a part of a host (test_cors).
"""
_ITEM_MAX = 512
_LIST_MAX = 8_192
"""Characters of one list. Assumed: clients read no longer header, which an answer has for a list (test_cors)."""


def parse_cors(given: Mapping[str, Any]) -> ApiCors | None:
    """
    Return a configuration as a value; None where it configures nothing.

    Raises:
        BadRequestException: it has something that no browser could be told.
    """
    if not given:
        return None
    lists = {member: given.get(member) for member in _LISTS}
    for member, items in lists.items():
        _check_items(member[0].lower() + member[1:], items or ())
    # Assumed: the texts (test_http_api_config). Documented: API Gateway developer guide, configuring CORS for HTTP
    # APIs: which methods there are; origins begin with a scheme.
    for method in lists["AllowMethods"] or ():
        # Observed: hashicorp/terraform-provider-aws, internal/service/apigatewayv2/api_test.go: in lower case, too.
        if method.upper() not in _METHODS:
            raise BadRequestException(f"Invalid allowMethods: '{method}' is none of {', '.join(sorted(_METHODS))}")
    for origin in lists["AllowOrigins"] or ():
        # One that no browser says it is would be kept and never count.
        if origin != "*" and _ORIGIN.fullmatch(origin) is None:
            raise BadRequestException(f"Invalid format for origin {origin}")
    if given.get("AllowCredentials") and "*" in (lists["AllowOrigins"] or ()):
        # Source: Fetch standard, CORS protocol and credentials: a browser refuses the pair.
        raise BadRequestException("allowCredentials cannot be true when allowOrigins has *")
    return ApiCors(
        allow_credentials=given.get("AllowCredentials"),
        allow_headers=_tuple(lists["AllowHeaders"]),
        allow_methods=_tuple(lists["AllowMethods"]),
        allow_origins=_tuple(lists["AllowOrigins"]),
        expose_headers=_tuple(lists["ExposeHeaders"]),
        max_age=given.get("MaxAge"),
    )


def _check_items(member: str, items: Any) -> None:
    if len(items) > CORS_ITEMS_MAX:
        raise BadRequestException(f"Invalid {member}: there may be {CORS_ITEMS_MAX}")
    if sum(map(len, items)) > _LIST_MAX:
        raise BadRequestException(f"Invalid {member}: all of it may have {_LIST_MAX} characters")
    for item in items:
        if not item or len(item) > _ITEM_MAX or not item.isascii() or not item.isprintable() or "," in item:
            raise BadRequestException(f"Invalid {member}: each must be text that a header can hold, without commas")


def _tuple(items: list[str] | None) -> tuple[str, ...] | None:
    return None if items is None else tuple(items)
