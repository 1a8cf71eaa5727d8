"""Layers as functions ask for them: found, allowed, and small enough together."""

from collections.abc import Sequence

from lambent.domain.caller import Caller
from lambent.domain.layer import LAYERS_MAX, AttachedLayer
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.services.lambda_.layers import check_may_use, resolve_layer
from lambent.store.contract import FunctionStore, Packages


async def attach_layers(store: FunctionStore, caller: Caller, arns: Sequence[str]) -> tuple[AttachedLayer, ...]:
    """
    Find the layer versions that a request names.

    Raises:
        InvalidParameterValueException: too many, twice the same, of another region, or not there.
        AccessDeniedException: of another account, without a grant.

    Observed: localstack tests/aws/services/lambda_/test_lambda_api.py (recorded) for the texts.
    """
    if len(arns) > LAYERS_MAX:
        raise InvalidParameterValueException(f"Cannot reference more than {LAYERS_MAX} layers.")
    attached: list[AttachedLayer] = []
    seen: dict[tuple[object, str], str] = {}
    for arn in arns:
        scope, name, number = resolve_layer(caller, arn)
        if number is None:
            raise InvalidParameterValueException(f"Layer version {arn} does not exist.")
        other = seen.setdefault((scope, name), arn)
        if other is not arn:
            raise InvalidParameterValueException(
                "Two different versions of the same layer are not allowed to be referenced in the same function. "
                f"{other} and {arn} are versions of the same layer."
            )
        async with store.snapshot(scope) as reading:
            version = await reading.layers.get(name, number)
        check_may_use(caller, scope, arn, version)
        if version is None:
            raise InvalidParameterValueException(f"Layer version {arn} does not exist.")
        attached.append(AttachedLayer(version.arn, version.sha256, version.size_bytes))
    return tuple(attached)


async def check_unzipped(packages: Packages, code_sha256: str, layers: Sequence[AttachedLayer], quotas: Quotas) -> None:
    """
    Refuse code and layers that are too large together.

    Raises:
        InvalidParameterValueException: unzipped they take more than the quota. Observed: field reports of Serverless
            Framework and SAM users for the text.
    """
    if not layers:
        return
    size_bytes = 0
    for sha256 in (code_sha256, *(layer.sha256 for layer in layers)):
        size_bytes += await packages.unzipped_bytes(sha256)
    if size_bytes > quotas.code_unzipped_max_bytes:
        raise InvalidParameterValueException(
            "Function code combined with layers exceeds the maximum allowed size of "
            f"{quotas.code_unzipped_max_bytes} bytes. The actual size is {size_bytes} bytes."
        )
