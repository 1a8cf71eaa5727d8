"""Custom domain names: under which names APIs answer beside their own."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.function_url import UrlDomain
from lambent.domain.http_api import ApiDomain
from lambent.errors.api.apigatewayv2 import BadRequestException, ConflictException
from lambent.protocol.shapes.apigatewayv2 import (
    CreateDomainNameRequest,
    DeleteDomainNameRequest,
    GetDomainNameRequest,
    GetDomainNamesRequest,
    UpdateDomainNameRequest,
)
from lambent.services.apigatewayv2.identifiers import API_LENGTH, new_id
from lambent.services.apigatewayv2.limits import DOMAINS_MAX
from lambent.services.apigatewayv2.paging import requested_page
from lambent.services.apigatewayv2.refusals import full, missing_domain, not_offered
from lambent.services.apigatewayv2.shown import domain_view
from lambent.services.apigatewayv2.tags import check_tags
from lambent.services.operation import operation
from lambent.services.s3.addressing import is_s3_host
from lambent.store.contract import Conflict, FunctionStore, FunctionTransaction

_NAME = re.compile(r"(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NAME_MAX = 253
_OWN_LABELS = frozenset({"execute-api", "lambda-url"})
_OWN_SERVICES = frozenset({"*", "apigateway", "lambda", "logs", "sqs", "sts"})
_REGION = re.compile(r"(?:[a-z]{2,4}-)+[a-z]+-\d\..+")

_MEMBERS = ("CertificateArn", "CertificateName", "OwnershipVerificationCertificateArn")


class DomainNames:
    """
    Custom domain names. See the API Gateway v2 API reference for each operation.

    No certificate is needed or looked at: whoever ends TLS before the server has it. Its ARN is kept and shown.

    Args:
        domain: below which APIs answer.
    """

    def __init__(self, store: FunctionStore, domain: UrlDomain, clock: Clock) -> None:
        self._store = store
        self._domain = domain
        self._clock = clock

    @operation("CreateDomainName")
    async def create(self, caller: Caller, request: CreateDomainNameRequest) -> Mapping[str, Any]:
        name = self._checked(caller, request["DomainName"])
        _refuse(request)
        check_tags(request.get("Tags", {}))
        alias = f"d-{new_id(self._clock, API_LENGTH)}.execute-api.{caller.scope.region}.{self._domain.name}"
        made = ApiDomain(
            scope=caller.scope,
            domain_name=name,
            created=self._clock.now(),
            configurations=configurations_of(request.get("DomainNameConfigurations") or [{}], alias),
            tags=request.get("Tags", {}),
        )
        try:
            async with self._store.transaction(caller.scope) as tx:
                if len(await tx.http_apis.domains()) >= DOMAINS_MAX:
                    raise full("DomainNames", "this account")
                if await tx.http_apis.domain(name) is not None:
                    raise _exists()
                await self._check_not_anothers(caller, name)
                await tx.http_apis.save_domain(made)
        except Conflict:
            # Another account or region has it: a name leads to one place.
            raise _exists() from None
        return domain_view(made)

    @operation("GetDomainName")
    async def get(self, caller: Caller, request: GetDomainNameRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as reading:
            return domain_view(await existing_domain(reading, request["DomainName"]))

    @operation("GetDomainNames")
    async def list(self, caller: Caller, request: GetDomainNamesRequest) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope) as reading:
            found = await reading.http_apis.domains(after=page.after, limit=page.looked_at)
        return page.answer(found, lambda one: one.domain_name, domain_view)

    @operation("UpdateDomainName")
    async def update(self, caller: Caller, request: UpdateDomainNameRequest) -> Mapping[str, Any]:
        _refuse(request)
        async with self._store.transaction(caller.scope) as tx:
            domain = await existing_domain(tx, request["DomainName"])
            if given := request.get("DomainNameConfigurations"):
                alias = domain.configurations[0]["ApiGatewayDomainName"]
                domain = msgspec.structs.replace(domain, configurations=configurations_of(given, alias))
                await tx.http_apis.save_domain(domain)
        return domain_view(domain)

    @operation("DeleteDomainName")
    async def delete(self, caller: Caller, request: DeleteDomainNameRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            domain = await existing_domain(tx, request["DomainName"])
            # Assumed: its mappings go with it (test_http_api_config_domains).
            await tx.http_apis.delete_domain(domain.domain_name)
        return {}

    def _checked(self, caller: Caller, given: str) -> str:
        """
        Return a domain name as it is kept.

        Raises:
            BadRequestException: it is none, or one under which this server answers something else.
        """
        name = given.lower()
        if len(name) > _NAME_MAX or _NAME.fullmatch(name) is None or _is_address(name):
            # Assumed: the text (test_http_api_config_domains).
            raise BadRequestException(
                f"Invalid domain name {given[:253]}: it needs two labels or more; *. may begin it"
            )
        # The name by which the caller came is one of the server's, too.
        host = urlsplit(caller.endpoint).hostname or ""
        if self._is_own(name) or name in {host, f"*.{host.partition('.')[2]}"}:
            raise BadRequestException(f"The domain name {name} is one under which this server answers")
        return name

    async def _check_not_anothers(self, caller: Caller, name: str) -> None:
        """
        Refuse a name below another account's wildcard, and a wildcard above another account's name.

        Called in the transaction that takes the name: nobody else takes one meanwhile.

        Documented: API Gateway developer guide, wildcard custom domain names: the latter. Here nobody is asked who owns
        a name, so that the former would take requests away from who has the wildcard.

        Raises:
            ConflictException: so it is.
        """
        first, _, rest = name.partition(".")
        for other in await self._store.api_domains():
            other_first, _, other_rest = other.domain_name.partition(".")
            if rest == other_rest and first != other_first and "*" in {first, other_first}:
                if other.scope.account == caller.scope.account:
                    continue
                # Assumed: the text (test_http_api_config_domains).
                raise ConflictException(f"The domain name {name} conflicts with one of another account.")

    def _is_own(self, name: str) -> bool:
        """
        Say whether requests for the APIs of this server, or for what others own on it, would go to who takes a name.

        Those are known by names that AWS's clients make of an endpoint: `sqs.eu-west-1.`, `bucket.s3.`.
        """
        first, _, rest = name.partition(".")
        return (
            bool(_OWN_LABELS & set(name.split(".")))
            or is_s3_host(name.removeprefix("*."))
            or name == self._domain.name
            or (first in _OWN_SERVICES and (rest == self._domain.name or _REGION.fullmatch(rest) is not None))
        )


def configurations_of(given: Any, alias: str) -> tuple[dict[str, Any], ...]:
    """
    Return the configurations of a domain name, with what follows from them.

    Args:
        alias: the name that its owner's DNS points to.

    Raises:
        BadRequestException: there are several, or one is not offered.
    """
    # Assumed: the texts (test_http_api_config_domains). Documented: API Gateway developer guide, custom domain names
    # for HTTP APIs: they are Regional, and TLS 1.2 is the one version.
    if len(given) != 1:
        raise BadRequestException("A domain name has one configuration")
    (configuration,) = given
    if configuration.get("EndpointType", "REGIONAL") != "REGIONAL":
        raise BadRequestException("Invalid endpointType: domain names of HTTP APIs are REGIONAL")
    if configuration.get("SecurityPolicy", "TLS_1_2") != "TLS_1_2":
        raise BadRequestException("Invalid securityPolicy: domain names of HTTP APIs have TLS_1_2")
    certificate = configuration.get("CertificateArn")
    if certificate and not (certificate.startswith("arn:") and certificate.isprintable() and len(certificate) <= 2048):
        raise BadRequestException("Invalid certificateArn")
    kept = {member: configuration[member] for member in _MEMBERS if configuration.get(member)}
    return (
        {
            "ApiGatewayDomainName": alias,
            **kept,
            # No zone of Route 53 holds the name: hostedZoneId is left out.
            "DomainNameStatus": "AVAILABLE",
            "EndpointType": "REGIONAL",
            "IpAddressType": configuration.get("IpAddressType", "ipv4"),
            "SecurityPolicy": "TLS_1_2",
        },
    )


async def existing_domain(reading: FunctionTransaction, name: str) -> ApiDomain:
    """
    Return a custom domain.

    Raises:
        NotFoundException: the scope has none of this name.
    """
    domain = await reading.http_apis.domain(name.lower())
    if domain is None:
        raise missing_domain()
    return domain


def _refuse(request: Mapping[str, Any]) -> None:
    if any((request.get("MutualTlsAuthentication") or {}).values()):
        raise not_offered("mutualTlsAuthentication", "who ends TLS before the server has to ask for certificates")
    if request.get("RoutingMode", "API_MAPPING_ONLY") != "API_MAPPING_ONLY":
        raise not_offered("routingMode " + request["RoutingMode"], "routing rules come with a later version")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _exists() -> ConflictException:
    # Observed: aws-cloudformation/cloudformation-coverage-roadmap#1151.
    return ConflictException("The domain name you provided already exists.")
