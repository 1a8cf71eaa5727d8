"""Takes orders out of a queue: sound ones are done, the others are tried again and end in a dead-letter queue."""

import json


def handler(event, context):
    failures = []
    for record in event["Records"]:
        try:
            order = json.loads(record["body"])
            print(f"order {order['id']}: {order['count']} of {order['item']}")
        except (ValueError, KeyError, TypeError) as error:
            print(f"no order: {error!r}")
            # With ReportBatchItemFailures only these come back; the rest of the batch is deleted.
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
