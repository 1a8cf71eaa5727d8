"""Layers as functions ask for them: found, allowed, and small enough together."""

from collections.abc import Sequence

from lambent.domain.caller import Caller, Scope
from lambent.domain.layer import LAYERS_MAX, AttachedLayer, LayerName, LayerVersion
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.services.lambda_.layers import check_may_use, layer_reference, resolve_layer
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
    attached: dict[tuple[Scope, LayerName], AttachedLayer] = {}
    for arn in arns:
        version = await _usable(store, caller, arn)
        layer = (version.scope, version.name)
        if layer in attached:
            raise InvalidParameterValueException(
                "Two different versions of the same layer are not allowed to be referenced in the same function. "
                f"{attached[layer].arn} and {version.arn} are versions of the same layer."
            )
        attached[layer] = AttachedLayer(version.arn, version.sha256, version.size_bytes)
    return tuple(attached.values())


async def _usable(store: FunctionStore, caller: Caller, arn: str) -> LayerVersion:
    reference = layer_reference(arn)
    own = caller.scope
    if reference.region not in {None, own.region} and reference.account == own.account:
        raise InvalidParameterValueException(
            f"Layers are not in the same region as the function. Layers are expected to be in region {own.region}."
        )
    scope, name, number = resolve_layer(caller, arn, "lambda:GetLayerVersion")
    version = None
    if number is not None:
        async with store.snapshot(scope) as reading:
            version = await reading.layers.get(name, number)
    check_may_use(caller, scope, arn, version)
    if version is None:
        raise InvalidParameterValueException(f"Layer version {arn} does not exist.")
    return version


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
