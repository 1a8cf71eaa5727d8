"""Notification configurations of buckets in the database: `BucketNotificationRows` of the contract."""

import msgspec
from sqlalchemy import bindparam, delete, insert, select, update

from lambent.domain.bucket_notification import BucketNotification
from lambent.store.database import Statements
from lambent.store.tables import bucket_notifications

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(BucketNotification).decode

_c = bucket_notifications.c
_IS = _c.bucket == bindparam("of_bucket")
_ONE = select(_c.document).where(_IS)
_INSERT = insert(bucket_notifications)
_UPDATE = (
    update(bucket_notifications)
    .where(_IS)
    .values(
        account=bindparam("new_account"),
        region=bindparam("new_region"),
        revision=_c.revision + 1,
        document=bindparam("new_document"),
    )
)
_DELETE = delete(bucket_notifications).where(_IS)


class StoredBucketNotifications:
    """
    Rows of buckets, whose names are unique over all scopes, inside one transaction.

    Args:
        may_write: whether the transaction is one that writes.
    """

    def __init__(self, statements: Statements, *, may_write: bool) -> None:
        self._statements = statements
        self._may_write = may_write

    async def get(self, bucket: str) -> BucketNotification | None:
        rows = await self._statements.rows(_ONE, {"of_bucket": bucket})
        return _decode(rows[0][0]) if rows else None

    async def save(self, notification: BucketNotification) -> None:
        assert self._may_write
        scope, document = notification.scope, _encode(notification).decode()
        key = {"of_bucket": notification.bucket}
        new = {"new_account": scope.account, "new_region": scope.region, "new_document": document}
        if not await self._statements.change(_UPDATE, {**key, **new}):
            await self._statements.change(
                _INSERT,
                {
                    "bucket": notification.bucket,
                    "account": scope.account,
                    "region": scope.region,
                    "revision": 1,
                    "document": document,
                },
            )

    async def delete(self, bucket: str) -> bool:
        assert self._may_write
        return bool(await self._statements.change(_DELETE, {"of_bucket": bucket}))
