"""
What an OpenAPI 3.0 definition says of an HTTP API: its routes, integrations, authorizers, CORS and tags. Pure.

Documented: API Gateway developer guide, OpenAPI definitions for HTTP APIs and OpenAPI extensions. Assumed: the words of
warnings (test_openapi_import).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from lambent.domain.http_api import AWS_IAM, DEFAULT_ROUTE
from lambent.domain.http_routes import METHODS
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2.limits import AUTHORIZERS_MAX, INTEGRATIONS_MAX, ROUTES_MAX
from lambent.services.apigatewayv2.openapi_text import as_text, unreadable
from lambent.services.apigatewayv2.refusals import full

PREFIX = "x-amazon-apigateway-"
ANY_METHOD = f"{PREFIX}any-method"
INTEGRATION = f"{PREFIX}integration"
INTEGRATIONS = f"{PREFIX}integrations"
AUTH = f"{PREFIX}auth"
AUTHORIZER = f"{PREFIX}authorizer"
AUTHTYPE = f"{PREFIX}authtype"
CORS = f"{PREFIX}cors"
ENDPOINT = f"{PREFIX}endpoint-configuration"
TAG_VALUE = f"{PREFIX}tag-value"
VERSION = f"{PREFIX}importexport-version"

SIGNED = "awsSigv4"
"""What a security scheme has as its type that stands for signatures."""

EXPORTED_WITHOUT_VERSION = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dUTC")
"""What an export has in the place of the version that an API has not; see `openapi_export`."""

INTEGRATION_MEMBERS = {
    "type": "IntegrationType",
    "uri": "IntegrationUri",
    "httpMethod": "IntegrationMethod",
    "payloadFormatVersion": "PayloadFormatVersion",
    "credentials": "CredentialsArn",
    "description": "Description",
    "connectionType": "ConnectionType",
    "connectionId": "ConnectionId",
    "timeoutInMillis": "TimeoutInMillis",
    "requestParameters": "RequestParameters",
    "responseParameters": "ResponseParameters",
    "integrationSubtype": "IntegrationSubtype",
    "tlsConfig": "TlsConfig",
}
"""Member of the extension to that of the API."""

AUTHORIZER_MEMBERS = {
    "authorizerUri": "AuthorizerUri",
    "authorizerCredentials": "AuthorizerCredentialsArn",
    "authorizerPayloadFormatVersion": "AuthorizerPayloadFormatVersion",
    "authorizerResultTtlInSeconds": "AuthorizerResultTtlInSeconds",
    "enableSimpleResponses": "EnableSimpleResponses",
    "identityValidationExpression": "IdentityValidationExpression",
}

_OF_REST_APIS = frozenset(
    {
        "cacheKeyParameters",
        "cacheNamespace",
        "contentHandling",
        "passthroughBehavior",
        "requestTemplates",
        "responses",
    }
)
"""Members of an integration that HTTP APIs have no use for."""

_ROOT = frozenset({CORS, ENDPOINT, VERSION})

_TOLD_MAX = 100
_TOLD_LENGTH_MAX = 300
"""How many warnings, and how many infos, an API keeps, and how long each is."""

_PATH_MAX = 512
"""What a route key may have."""
_URL_MAX = 2_048
_VARIABLE = re.compile(r"\{([^{}]*)\}")

_NOBODY = "NONE"
"""
A scheme that need not be there. Observed: aws/serverless-application-model, samtranslator/open_api/open_api.py, which
writes it for a function whose authorizer is NONE.
"""

_REQUIREMENTS_MAX = 100
"""Security schemes that one operation names. Those of the root are gone through for each operation."""
_WELL_KNOWN = "/.well-known/openid-configuration"


class ImportedRoute(msgspec.Struct, frozen=True):
    """A route, with what it needs by name."""

    key: str
    integration: str | None
    """Where its integration stands: a name of `Imported.integrations`."""
    authorizer: str | None
    scopes: tuple[str, ...]
    operation_name: str | None
    is_signed: bool = False
    """Whether it is of AWS_IAM; then it has no authorizer."""


class _Security(NamedTuple):
    """Who may use a route: whoever its authorizer, by name, lets in, or who signs; else everybody."""

    authorizer: str | None = None
    scopes: tuple[str, ...] = ()
    is_signed: bool = False


class Imported(msgspec.Struct):
    """What a definition says."""

    name: str
    version: str | None = None
    description: str | None = None
    cors: Mapping[str, Any] | None = None
    disable_execute_api_endpoint: bool = False
    tags: dict[str, str] = {}
    routes: list[ImportedRoute] = []
    integrations: dict[str, dict[str, Any]] = {}
    """Members by wire name, by where they stand in the definition."""
    authorizers: dict[str, dict[str, Any]] = {}
    """Members by wire name, by name."""
    warnings: list[str] = []
    infos: list[str] = []
    """What was left out, since HTTP APIs have no such thing."""


def read_api(definition: Mapping[str, Any], base_path: str) -> Imported:
    """
    Return what a definition says.

    Args:
        base_path: what becomes of the path of the first server: `ignore`, `prepend` or `split`.

    Raises:
        BadRequestException: it is no definition of OpenAPI 3.0, or asks for what is not offered.
        TooManyRequestsException: it has more of something than an API may have.
    """
    return _Reader(definition, base_path).read()


def read_cors(given: Any) -> dict[str, Any] | None:
    """Return the members of a CORS extension by wire name; None where it has another form."""
    if not isinstance(given, dict):
        return None
    cors: dict[str, Any] = {}
    for name in ("allowHeaders", "allowMethods", "allowOrigins", "exposeHeaders"):
        value = given.get(name)
        if value is None:
            continue
        # Documented: lists; one text alone is taken as well.
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            return None
        cors[name[0].upper() + name[1:]] = items
    if (credentials := given.get("allowCredentials")) is not None:
        if not isinstance(credentials, bool):
            return None
        cors["AllowCredentials"] = credentials
    if (max_age := given.get("maxAge")) is not None:
        if isinstance(max_age, bool) or not isinstance(max_age, int) or not -1 <= max_age <= 86_400:
            return None
        cors["MaxAge"] = max_age
    return cors


class _Reader:
    def __init__(self, definition: Mapping[str, Any], base_path: str) -> None:
        self._definition = definition
        self._base_path = base_path
        self._components = _object(definition.get("components"))
        self._schemes = {
            as_text(name) or "": scheme for name, scheme in _object(self._components.get("securitySchemes")).items()
        }
        self._base: str | None = None
        """What stands before each path; None: not looked at yet."""
        self._made = Imported(name="")

    def read(self) -> Imported:
        made, definition = self._made, self._definition
        if not (as_text(definition.get("openapi")) or "").startswith("3.0"):
            # Observed: api-platform/core#3462. Documented: HTTP APIs take OpenAPI 3.0 alone.
            raise unreadable("Unable to determine OAS version: HTTP APIs need openapi: 3.0.x")
        if (version := as_text(definition.get(VERSION, "1.0"))) != "1.0":
            raise BadRequestException(f"Invalid {VERSION} {version}: it must be 1.0")
        self._read_info()
        self._read_root()
        for name, scheme in self._schemes.items():
            self._read_scheme(name, _object(scheme))
        for path, item in _object(definition.get("paths")).items():
            self._read_path(as_text(path) or "", item)
        if not made.routes:
            self._warn("The definition has no paths with operations: the API has no routes")
        return made

    def _read_info(self) -> None:
        info = _object(self._definition.get("info"))
        self._made.name = as_text(info.get("title")) or ""
        if not 1 <= len(self._made.name) <= 128:
            raise BadRequestException("Invalid info.title: it must have 1 to 128 characters")
        version = as_text(info.get("version"))
        if version and EXPORTED_WITHOUT_VERSION.fullmatch(version) is None:
            if len(version) > 64:
                raise BadRequestException("Invalid info.version: it must have 1 to 64 characters")
            self._made.version = version
        description = as_text(info.get("description"))
        if description and len(description) > 1024:
            raise BadRequestException("Invalid info.description: it must have up to 1024 characters")
        self._made.description = description or None

    def _read_root(self) -> None:
        made, definition = self._made, self._definition
        if CORS in definition:
            made.cors = read_cors(definition[CORS])
            if made.cors is None:
                self._warn("CORS Scheme is malformed, ignoring.")
        # Documented: API Gateway developer guide, x-amazon-apigateway-endpoint-configuration: in OpenAPI 3.0 it stands
        # at a server. Assumed: at the root, where OpenAPI 2.0 has it, it is meant as well (test_openapi_import).
        places = [definition, *map(_object, _list(definition.get("servers")))]
        made.disable_execute_api_endpoint = any(_is_endpoint_disabled(place) for place in places)
        for tag in _list(definition.get("tags")):
            name, value = as_text(_object(tag).get("name")), as_text(_object(tag).get(TAG_VALUE))
            # One without a value groups operations, and is no tag of the API.
            if name and value is not None:
                made.tags[name] = value
        names = (as_text(name) or "" for name in definition)
        ignored = [name for name in names if name.startswith("x-amazon-apigateway") and name not in _ROOT]
        if _object(self._components.get("schemas")):
            ignored.append("components.schemas")
        self._inform(f"{name} is not used by HTTP APIs, ignoring." for name in ignored)

    def _read_scheme(self, name: str, scheme: Mapping[str, Any]) -> None:
        if AUTHORIZER not in scheme:
            return
        given = scheme[AUTHORIZER]
        if not isinstance(given, dict):
            # Left out, it would leave open what it is for.
            raise BadRequestException(f"Invalid {AUTHORIZER} of the security scheme {name}: it must be an object")
        if len(self._made.authorizers) >= AUTHORIZERS_MAX:
            raise full("Authorizers", "this API")
        kind = (as_text(given.get("type")) or "").lower()
        members: dict[str, Any] = {"Name": name}
        source = given.get("identitySource")
        if source is not None:
            # Documented: a comma-separated list.
            texts = source.split(",") if isinstance(source, str) else _list(source)
            members["IdentitySource"] = [text.strip() for text in texts if isinstance(text, str) and text.strip()]
        if kind == "jwt":
            jwt = _object(given.get("jwtConfiguration"))
            issuer = jwt.get("issuer")
            if issuer is None and isinstance(discovery := scheme.get("openIdConnectUrl"), str):
                issuer = discovery.removesuffix(_WELL_KNOWN)
            audience = jwt.get("audience")
            members |= {
                "AuthorizerType": "JWT",
                "JwtConfiguration": {
                    "Issuer": issuer if isinstance(issuer, str) else "",
                    "Audience": [audience] if isinstance(audience, str) else _texts(audience),
                },
            }
        elif kind == "request":
            members["AuthorizerType"] = "REQUEST"
            members |= self._members(given, AUTHORIZER_MEMBERS, f"securitySchemes.{name}")
        else:
            raise BadRequestException(
                f"Invalid {AUTHORIZER} of the security scheme {name}: the type must be jwt or request"
            )
        self._made.authorizers[name] = members

    def _read_path(self, path: str, given: Any) -> None:
        item = _object(given)
        if len(path) > _PATH_MAX:
            raise BadRequestException(f"Invalid path {path[:80]}...: it must have up to {_PATH_MAX} characters")
        if "$ref" in item:
            self._warn(f"Unable to resolve the $ref of the path {path}, ignoring.")
        for spelled, operation in item.items():
            name = as_text(spelled) or ""
            method = "ANY" if name == ANY_METHOD else name.upper()
            if name != ANY_METHOD and method not in METHODS:
                if method == "TRACE":
                    self._warn(f"HTTP APIs have no TRACE {path}, ignoring.")
                continue
            if name == method:
                # Operations are spelled in lower case: this is something else.
                continue
            if path.removeprefix("/") == DEFAULT_ROUTE:
                if path == DEFAULT_ROUTE:
                    # Observed: aws/serverless-application-model, which writes it so, and a comment there has the words.
                    self._warn("Parse issue: attribute paths. Resource $default should start with /")
                if method != "ANY":
                    self._warn(f"The path /{DEFAULT_ROUTE} has {ANY_METHOD} alone, ignoring {name}.")
                    continue
                key = DEFAULT_ROUTE
            else:
                key = f"{method} {self._placed(path)}"
            self._read_operation(key, f"paths.{path}.{name}", _object(operation))

    def _read_operation(self, key: str, where: str, operation: Mapping[str, Any]) -> None:
        if len(self._made.routes) >= ROUTES_MAX:
            raise full("Routes", "this API")
        security = self._security(key, operation)
        name = operation.get("operationId")
        self._made.routes.append(
            ImportedRoute(
                key=key,
                integration=self._integration(key, where, operation),
                authorizer=security.authorizer,
                scopes=security.scopes,
                is_signed=security.is_signed,
                # Assumed: one that is too long for a name is none (test_openapi_import).
                operation_name=name if isinstance(name, str) and 1 <= len(name) <= 64 else None,
            )
        )

    def _integration(self, key: str, where: str, operation: Mapping[str, Any]) -> str | None:
        """Return the name of the integration of an operation, which is read where it was not."""
        given = operation.get(INTEGRATION)
        if not isinstance(given, dict):
            self._warn(f"The route {key} has no {INTEGRATION}: it answers nothing.")
            return None
        place = where
        if "$ref" in given:
            prefix = f"#/components/{INTEGRATIONS}/"
            reference = as_text(given["$ref"]) or ""
            place = reference.removeprefix(prefix)
            found = _object(self._components.get(INTEGRATIONS)).get(place)
            if not reference.startswith(prefix) or not isinstance(found, dict):
                raise BadRequestException(f"Unable to resolve the reference {reference[:300]} of {where}")
            given, place = found, reference
        if place not in self._made.integrations:
            if len(self._made.integrations) >= INTEGRATIONS_MAX:
                raise full("Integrations", "this API")
            self._made.integrations[place] = self._integration_members(given, place)
        return place

    def _integration_members(self, given: Mapping[str, Any], where: str) -> dict[str, Any]:
        members = self._members(given, INTEGRATION_MEMBERS, where)
        kind = members.get("IntegrationType")
        members["IntegrationType"] = kind.upper() if isinstance(kind, str) else ""
        if isinstance(method := members.get("IntegrationMethod"), str):
            members["IntegrationMethod"] = "ANY" if method == ANY_METHOD else method.upper()
        self._inform(
            f"{name} of {where} is not used by HTTP APIs, ignoring." for name in given if name in _OF_REST_APIS
        )
        return members

    def _members(self, given: Mapping[str, Any], names: Mapping[str, str], where: str) -> dict[str, Any]:
        """
        Return members by wire name, of the types that the API has.

        Raises:
            BadRequestException: one is of another.
        """
        members: dict[str, Any] = {}
        for name, member in names.items():
            value = given.get(name)
            if value is None:
                continue
            converted = _converted(member, value)
            if converted is None:
                raise BadRequestException(f"Invalid {name} of {where}: it has another form")
            members[member] = converted
        return members

    def _security(self, key: str, operation: Mapping[str, Any]) -> _Security:
        """
        Return who may use a route.

        Raises:
            BadRequestException: that cannot be told: left out, it would leave the route open.
        """
        if AUTH in operation:
            auth = (as_text(_object(operation[AUTH]).get("type")) or "").upper()
            if auth == "NONE":
                return _Security()
            if auth == AWS_IAM:
                return _Security(is_signed=True)
            raise BadRequestException(f"Invalid {AUTH} of {key}: the type must be NONE or AWS_IAM")
        chosen: _Security | None = None
        for name, scopes in self._requirements(key, operation):
            scheme = self._schemes.get(name)
            if name == _NOBODY and scheme is None:
                continue
            if not isinstance(scheme, dict) or "$ref" in scheme:
                raise BadRequestException(f"The security scheme {name[:80]} of {key} is not among those of components")
            is_signed = (as_text(scheme.get(AUTHTYPE)) or "").lower() == SIGNED.lower()
            if not is_signed and name not in self._made.authorizers:
                self._warn(f"The security scheme {name} of {key} has no {AUTHORIZER}: nobody is asked for it.")
            elif chosen is not None:
                self._warn(f"The route {key} can have one authorizer, ignoring {name}.")
            else:
                chosen = _Security(is_signed=True) if is_signed else _Security(name, scopes)
        if chosen is None:
            return _Security()
        if chosen.scopes and self._made.authorizers[chosen.authorizer or ""]["AuthorizerType"] != "JWT":
            self._warn(f"Scopes of {key} are for JWT authorizers, ignoring.")
            return _Security(chosen.authorizer)
        return chosen

    def _requirements(self, key: str, operation: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the security schemes that an operation names, with their scopes."""
        # Documented: an operation's own takes the place of the root's, an empty one as well. One that is null is none.
        wanted = operation.get("security")
        if wanted is None:
            wanted = self._definition.get("security") or []
        malformed = BadRequestException(
            f"Invalid security of {key}: it must be a list of objects, of a security scheme to a list of scopes"
        )
        if not isinstance(wanted, list):
            raise malformed
        count = 0
        for requirement in wanted:
            if not isinstance(requirement, dict):
                raise malformed
            for name, given in requirement.items():
                scopes = [] if given is None else given
                if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
                    raise malformed
                count += 1
                if count > _REQUIREMENTS_MAX or len(scopes) > _REQUIREMENTS_MAX:
                    raise BadRequestException(f"Invalid security of {key}: it names more than {_REQUIREMENTS_MAX}")
                yield as_text(name) or "", tuple(scopes)

    def _warn(self, text: str) -> None:
        _tell(self._made.warnings, text)

    def _inform(self, texts: Iterator[str]) -> None:
        for text in texts:
            _tell(self._made.infos, text)

    def _placed(self, path: str) -> str:
        """Return a path with what is to stand before it."""
        if self._base_path == "ignore":
            return path
        if self._base is None:
            base = [segment for segment in self._server_path().split("/") if segment]
            self._base = "".join(f"/{segment}" for segment in (base[1:] if self._base_path == "split" else base))
        whole = self._base + path
        return whole if whole == "/" else whole.removesuffix("/")

    def _server_path(self) -> str:
        """
        Return the path of the first server. Documented: or its variable `basePath`.

        Raises:
            BadRequestException: its URL is none.
        """
        server = _object(next(iter(_list(self._definition.get("servers"))), None))
        variables = _object(server.get("variables"))

        def value_of(name: str) -> str | None:
            value = as_text(_object(variables.get(name)).get("default"))
            return value if value is None else value[: _PATH_MAX + 1]

        if (base := value_of("basePath")) is not None:
            path = base
        else:
            url = as_text(server.get("url")) or ""
            if len(url) > _URL_MAX:
                raise _malformed_url(url)
            # In one go: what a variable stands for is no place for another.
            url = _VARIABLE.sub(lambda found: found[0] if (value := value_of(found[1])) is None else value, url)
            try:
                path = urlsplit(url).path
            except ValueError:
                raise _malformed_url(url) from None
        if len(path) > _PATH_MAX:
            raise _malformed_url(path)
        return path


def _malformed_url(url: str) -> BadRequestException:
    return BadRequestException(f"Invalid URL of the first server: {url[:300]}")


def _is_endpoint_disabled(place: Mapping[str, Any]) -> bool:
    given = place.get(ENDPOINT, {})
    # What is no object says nothing that could be understood.
    wanted = given.get("disableExecuteApiEndpoint") if isinstance(given, dict) else ""
    said = "false" if wanted is None else as_text(wanted)
    if said not in {"true", "false"}:
        # Left out, it would leave open what is to be closed.
        raise BadRequestException(f"Invalid {ENDPOINT}: disableExecuteApiEndpoint must be true or false")
    return said == "true"


def _converted(member: str, value: Any) -> Any:
    """Return a value in its member's type; None where it is of none."""
    if member in {"TimeoutInMillis", "AuthorizerResultTtlInSeconds"}:
        least, most = (50, 30_000) if member == "TimeoutInMillis" else (0, 3_600)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
            value = int(value)
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return value if is_number and least <= value <= most else None
    if member == "EnableSimpleResponses":
        return value if isinstance(value, bool) else None
    if member == "TlsConfig":
        return value if isinstance(value, dict) else None
    if member == "RequestParameters":
        return dict(_parameters(value)) if isinstance(value, dict) else None
    if member == "ResponseParameters":
        if not isinstance(value, dict) or not all(isinstance(steps, dict) for steps in value.values()):
            return None
        # A status may be a number in YAML.
        return {as_text(status) or "": dict(_parameters(steps)) for status, steps in value.items()}
    return as_text(value)


def _parameters(given: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        yield as_text(name) or "", as_text(value) or ""


def _tell(told: list[str], text: str) -> None:
    if len(told) < _TOLD_MAX:
        told.append(text[:_TOLD_LENGTH_MAX])
    elif len(told) == _TOLD_MAX:
        told.append("There are more, which are left out.")


def _object(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [item for item in _list(value) if isinstance(item, str)]
