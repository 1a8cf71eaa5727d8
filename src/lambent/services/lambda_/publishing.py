"""Publishing `$LATEST` as an immutable version."""

import msgspec

from lambent.clock import Clock
from lambent.domain.function import Function, FunctionVersion, PublishedContent, State
from lambent.domain.quotas import Quotas
from lambent.services.lambda_.code import check_storage
from lambent.store.contract import FunctionTransaction

CREATING = ("The function is being created.", "Creating")
"""Reason and code of a version that is Pending."""


async def publish(
    tx: FunctionTransaction,
    function: Function,
    latest: FunctionVersion,
    clock: Clock,
    quotas: Quotas,
    *,
    description: str | None,
) -> FunctionVersion:
    """
    Store `latest` as the next version and return that version.

    When neither code nor configuration changed since the last published version, that one is returned and
    nothing is stored. Both the new version and `$LATEST` get a new revision.

    Args:
        description: overrides the copied description of the version.

    Raises:
        CodeStorageExceededException: there is no room for the version's copy of the package.

    Source: Lambda API reference, PublishVersion; recorded answers for the revisions.
    """
    last = function.last_published
    if last is not None and last.configuration == latest.configuration and last.code_sha256 == latest.code.sha256:
        unchanged = await tx.version(function.name, last.version)
        if unchanged is not None:
            return unchanged
    await check_storage(tx, latest.code.size_bytes, quotas)
    number = str(function.next_version)
    configuration = latest.configuration
    if description is not None:
        configuration = msgspec.structs.replace(configuration, description=description)
    version = msgspec.structs.replace(
        latest,
        version=number,
        configuration=configuration,
        revision_id=clock.new_id(),
        deployment_id=clock.new_id(),
        serving=None,
    )
    if latest.serving is not None or version.is_snap_started:
        # `$LATEST` may go on serving an older deployment; the version has none before it, or its init is still to run.
        # Observed: State Pending in the answer of UpdateFunctionCode with Publish (recorded 2025-11).
        # Documented: Lambda developer guide, SnapStart: a version is Pending until its snapshot has been taken.
        version = msgspec.structs.replace(
            version,
            state=State.PENDING,
            state_reason=CREATING[0],
            state_reason_code=CREATING[1],
            last_update_status=None,
            last_update_status_reason=None,
            last_update_status_reason_code=None,
        )
    await tx.save_version(version)
    await tx.save_version(msgspec.structs.replace(latest, revision_id=clock.new_id()))
    await tx.save_function(
        msgspec.structs.replace(
            function,
            next_version=function.next_version + 1,
            last_published=PublishedContent(number, latest.configuration, latest.code.sha256),
        )
    )
    return version
