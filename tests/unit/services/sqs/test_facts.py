"""What policies get to know of queues, and that it is what there is now."""

import asyncio
import json
from pathlib import Path

from lambent.access.authorize import Demand
from lambent.testing.api import SCOPE, open_api

Q = f"arn:aws:sqs:{SCOPE.region}:{SCOPE.account}:q"
DEMAND = Demand("sqs:SendMessage", Q)
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": Q}]}
)


def test_policy_and_tags_are_those_of_the_queue_as_it_is(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_api(tmp_path) as api:
            facts = api.queues.facts
            assert await facts.policy(DEMAND) is None and await facts.tags(DEMAND) == {}
            await api.call("CreateQueue", "sqs", QueueName="q", tags={"team": "red"})
            assert await facts.tags(DEMAND) == {"team": "red"}
            before = facts.revision
            await api.call("SetQueueAttributes", "sqs", QueueUrl="q", Attributes={"Policy": POLICY})
            assert facts.revision > before
            found = await facts.policy(DEMAND)
            assert found is not None and await facts.policy(DEMAND) is found
            await api.call("SetQueueAttributes", "sqs", QueueUrl="q", Attributes={"Policy": ""})
            assert await facts.policy(DEMAND) is None
            assert await facts.policy(Demand("sqs:ListQueues")) is None
            assert await facts.completed(DEMAND) is DEMAND

    asyncio.run(story())
