"""Code as requests bring it: a zip of a function or of a layer."""

from collections.abc import Mapping
from typing import Any

from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import CodeStorageExceededException, InvalidParameterValueException
from lambent.errors.families import RequestEntityTooLargeException
from lambent.store.contract import Blob, FunctionTransaction, PackageRefused, Packages


class PackageIntake:
    """Takes the code of a request in, with the service's words for what cannot be."""

    def __init__(self, packages: Packages) -> None:
        self._packages = packages

    async def add(self, code: Mapping[str, Any]) -> Blob:
        """
        Keep and unpack the zip of a Code, a Content, or an UpdateFunctionCode.

        Raises:
            InvalidParameterValueException: there is none, it cannot be used, or its source is not offered.
            RequestEntityTooLargeException: it is too large.
        """
        archive = _archive(code)
        try:
            return await self._packages.add(archive)
        except PackageRefused as refused:
            raise _package_error(refused) from None

    async def check(self, code: Mapping[str, Any]) -> Blob:
        """Check a zip like `add`, keep nothing."""
        archive = _archive(code)
        try:
            return await self._packages.check(archive)
        except PackageRefused as refused:
            raise _package_error(refused) from None


async def check_storage(tx: FunctionTransaction, more_bytes: int, quotas: Quotas) -> None:
    """
    Refuse packages beyond what the scope may store.

    Args:
        more_bytes: what is about to be stored in addition; may be negative.

    Raises:
        CodeStorageExceededException: it would be more than `quotas.code_total_max_bytes`.
    """
    usage = await tx.usage()
    if usage.code_bytes + more_bytes > quotas.code_total_max_bytes:
        # Assumed: no recorded text.
        raise CodeStorageExceededException("Code storage limit exceeded.")


def _archive(code: Mapping[str, Any]) -> bytes:
    if code.get("ImageUri") is not None:
        raise InvalidParameterValueException(
            "Please don't provide ImageUri when updating a function with packageType Zip."
        )
    for member in ("S3Bucket", "S3Key", "S3ObjectVersion", "S3ObjectStorageMode"):
        if code.get(member) is not None:
            raise InvalidParameterValueException(f"{member} is not offered by this version of Lambent")
    if code.get("SourceKMSKeyArn"):
        raise InvalidParameterValueException("SourceKMSKeyArn is not offered by this version of Lambent")
    archive = code.get("ZipFile")
    if archive is None:
        # Assumed: widely reported text.
        raise InvalidParameterValueException("Please provide a source for function code.")
    assert isinstance(archive, bytes)
    return archive


def _package_error(refused: PackageRefused) -> Exception:
    if refused.too_large_zipped:
        return RequestEntityTooLargeException(str(refused))
    return InvalidParameterValueException(str(refused))
