"""Code as requests bring it: a zip of a function or of a layer."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambent.domain.caller import Scope
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import CodeStorageExceededException, InvalidParameterValueException
from lambent.errors.families import RequestEntityTooLargeException
from lambent.services.s3.objects import ObjectTooLarge, S3Error, S3Objects
from lambent.store.contract import Archive, Blob, FunctionTransaction, PackageRefused, Packages


class PackageIntake:
    """Takes the code of a request in, with the service's words for what cannot be."""

    def __init__(self, packages: Packages, objects: S3Objects, quotas: Quotas) -> None:
        self._packages = packages
        self._objects = objects
        self._quotas = quotas

    async def add(self, scope: Scope, code: Mapping[str, Any]) -> Blob:
        """
        Keep and unpack the zip of a Code, a Content, or an UpdateFunctionCode.

        Args:
            scope: whose bucket it may lie in.

        Raises:
            InvalidParameterValueException: there is none, it cannot be read or used, or its source is not offered.
            RequestEntityTooLargeException: it is too large.
            NeighbourUnavailable: the server that has it does not answer.
        """
        return await self._take(scope, code, self._packages.add)

    async def check(self, scope: Scope, code: Mapping[str, Any]) -> Blob:
        """Check a zip like `add`, keep nothing."""
        return await self._take(scope, code, self._packages.check)

    async def _take(self, scope: Scope, code: Mapping[str, Any], take: Callable[[Archive], Awaitable[Blob]]) -> Blob:
        _check_sources(code)
        try:
            if (archive := code.get("ZipFile")) is not None:
                return await take(archive)
            bucket, key, version = code["S3Bucket"], code["S3Key"], code.get("S3ObjectVersion")
            most_bytes = self._quotas.code_unzipped_max_bytes
            async with self._objects.open(scope, bucket, key, version, most_bytes) as opened:
                return await take(opened)
        except PackageRefused as refused:
            raise _package_error(refused) from None
        except ObjectTooLarge:
            # No zip holds less than it takes, by more than nothing.
            raise InvalidParameterValueException(
                f"Unzipped size must be smaller than {self._quotas.code_unzipped_max_bytes} bytes"
            ) from None
        except S3Error as error:
            # Observed: widely reported text of CreateFunction.
            raise InvalidParameterValueException(
                f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: {error.text}"
            ) from None


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


def _check_sources(code: Mapping[str, Any]) -> None:
    """
    Refuse code that comes from nowhere, from two places, or from where nothing is taken.

    Raises:
        InvalidParameterValueException: it is so.
    """
    if code.get("ImageUri") is not None:
        raise InvalidParameterValueException(
            "Please don't provide ImageUri when updating a function with packageType Zip."
        )
    if code.get("S3ObjectStorageMode") not in {None, "COPY"}:
        raise InvalidParameterValueException("S3ObjectStorageMode is not offered by this version of Lambent")
    if code.get("SourceKMSKeyArn"):
        raise InvalidParameterValueException("SourceKMSKeyArn is not offered by this version of Lambent")
    from_s3 = [member for member in ("S3Bucket", "S3Key", "S3ObjectVersion") if code.get(member) is not None]
    if code.get("ZipFile") is not None:
        if from_s3:
            # Observed: widely reported text of UpdateFunctionCode.
            raise InvalidParameterValueException(
                "Please do not provide other FunctionCode parameters when providing a ZipFile."
            )
        return
    if not from_s3:
        # Assumed: widely reported text.
        raise InvalidParameterValueException("Please provide a source for function code.")
    for member in ("S3Bucket", "S3Key"):
        if member not in from_s3:
            # Assumed: no recorded text (test_code).
            raise InvalidParameterValueException(f"Please provide both S3Bucket and S3Key: {member} is missing.")


def _package_error(refused: PackageRefused) -> Exception:
    if refused.too_large_zipped:
        return RequestEntityTooLargeException(str(refused))
    return InvalidParameterValueException(str(refused))
