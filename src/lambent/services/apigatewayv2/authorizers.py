"""Authorizers: what decides who may use a route, by a token or by asking a function."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lambent.access.tokens import NOT_INSTALLED, is_installed
from lambent.clock import Clock
from lambent.domain.caller import Caller, Scope
from lambent.domain.http_api import Authorizer, JwtConfiguration, Route
from lambent.errors.api.apigatewayv2 import BadRequestException, ConflictException
from lambent.protocol.shapes.apigatewayv2 import (
    CreateAuthorizerRequest,
    DeleteAuthorizerRequest,
    GetAuthorizerRequest,
    GetAuthorizersRequest,
    UpdateAuthorizerRequest,
)
from lambent.services.apigatewayv2.deploying import redeploy
from lambent.services.apigatewayv2.identifiers import free_part_id
from lambent.services.apigatewayv2.integrations import check_role
from lambent.services.apigatewayv2.limits import AUDIENCES_MAX, AUTHORIZERS_MAX
from lambent.services.apigatewayv2.paging import requested_page
from lambent.services.apigatewayv2.refusals import check_lengths, existing_api, existing_part, full
from lambent.services.apigatewayv2.shown import authorizer_view, merged
from lambent.services.apigatewayv2.targets import is_function
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore

_SOURCE = re.compile(
    r"\$(?:request\.header\.[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}|request\.querystring\.[^\s,]{1,128}"
    r"|context\.[A-Za-z0-9_.]{1,128}|stageVariables\.[A-Za-z0-9_]{1,64})"
)
_TOKEN_SOURCE = re.compile(r"\$request\.(?:header|querystring)\.[^\s,]{1,128}")
# Documented: API Gateway developer guide, Lambda and JWT authorizers for HTTP APIs.

_SOURCES_MAX = 20
"""Assumed: a bound; AWS's quotas have none (test_http_api_config_authorizers)."""


class Authorizers:
    """The authorizers of HTTP APIs. See the API Gateway v2 API reference for each operation."""

    def __init__(self, store: FunctionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateAuthorizer")
    async def create(self, caller: Caller, request: CreateAuthorizerRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            others = await tx.http_apis.parts(Authorizer, api.api_id)
            if len(others) >= AUTHORIZERS_MAX:
                raise full("Authorizers", "this API")
            authorizer_id = await free_part_id(tx, Authorizer, api.api_id, self._clock)
            made = authorizer_of(caller.scope, authorizer_id, merged({}, request))
            _check_name(made, others)
            await tx.http_apis.save_part(api.api_id, made)
            await redeploy(tx, api, self._clock)
        return authorizer_view(made)

    @operation("GetAuthorizer")
    async def get(self, caller: Caller, request: GetAuthorizerRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as reading:
            api = await existing_api(reading, request["ApiId"])
            return authorizer_view(await existing_part(reading, Authorizer, api.api_id, request["AuthorizerId"]))

    @operation("GetAuthorizers")
    async def list(self, caller: Caller, request: GetAuthorizersRequest) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope) as reading:
            api = await existing_api(reading, request["ApiId"])
            found = await reading.http_apis.parts(Authorizer, api.api_id, after=page.after, limit=page.looked_at)
        return page.answer(found, lambda one: one.authorizer_id, authorizer_view)

    @operation("UpdateAuthorizer")
    async def update(self, caller: Caller, request: UpdateAuthorizerRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            before = await existing_part(tx, Authorizer, api.api_id, request["AuthorizerId"])
            if request.get("AuthorizerType", before.authorizer_type) == before.authorizer_type:
                members = merged(authorizer_view(before), request)
            else:
                # What belongs to the other type goes.
                members = merged({"Name": before.name, "IdentitySource": list(before.identity_source)}, request)
                for route in await tx.http_apis.parts(Route, api.api_id):
                    if route.authorizer_id == before.authorizer_id:
                        # Assumed: a route says itself of which type it is (test_http_api_config_authorizers).
                        raise ConflictException(
                            f"Cannot change the type of authorizer '{before.name}', is referenced in route: "
                            f"{route.route_key}"
                        )
            changed = authorizer_of(caller.scope, before.authorizer_id, members)
            _check_name(changed, await tx.http_apis.parts(Authorizer, api.api_id))
            await tx.http_apis.save_part(api.api_id, changed)
            await redeploy(tx, api, self._clock)
        return authorizer_view(changed)

    @operation("DeleteAuthorizer")
    async def delete(self, caller: Caller, request: DeleteAuthorizerRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            api = await existing_api(tx, request["ApiId"])
            gone = await existing_part(tx, Authorizer, api.api_id, request["AuthorizerId"])
            for route in await tx.http_apis.parts(Route, api.api_id):
                if route.authorizer_id == gone.authorizer_id:
                    # Observed: anomalyco/sst#5586.
                    raise ConflictException(
                        f"Cannot delete authorizer '{gone.name}', is referenced in route: {route.route_key}"
                    )
            await tx.http_apis.delete_part(Authorizer, api.api_id, gone.authorizer_id)
            await redeploy(tx, api, self._clock)
        return {}


def authorizer_of(scope: Scope, authorizer_id: str, members: Mapping[str, Any]) -> Authorizer:
    """
    Return what a whole set of members describes, by wire name.

    Raises:
        BadRequestException: it describes none, or one that is not offered.
    """
    check_lengths(
        members,
        {"Name": (1, 128), "AuthorizerUri": (1, 2048), "IdentityValidationExpression": (0, 1024)},
    )
    sources = tuple(members.get("IdentitySource") or ())
    if members["AuthorizerType"] == "JWT":
        return _jwt_authorizer(authorizer_id, members, sources)
    return _request_authorizer(scope, authorizer_id, members, sources)


# Assumed: the texts of all that follows (test_http_api_config_authorizers). Documented: API Gateway v2 API reference,
# Authorizer.


def _jwt_authorizer(authorizer_id: str, members: Mapping[str, Any], sources: tuple[str, ...]) -> Authorizer:
    if not is_installed():
        # Each request would be refused otherwise, and its client would not learn why.
        raise BadRequestException(NOT_INSTALLED)
    for member in ("AuthorizerUri", "AuthorizerPayloadFormatVersion", "EnableSimpleResponses",
                   "AuthorizerCredentialsArn", "AuthorizerResultTtlInSeconds"):  # fmt: skip
        if members.get(member):
            raise BadRequestException(f"{member[0].lower()}{member[1:]} is for REQUEST authorizers")
    if len(sources) != 1 or _TOKEN_SOURCE.fullmatch(sources[0]) is None:
        raise BadRequestException(
            "Invalid identitySource: a JWT authorizer has one, $request.header.name or $request.querystring.name"
        )
    given = members.get("JwtConfiguration") or {}
    issuer, audience = given.get("Issuer") or "", given.get("Audience") or []
    if not _is_issuer(issuer):
        raise BadRequestException("Invalid issuer: it must be a URL, as the iss claim of tokens has it")
    if not audience or len(audience) > AUDIENCES_MAX or not all(0 < len(one) <= 512 for one in audience):
        raise BadRequestException(f"Invalid audience: a JWT authorizer has 1 to {AUDIENCES_MAX}")
    return Authorizer(
        authorizer_id=authorizer_id,
        name=members["Name"],
        authorizer_type="JWT",
        identity_source=sources,
        jwt_configuration=JwtConfiguration(issuer, tuple(audience)),
        identity_validation_expression=members.get("IdentityValidationExpression"),
    )


def _request_authorizer(
    scope: Scope, authorizer_id: str, members: Mapping[str, Any], sources: tuple[str, ...]
) -> Authorizer:
    if members.get("JwtConfiguration"):
        raise BadRequestException("jwtConfiguration is for JWT authorizers")
    if not is_function(uri := members.get("AuthorizerUri", "")):
        raise BadRequestException("Invalid Authorizer URI: it must be the ARN of the invocation of a Lambda function")
    version = members.get("AuthorizerPayloadFormatVersion")
    if version not in {"1.0", "2.0"}:
        raise BadRequestException(
            "AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizers, one of [1.0, 2.0]"
        )
    is_simple = members.get("EnableSimpleResponses", False)
    if is_simple and version != "2.0":
        raise BadRequestException("enableSimpleResponses needs the authorizerPayloadFormatVersion 2.0")
    if len(sources) > _SOURCES_MAX or any(_SOURCE.fullmatch(source) is None for source in sources):
        raise BadRequestException(
            "Invalid identitySource: each must be $request.header.name, $request.querystring.name, $context.name or "
            "$stageVariables.name"
        )
    ttl_s = members.get("AuthorizerResultTtlInSeconds", 0)
    if ttl_s > 0 and not sources:
        raise BadRequestException("authorizerResultTtlInSeconds needs an identitySource")
    credentials = members.get("AuthorizerCredentialsArn")
    if credentials is not None:
        check_role(scope, "authorizerCredentialsArn", credentials)
    return Authorizer(
        authorizer_id=authorizer_id,
        name=members["Name"],
        authorizer_type="REQUEST",
        identity_source=sources,
        authorizer_uri=uri,
        authorizer_payload_format_version=version,
        enable_simple_responses=is_simple,
        authorizer_result_ttl_in_seconds=ttl_s,
        authorizer_credentials_arn=credentials,
        identity_validation_expression=members.get("IdentityValidationExpression"),
    )


def _is_issuer(text: str) -> bool:
    """
    Say whether a text can be an issuer.

    AWS takes https alone. People run issuers of their own beside this server, and tests do on loopback, where nobody
    has a certificate: http is as good there, and whoever makes the API says whom it trusts.
    """
    if not 1 <= len(text) <= 2048 or not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and not parts.query
        and not parts.fragment
    )


def _check_name(made: Authorizer, others: Any) -> None:
    if any(one.name == made.name and one.authorizer_id != made.authorizer_id for one in others):
        # Assumed: the text; aws/aws-cdk#13711 tells of the refusal.
        raise ConflictException(f"Authorizer name must be unique. Authorizer {made.name} already exists in this API.")
