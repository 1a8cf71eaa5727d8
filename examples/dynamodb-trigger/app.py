"""Follows a table of carts: what was put in, what changed, what has expired, and what cannot be read."""


def handler(event, context):
    for record in event["Records"]:
        change = record["dynamodb"]
        cart = change["Keys"]["id"]["S"]
        try:
            before, after = total(change.get("OldImage")), total(change.get("NewImage"))
        except (KeyError, ValueError) as error:
            print(f"cart {cart}: {error!r}")
            # With ReportBatchItemFailures reading goes on here: what was before it in the batch is done.
            return {"batchItemFailures": [{"itemIdentifier": change["SequenceNumber"]}]}
        if record["eventName"] != "REMOVE":
            print(f"cart {cart}: {before} -> {after}")
        elif record.get("userIdentity", {}).get("principalId") == "dynamodb.amazonaws.com":
            print(f"cart {cart} expired with {before}")
        else:
            print(f"cart {cart} bought for {before}")
    return {"batchItemFailures": []}


def total(image):
    return 0 if image is None else int(image["total"]["N"])
