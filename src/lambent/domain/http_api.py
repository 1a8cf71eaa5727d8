"""
HTTP APIs of API Gateway: an API with its routes, integrations, authorizers, stages and deployments, and custom domains.

The values are spelled as AWS spells them where they are stored (`rename="camel"`). Pure.

Source: API Gateway v2 API reference; API Gateway developer guide, HTTP APIs.
"""

import re
from typing import Any, ClassVar, NamedTuple

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.cors import Cors
from lambent.domain.function_url import UrlDomain

DEFAULT_STAGE = "$default"
AWS_IAM = "AWS_IAM"

CALLERS_CREDENTIALS = "arn:aws:iam::*:user/*"
"""
In the place of a role: an integration's function is invoked with the rights of whoever signed the request. Documented:
API Gateway v2 API reference, CreateIntegration, credentialsArn.
"""
DEFAULT_ROUTE = "$default"

_HOST = re.compile(r"([a-z0-9]{1,63})\.execute-api\.([a-z0-9-]{1,63})\.([a-z0-9.-]+?)(?::[0-9]{1,5})?")


class _Stored(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    pass


class ApiCors(_Stored, frozen=True, rename="camel", omit_defaults=True):
    """Which pages of other origins may use an API. None is what nobody set."""

    allow_credentials: bool | None = None
    allow_headers: tuple[str, ...] | None = None
    allow_methods: tuple[str, ...] | None = None
    allow_origins: tuple[str, ...] | None = None
    expose_headers: tuple[str, ...] | None = None
    max_age: int | None = None
    """Seconds."""

    def rules(self) -> Cors:
        """Return what follows for answers."""
        return Cors(
            allow_credentials=self.allow_credentials,
            allow_headers=self.allow_headers or (),
            # Browsers compare them as they are, and send all of these in upper case. Source: Fetch standard, methods.
            allow_methods=tuple(method.upper() for method in self.allow_methods or ()),
            allow_origins=self.allow_origins or (),
            expose_headers=self.expose_headers or (),
            max_age_s=self.max_age,
        )


class HttpApi(_Stored, frozen=True, rename="camel", omit_defaults=True):
    """One HTTP API."""

    scope: Scope
    api_id: str
    """Ten lower-case letters and digits, unique over all scopes."""
    name: str
    created: float
    """Seconds since the epoch."""
    description: str | None = None
    version: str | None = None
    cors: ApiCors | None = None
    disable_execute_api_endpoint: bool = False
    """Whether it answers under custom domains alone."""
    ip_address_type: str = "ipv4"
    tags: dict[str, str] = {}
    import_info: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def arn(self) -> str:
        return f"arn:aws:apigateway:{self.scope.region}::/apis/{self.api_id}"

    def host(self, domain: UrlDomain) -> str:
        return f"{self.api_id}.execute-api.{self.scope.region}.{domain.name}"

    def endpoint(self, domain: UrlDomain) -> str:
        """Return where the API answers, without a slash at the end."""
        return f"{domain.scheme}://{self.host(domain)}{domain.port}"


class Part(_Stored, frozen=True, rename="camel", omit_defaults=True):
    """What an API consists of. Each kind has ids of its own within its API."""

    kind: ClassVar[str]

    @property
    def part_id(self) -> str:
        raise NotImplementedError

    @property
    def key(self) -> str:
        """What is unique in its API beside the id."""
        return self.part_id


class Route(Part, frozen=True, rename="camel", omit_defaults=True):
    """Which requests go where."""

    kind: ClassVar[str] = "route"

    route_id: str
    route_key: str
    """For instance `GET /items/{id}`, `ANY /{proxy+}`, `$default`."""
    target: str | None = None
    """`integrations/<id>`."""
    authorization_type: str = "NONE"
    """`NONE`, `JWT`, `CUSTOM` or `AWS_IAM`."""
    authorizer_id: str | None = None
    authorization_scopes: tuple[str, ...] | None = None
    operation_name: str | None = None
    api_gateway_managed: bool = False
    """Made by quick create."""

    @property
    def part_id(self) -> str:
        return self.route_id

    @property
    def key(self) -> str:
        return self.route_key

    @property
    def integration_id(self) -> str | None:
        return None if self.target is None else self.target.removeprefix("integrations/")


class Integration(Part, frozen=True, rename="camel", omit_defaults=True):
    """What answers."""

    kind: ClassVar[str] = "integration"

    integration_id: str
    integration_type: str
    """`AWS_PROXY`: a function; `HTTP_PROXY`: another HTTP server."""
    integration_uri: str
    """As it was given: a function's ARN, that of its invocation, or a URL; `${stageVariables.x}` in it."""
    integration_method: str | None = None
    payload_format_version: str = "1.0"
    connection_type: str = "INTERNET"
    credentials_arn: str | None = None
    description: str | None = None
    timeout_in_millis: int = 30_000
    request_parameters: dict[str, str] | None = None
    """Source: API Gateway developer guide, parameter mapping."""
    response_parameters: dict[str, dict[str, str]] | None = None
    """By status."""
    tls_config: dict[str, Any] | None = None
    api_gateway_managed: bool = False

    @property
    def part_id(self) -> str:
        return self.integration_id

    @property
    def is_function(self) -> bool:
        return self.integration_type == "AWS_PROXY"


class JwtConfiguration(_Stored, frozen=True, rename="camel", omit_defaults=True):
    """Whose tokens count."""

    issuer: str
    audience: tuple[str, ...] = ()


class Authorizer(Part, frozen=True, rename="camel", omit_defaults=True):
    """What decides who may use a route."""

    kind: ClassVar[str] = "authorizer"

    authorizer_id: str
    name: str
    authorizer_type: str
    """`JWT` or `REQUEST`, which is a function."""
    identity_source: tuple[str, ...] = ()
    """For instance `$request.header.Authorization`."""
    jwt_configuration: JwtConfiguration | None = None
    authorizer_uri: str | None = None
    authorizer_payload_format_version: str = "1.0"
    enable_simple_responses: bool = False
    authorizer_result_ttl_in_seconds: int = 0
    authorizer_credentials_arn: str | None = None
    identity_validation_expression: str | None = None

    @property
    def part_id(self) -> str:
        return self.authorizer_id


class RouteSettings(_Stored, frozen=True, rename="camel", omit_defaults=True):
    """Limits of one route of a stage, or of all that have none of their own."""

    throttling_burst_limit: int | None = None
    throttling_rate_limit: float | None = None
    """Requests in a second."""
    detailed_metrics_enabled: bool | None = None


class AccessLogSettings(_Stored, frozen=True, rename="camel", omit_defaults=True):
    """Where a line for each request goes, and what it says."""

    destination_arn: str
    """A log group's."""
    format: str


class Stage(Part, frozen=True, rename="camel", omit_defaults=True):
    """A name under which a deployment is served."""

    kind: ClassVar[str] = "stage"

    stage_name: str
    created: float
    last_updated: float
    deployment_id: str | None = None
    """What it serves; None: nothing yet."""
    auto_deploy: bool = False
    description: str | None = None
    stage_variables: dict[str, str] = {}
    default_route_settings: RouteSettings = RouteSettings()
    route_settings: dict[str, RouteSettings] = {}
    """By route key."""
    access_log_settings: AccessLogSettings | None = None
    tags: dict[str, str] = {}
    last_deployment_status_message: str | None = None
    api_gateway_managed: bool = False

    @property
    def part_id(self) -> str:
        return self.stage_name

    def settings_of(self, route_key: str) -> RouteSettings:
        """Return a route's settings: its own, and the stage's where it has none."""
        own, default = self.route_settings.get(route_key), self.default_route_settings
        if own is None:
            return default
        return RouteSettings(
            default.throttling_burst_limit if own.throttling_burst_limit is None else own.throttling_burst_limit,
            default.throttling_rate_limit if own.throttling_rate_limit is None else own.throttling_rate_limit,
            default.detailed_metrics_enabled if own.detailed_metrics_enabled is None else own.detailed_metrics_enabled,
        )


class Deployment(Part, frozen=True, rename="camel", omit_defaults=True):
    """An API as it was at one moment; what it was is its `DeployedApi`."""

    kind: ClassVar[str] = "deployment"

    deployment_id: str
    created: float
    description: str | None = None
    auto_deployed: bool = False

    @property
    def part_id(self) -> str:
        return self.deployment_id


class DeployedApi(Part, frozen=True, rename="camel", omit_defaults=True):
    """What a deployment froze."""

    kind: ClassVar[str] = "deployed"

    deployment_id: str
    routes: tuple[Route, ...] = ()
    integrations: tuple[Integration, ...] = ()
    authorizers: tuple[Authorizer, ...] = ()
    cors: ApiCors | None = None

    @property
    def part_id(self) -> str:
        return self.deployment_id


class ApiMapping(_Stored, frozen=True, rename="camel", omit_defaults=True):
    """Which stage answers below a path of a custom domain."""

    api_mapping_id: str
    api_id: str
    stage: str
    api_mapping_key: str = ""
    """Segments of a path without a slash around them; empty: whatever no other mapping takes."""


class ApiDomain(_Stored, frozen=True, rename="camel", omit_defaults=True):
    """A custom domain name, unique over all scopes, with its mappings."""

    scope: Scope
    domain_name: str
    """In lower case; `*.` may stand before it."""
    created: float
    configurations: tuple[dict[str, Any], ...] = ()
    """As they were given, with what follows from them."""
    mappings: tuple[ApiMapping, ...] = ()
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        return f"arn:aws:apigateway:{self.scope.region}::/domainnames/{self.domain_name}"

    def mapping_of(self, path: str) -> ApiMapping | None:
        """
        Return the mapping that a request's path is below: of several the longest.

        Documented: API Gateway developer guide, API mappings: keys match whole segments, and case counts.
        """
        segments = path.split("/")[1:]
        best: ApiMapping | None = None
        for mapping in self.mappings:
            key = mapping.api_mapping_key.split("/") if mapping.api_mapping_key else []
            if segments[: len(key)] == key and (
                best is None or len(mapping.api_mapping_key) > len(best.api_mapping_key)
            ):
                best = mapping
        return best


PARTS: tuple[type[Part], ...] = (Route, Integration, Authorizer, Stage, Deployment, DeployedApi)


class ApiHost(NamedTuple):
    """What the Host header of a request to an HTTP API names."""

    api_id: str
    region: str


def name_of_host(host: str) -> str:
    """Return the name in a Host header, in small letters, without a port and without the full stop of the root."""
    return host.partition(":")[0].rstrip(".").lower()


def parse_api_host(host: str) -> ApiHost | None:
    """
    Return what a Host header names, nothing known where it is malformed; None where it is no API's own.

    The domain may be any: a wildcard name, or AWS's own.
    """
    host = host.lower()
    # Nearly every request is for something else.
    if ".execute-api." not in host:
        return None
    found = _HOST.fullmatch(host)
    return ApiHost("", "") if found is None else ApiHost(found[1], found[2])
