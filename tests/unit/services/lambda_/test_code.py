"""Code as requests bring it: what is taken in, and the words for what is not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lambent.domain.caller import Scope
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import CodeStorageExceededException, InvalidParameterValueException
from lambent.errors.families import RequestEntityTooLargeException
from lambent.services.lambda_.code import PackageIntake, check_storage
from lambent.services.s3.objects import ObjectTooLarge, S3Error
from lambent.store.contract import Blob, PackageRefused, ScopeUsage

SCOPE = Scope("000000000000", "us-east-1")


class FakePackages:
    """Takes every zip, or refuses with what it was given."""

    def __init__(self, refused: PackageRefused | None = None) -> None:
        self.refused = refused
        self.kept: list[bytes] = []

    async def add(self, archive: bytes) -> Blob:
        self.kept.append(archive)
        return await self.check(archive)

    async def check(self, archive: bytes) -> Blob:
        if self.refused is not None:
            raise self.refused
        return Blob("0" * 64, len(archive))


class FakeObjects:
    """S3 with one object, or one error."""

    def __init__(self, raised: Exception | None = None) -> None:
        self.raised = raised
        self.asked: list[tuple[Any, ...]] = []

    @contextlib.asynccontextmanager
    async def open(self, *asked: Any) -> AsyncIterator[bytes]:
        self.asked.append(asked)
        if self.raised is not None:
            raise self.raised
        yield b"from s3"


def intake_of(packages: Any, objects: Any = None) -> PackageIntake:
    return PackageIntake(packages, objects or FakeObjects(), Quotas())


def test_a_zip_is_kept_or_only_checked() -> None:
    """`add` keeps it, `check` does not; both say what it is."""
    packages: Any = FakePackages()
    intake = intake_of(packages)
    assert asyncio.run(intake.check(SCOPE, {"ZipFile": b"zip"})) == Blob("0" * 64, 3)
    assert packages.kept == []
    assert asyncio.run(intake.add(SCOPE, {"ZipFile": b"zip"})) == Blob("0" * 64, 3)
    assert packages.kept == [b"zip"]


@pytest.mark.parametrize("version", [None, "v1"])
def test_code_is_read_from_s3(version: str | None) -> None:
    """Up to the size that a package may have unzipped."""
    packages: Any = FakePackages()
    objects = FakeObjects()
    code = {"S3Bucket": "bkt", "S3Key": "k", "S3ObjectVersion": version, "S3ObjectStorageMode": "COPY"}
    given = {name: value for name, value in code.items() if value is not None}
    assert asyncio.run(intake_of(packages, objects).add(SCOPE, given)) == Blob("0" * 64, 7)
    assert packages.kept == [b"from s3"]
    assert objects.asked == [(SCOPE, "bkt", "k", version, 262_144_000)]


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (
            S3Error("NoSuchKey", "The specified key does not exist."),
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. "
            "S3 Error Message: The specified key does not exist.",
        ),
        (ObjectTooLarge(), "Unzipped size must be smaller than 262144000 bytes"),
    ],
)
def test_what_s3_says_goes_to_the_caller(raised: Exception, text: str) -> None:
    """In Lambda's words."""
    packages: Any = FakePackages()
    with pytest.raises(InvalidParameterValueException) as excinfo:
        asyncio.run(intake_of(packages, FakeObjects(raised)).add(SCOPE, {"S3Bucket": "bkt", "S3Key": "k"}))
    assert excinfo.value.message == text


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ({}, "Please provide a source for function code."),
        ({"ImageUri": "x"}, "Please don't provide ImageUri when updating a function with packageType Zip."),
        (
            {"ZipFile": b"zip", "S3Bucket": "bkt"},
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        ),
        ({"S3Key": "k"}, "Please provide both S3Bucket and S3Key: S3Bucket is missing."),
        ({"S3Bucket": "bkt"}, "Please provide both S3Bucket and S3Key: S3Key is missing."),
        (
            {"S3Bucket": "b", "S3Key": "k", "S3ObjectStorageMode": "REFERENCE"},
            "S3ObjectStorageMode is not offered by this version of Lambent",
        ),
        ({"ZipFile": b"zip", "SourceKMSKeyArn": "k"}, "SourceKMSKeyArn is not offered by this version of Lambent"),
    ],
)
def test_sources_that_are_not_taken(code: dict[str, Any], text: str) -> None:
    """Each is refused by name, and nothing is kept."""
    packages: Any = FakePackages()
    for take in (intake_of(packages).add, intake_of(packages).check):
        with pytest.raises(InvalidParameterValueException) as excinfo:
            asyncio.run(take(SCOPE, code))
        assert excinfo.value.message == text
    assert packages.kept == []


@pytest.mark.parametrize(
    ("too_large", "error"), [(False, InvalidParameterValueException), (True, RequestEntityTooLargeException)]
)
def test_packages_that_cannot_be_used(too_large: bool, error: type[Exception]) -> None:
    """What the store says goes to the caller; a zip that is too large is 413, all else 400."""
    packages: Any = FakePackages(PackageRefused("why", too_large_zipped=too_large))
    for take in (intake_of(packages).add, intake_of(packages).check):
        with pytest.raises(error, match=r"^why$"):
            asyncio.run(take(SCOPE, {"ZipFile": b"zip"}))


def test_storage_is_full_to_the_byte() -> None:
    """The last byte of the quota is usable; one more is refused."""

    class Reading:
        async def usage(self) -> ScopeUsage:
            return ScopeUsage(function_count=1, code_bytes=90)

    reading: Any = Reading()
    quotas = Quotas(code_total_max_bytes=100)
    asyncio.run(check_storage(reading, 10, quotas))
    with pytest.raises(CodeStorageExceededException):
        asyncio.run(check_storage(reading, 11, quotas))
