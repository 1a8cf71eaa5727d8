"""Notifications of buckets: what is configured, and the way of their events to functions and queues."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence

from lambent.clock import Clock
from lambent.destinations.contract import Destinations, Message, NoSuchTarget
from lambent.dispatch.resource_policies import is_let_in
from lambent.domain.bucket_notification import BucketNotification, Rule, find_conflict
from lambent.domain.caller import Caller, Scope
from lambent.domain.destination import parse_target
from lambent.domain.resource_policy import service_for
from lambent.errors.families import DependencyError
from lambent.services.s3.errors import InvalidArgument, SlowDown
from lambent.services.s3.events import Occurrence, Origin, render, test_event
from lambent.services.s3.notification_xml import parse
from lambent.services.s3.notification_xml import render as render_configuration
from lambent.store.contract import FunctionStore
from lambent.telemetry.deliveries import Delivery, DeliveryCounts

_log = logging.getLogger("lambent.services.s3")

BODY_MAX_BYTES = 262_144
"""Of a configuration: a hundred rules take half of it. Assumed."""

_AT_ONCE = 64
"""Events of one request that are put into queues together: they share commits there."""

_SERVICE = "s3.amazonaws.com"


class BucketNotifications:
    """Keeps configurations, and delivers events that have occurred."""

    def __init__(
        self, store: FunctionStore, destinations: Destinations, deliveries: DeliveryCounts, clock: Clock
    ) -> None:
        self._store = store
        self._destinations = destinations
        self._deliveries = deliveries
        self._clock = clock
        self._last_ns = 0

    async def of(self, bucket: str) -> BucketNotification | None:
        """Return a bucket's configuration, None where it has none."""
        async with self._store.snapshot(_ANY) as reading:
            return await reading.bucket_notifications.get(bucket)

    async def get(self, bucket: str) -> bytes:
        """Return a bucket's configuration as S3 answers it. The bucket is there."""
        found = await self.of(bucket)
        return render_configuration(() if found is None else found.rules)

    async def put(self, caller: Caller, bucket: str, region: str, body: bytes, *, checks_targets: bool) -> None:
        """
        Replace a bucket's configuration. The bucket is there.

        Args:
            region: the bucket's.
            body: XML.
            checks_targets: whether each target has to be there, and to take what S3 sends.

        Raises:
            ApiError: S3's, for what cannot be.
            DependencyError: a queue takes no test message now; nothing has changed.
        """
        rules = parse(body, self._clock.new_id)
        conflict = find_conflict(rules)
        if conflict is not None:
            raise InvalidArgument(
                conflict.text, fields={"ArgumentName": "Event", "ArgumentValue": ", ".join(conflict.events)}
            )
        scope = Scope(caller.scope.account, region)
        _check_owners(scope, rules)
        if checks_targets:
            await self._check_targets(scope, bucket, rules)
        await self._send_tests(scope, bucket, rules, caller.request_id)
        async with self._store.transaction(scope) as tx:
            if rules:
                await tx.bucket_notifications.save(BucketNotification(bucket, scope, rules))
            else:
                await tx.bucket_notifications.delete(bucket)

    async def forget(self, bucket: str) -> None:
        """Drop the configuration of a bucket that is gone."""
        async with self._store.transaction(_ANY) as tx:
            await tx.bucket_notifications.delete(bucket)

    async def deliver(
        self,
        notification: BucketNotification,
        occurrences: Sequence[Occurrence],
        origin: Origin,
        trace_header: str | None,
    ) -> None:
        """
        Put events where the rules say; they are on disk on return.

        Repeated, it delivers them again. A target that is gone gets none: S3 does not wait for one either. Nor does a
        function whose policy does not let S3 in, now and not only when the configuration was put.

        Raises:
            SlowDown: a queue takes nothing now. Some of the events may have been delivered.
        """
        due = [
            (rule, render(one, notification, rule, origin, self._sequencer()))
            for one in occurrences
            for rule in notification.wanting(one.event, one.key)
        ]
        try:
            closed = await self._closed(notification, {rule.target_arn for rule, _ in due})
            for begin in range(0, len(due), _AT_ONCE):
                sending = [
                    self._send(notification.scope, rule.target_arn, body, trace_header)
                    for rule, body in due[begin : begin + _AT_ONCE]
                    if rule.target_arn not in closed
                ]
                for failure in await asyncio.gather(*sending, return_exceptions=True):
                    if failure is not None:
                        raise failure
        except DependencyError as failure:
            raise SlowDown(f"The object was changed, but its event cannot be taken now: {failure}") from failure
        for rule, _ in due:
            if rule.target_arn in closed:
                self._drop(notification.scope, rule.target_arn, "its policy does not let S3 in for the bucket")

    async def _closed(self, notification: BucketNotification, arns: Iterable[str]) -> set[str]:
        """Return which targets are functions that do not let S3 in."""
        # Documented: Amazon S3 user guide, Granting permissions to publish event notifications to a destination.
        return {
            arn
            for arn in arns
            if (target := parse_target(arn)) is not None
            and target.service == "lambda"
            and not await self._is_let_in(notification.scope, notification.bucket, arn)
        }

    async def _send(self, scope: Scope, arn: str, body: bytes, trace_header: str | None) -> None:
        target = parse_target(arn)
        assert target is not None
        try:
            await self._destinations[target.service].deliver(target, Message(body, trace_header or ""))
        except NoSuchTarget:
            self._drop(scope, arn, "it is gone")
        except DependencyError:
            self._deliveries.count(scope, arn, Delivery.FAILED)
            raise
        else:
            self._deliveries.count(scope, arn, Delivery.DELIVERED)

    def _drop(self, scope: Scope, arn: str, reason: str) -> None:
        self._deliveries.count(scope, arn, Delivery.GIVEN_UP)
        _log.warning("s3.event_dropped target=%s reason=%s", arn, reason)

    def _sequencer(self) -> str:
        # Grows, over restarts too as long as the machine's time does; of one width, so that texts compare as numbers.
        self._last_ns = max(self._last_ns + 1, int(self._clock.now() * 1e9))
        return f"{self._last_ns:018X}"

    async def _check_targets(self, scope: Scope, bucket: str, rules: Sequence[Rule]) -> None:
        """
        Refuse targets that are not there, and functions whose policy does not let S3 in on behalf of the bucket.

        Raises:
            InvalidArgument: naming each. Observed: field reports of the text and of its members.
        """
        refused: dict[str, str] = {}
        for rule in rules:
            target = parse_target(rule.target_arn)
            assert target is not None
            if target.service == "lambda":
                is_there = await self._destinations["lambda"].exists(target)
                if not (is_there and await self._is_let_in(scope, bucket, rule.target_arn)):
                    refused[rule.target_arn] = f"Not authorized to invoke function [{rule.target_arn}]"
            elif not await self._destinations[target.service].exists(target):
                # Observed: field reports of the text.
                refused[rule.target_arn] = "The destination queue does not exist"
        if refused:
            raise _cannot_be_targets(refused)

    async def _is_let_in(self, scope: Scope, bucket: str, arn: str) -> bool:
        """
        Say whether a function's policy lets S3 in for a bucket.

        Args:
            scope: of the bucket.
        """
        return await is_let_in(self._store, arn, service_for(_SERVICE, f"arn:aws:s3:::{bucket}", scope.account))

    async def _send_tests(self, scope: Scope, bucket: str, rules: Sequence[Rule], request_id: str) -> None:
        body = test_event(bucket, self._clock.now(), request_id, host_id_of(request_id))
        for arn in dict.fromkeys(rule.target_arn for rule in rules):
            target = parse_target(arn)
            assert target is not None
            if target.service == "sqs":
                await self._send(scope, arn, body, None)


def _check_owners(scope: Scope, rules: Sequence[Rule]) -> None:
    """
    Refuse queues of another account than the bucket's: what they let in is not asked, so nobody else may send there.

    Raises:
        InvalidArgument: naming each.
    """
    targets = [(rule.target_arn, parse_target(rule.target_arn)) for rule in rules]
    refused = {
        arn: "Queues of other accounts are not offered by this version of Lambent"
        for arn, target in targets
        if target is not None and target.service == "sqs" and target.scope.account != scope.account
    }
    if refused:
        raise _cannot_be_targets(refused)


def _cannot_be_targets(refused: Mapping[str, str]) -> InvalidArgument:
    fields: dict[str, str] = {}
    for number, (arn, reason) in enumerate(refused.items(), 1):
        fields |= {f"ArgumentName{number}": f"{arn}, null", f"ArgumentValue{number}": reason}
    return InvalidArgument("Unable to validate the following destination configurations", fields=fields)


def host_id_of(request_id: str) -> str:
    """Return an `x-amz-id-2` for a request: nothing is known by it here but the request."""
    return (request_id.replace("-", "") * 3)[:76]


_ANY = Scope("", "")
"""Buckets are known by their names alone, over all accounts and regions."""
