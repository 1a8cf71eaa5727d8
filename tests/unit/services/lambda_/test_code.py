"""Code as requests bring it: what is taken in, and the words for what is not."""

import asyncio
from typing import Any

import pytest

from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import CodeStorageExceededException, InvalidParameterValueException
from lambent.errors.families import RequestEntityTooLargeException
from lambent.services.lambda_.code import PackageIntake, check_storage
from lambent.store.contract import Blob, PackageRefused, ScopeUsage


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


def test_a_zip_is_kept_or_only_checked() -> None:
    """`add` keeps it, `check` does not; both say what it is."""
    packages: Any = FakePackages()
    intake = PackageIntake(packages)
    assert asyncio.run(intake.check({"ZipFile": b"zip"})) == Blob("0" * 64, 3)
    assert packages.kept == []
    assert asyncio.run(intake.add({"ZipFile": b"zip"})) == Blob("0" * 64, 3)
    assert packages.kept == [b"zip"]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ({}, "Please provide a source for function code."),
        ({"ImageUri": "x"}, "Please don't provide ImageUri when updating a function with packageType Zip."),
        ({"ZipFile": b"zip", "S3Bucket": "bkt"}, "S3Bucket is not offered by this version of Lambent"),
        ({"S3Key": "k"}, "S3Key is not offered by this version of Lambent"),
        ({"ZipFile": b"zip", "SourceKMSKeyArn": "k"}, "SourceKMSKeyArn is not offered by this version of Lambent"),
    ],
)
def test_sources_that_are_not_taken(code: dict[str, Any], text: str) -> None:
    """Each is refused by name, and nothing is kept."""
    packages: Any = FakePackages()
    for take in (PackageIntake(packages).add, PackageIntake(packages).check):
        with pytest.raises(InvalidParameterValueException) as excinfo:
            asyncio.run(take(code))
        assert excinfo.value.message == text
    assert packages.kept == []


@pytest.mark.parametrize(
    ("too_large", "error"), [(False, InvalidParameterValueException), (True, RequestEntityTooLargeException)]
)
def test_packages_that_cannot_be_used(too_large: bool, error: type[Exception]) -> None:
    """What the store says goes to the caller; a zip that is too large is 413, all else 400."""
    packages: Any = FakePackages(PackageRefused("why", too_large_zipped=too_large))
    for take in (PackageIntake(packages).add, PackageIntake(packages).check):
        with pytest.raises(error, match=r"^why$"):
            asyncio.run(take({"ZipFile": b"zip"}))


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
