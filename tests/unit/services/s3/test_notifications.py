"""Where a bucket's events may go; what comes of them clients see in tests/wire."""

import asyncio
from typing import Any

import pytest

from lambent.clock import SystemClock
from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import root_of
from lambent.services.s3.errors import InvalidArgument
from lambent.services.s3.notifications import BucketNotifications

OWN, OTHER = "111122223333", "444455556666"
CALLER = Caller(Scope(OWN, "us-east-1"), root_of(OWN), "signature", "the-id", "http://x")
XML = (
    "<NotificationConfiguration><QueueConfiguration><Queue>{arn}</Queue><Event>s3:ObjectCreated:*</Event>"
    "</QueueConfiguration></NotificationConfiguration>"
)


@pytest.mark.parametrize("checks_targets", [True, False])
def test_a_queue_of_another_account_gets_no_events(*, checks_targets: bool) -> None:
    """Its policy is not asked, so that anybody could fill it; whether it is there does not show either."""
    nobody: Any = None
    notifications = BucketNotifications(nobody, nobody, nobody, SystemClock())
    body = XML.format(arn=f"arn:aws:sqs:us-east-1:{OTHER}:q").encode()
    with pytest.raises(InvalidArgument) as refused:
        asyncio.run(notifications.put(CALLER, "b", "us-east-1", body, checks_targets=checks_targets))
    assert refused.value.fields is not None
    assert "Queues of other accounts are not offered" in refused.value.fields["ArgumentValue1"]
