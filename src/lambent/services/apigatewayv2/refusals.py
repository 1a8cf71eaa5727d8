"""What several resources refuse, in one wording each."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from lambent.domain.http_api import HttpApi, Part
from lambent.errors.api.apigatewayv2 import BadRequestException, NotFoundException, TooManyRequestsException
from lambent.store.contract import FunctionTransaction

P = TypeVar("P", bound=Part)


def missing(kind: str, given: str) -> NotFoundException:
    """Return the error for a part that is not there, `kind` as AWS writes it: `Route`, `Integration`."""
    # Assumed: the text, which other implementations have (test_http_api_config). Documented: resourceType.
    return NotFoundException(f"Invalid {kind} identifier specified {given}", fields={"ResourceType": kind})


def missing_stage() -> NotFoundException:
    # Assumed, likewise.
    return NotFoundException("Invalid stage identifier specified", fields={"ResourceType": "Stage"})


def missing_domain() -> NotFoundException:
    # Assumed, likewise.
    return NotFoundException(
        "The domain name resource specified in the request was not found.", fields={"ResourceType": "DomainName"}
    )


def missing_mapping() -> NotFoundException:
    # Assumed, likewise.
    return NotFoundException(
        "The api mapping resource specified in the request was not found.", fields={"ResourceType": "ApiMapping"}
    )


def full(plural: str, owner: str) -> TooManyRequestsException:
    """Return the error for one more than there may be, e.g. of `Integrations` for `this API`."""
    # Observed: serverless/serverless-websockets-plugin#22, with its two blanks.
    return TooManyRequestsException(
        f"Maximum number of {plural} for {owner} has been reached.  "
        f"Please contact AWS if you need additional {plural}.",
        fields={"LimitType": plural},
    )


def not_offered(member: str, why: str) -> BadRequestException:
    return BadRequestException(f"{member} is not offered by this version of Lambent: {why}")


def refuse_members(request: Mapping[str, Any], refused: Mapping[str, str]) -> None:
    """
    Refuse members that nothing here would act on.

    Args:
        refused: wire member to why it is not offered.

    Raises:
        BadRequestException: the request sets one. Empty ones and False say what is so anyway.
    """
    for member, why in refused.items():
        if request.get(member):
            raise not_offered(member[0].lower() + member[1:], why)


def check_lengths(request: Mapping[str, Any], bounds: Mapping[str, tuple[int, int]]) -> None:
    """
    Hold texts against their bounds, which the model has in the names of its shapes only.

    Raises:
        BadRequestException: one is too short or too long.
    """
    for member, (least, most) in bounds.items():
        value = request.get(member)
        if value is not None and not least <= len(value) <= most:
            # Assumed: the text (test_http_api_config).
            raise BadRequestException(
                f"Invalid {member[0].lower()}{member[1:]}: it must have {least} to {most} characters"
            )


def check_one_of(member: str, value: str, allowed: Iterable[str]) -> None:
    """
    Refuse a value that is none of those allowed.

    Raises:
        BadRequestException: so it is.
    """
    # Assumed: the text, which CreateApi has for protocols (test_http_api_config).
    if value not in allowed:
        raise BadRequestException(f"Invalid {member} specified. Must be one of [{', '.join(allowed)}]")


async def existing_api(reading: FunctionTransaction, api_id: str) -> HttpApi:
    """
    Return an API.

    Raises:
        NotFoundException: there is none of this id in the scope.
    """
    api = await reading.http_apis.get(api_id)
    if api is None:
        raise missing("API", api_id)
    return api


async def existing_part(reading: FunctionTransaction, kind: type[P], api_id: str, part_id: str) -> P:
    """
    Return a part of an API.

    Raises:
        NotFoundException: the API has none of this kind and id.
    """
    part = await reading.http_apis.part(kind, api_id, part_id)
    if part is None:
        raise missing(kind.__name__, part_id)
    return part
