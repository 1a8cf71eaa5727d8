"""The Python context object: however a function is addressed."""

import json
import time

from wire.support import ACCOUNT, REGION, invoke

SOURCE = """
import time
def handler(e, c):
    first = c.get_remaining_time_in_millis()
    time.sleep(0.05)
    identity = c.identity
    return {
        "arn": c.invoked_function_arn, "version": c.function_version, "name": c.function_name,
        "memory": c.memory_limit_in_mb, "left": [first, c.get_remaining_time_in_millis()],
        "identity": [identity.cognito_identity_id, identity.cognito_identity_pool_id],
        "client": c.client_context and [c.client_context.client.app_title, c.client_context.env],
        "deadline": c._epoch_deadline_time_in_ms,
    }
"""


def test_rt03_the_arn_is_what_was_addressed(lambda_client, make_function):
    """RT-03: by name, name:qualifier, partial and full ARN, the qualifier is in the ARN only where one was given."""
    name = make_function(SOURCE, Publish=True)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    for addressed, expected, version in (
        ({"FunctionName": name}, arn, "$LATEST"),
        ({"FunctionName": f"{name}:$LATEST"}, f"{arn}:$LATEST", "$LATEST"),
        ({"FunctionName": f"{name}:1"}, f"{arn}:1", "1"),
        ({"FunctionName": arn}, arn, "$LATEST"),
        ({"FunctionName": f"{arn}:1"}, f"{arn}:1", "1"),
        ({"FunctionName": f"{ACCOUNT}:function:{name}", "Qualifier": "1"}, f"{arn}:1", "1"),
    ):
        answer = lambda_client.invoke(Payload=b"{}", **addressed)
        seen = json.loads(answer["Payload"].read())
        assert (seen["arn"], seen["version"], seen["name"]) == (expected, version, name), addressed
        assert answer["ExecutedVersion"] == version


def test_rt03_types_and_time(lambda_client, make_function):
    """RT-03: memory is a string, the time left falls from the timeout, identity is there and empty."""
    name = make_function(SOURCE, MemorySize=256, Timeout=60)
    seen = invoke(lambda_client, name)[1]
    assert seen["memory"] == "256"
    first, later = seen["left"]
    assert 50_000 < later < first <= 60_000
    assert 0 < seen["deadline"] - time.time() * 1000 <= 60_000
    assert seen["identity"] == [None, None]
    assert seen["client"] is None


def test_rt03_client_context(lambda_client, make_function):
    """RT-03: the client's own part and its environment arrive; a context holds for its call alone."""
    name = make_function(SOURCE)
    # base64 of {"client":{"app_title":"t"},"env":{"locale":"de"}}
    context = "eyJjbGllbnQiOnsiYXBwX3RpdGxlIjoidCJ9LCJlbnYiOnsibG9jYWxlIjoiZGUifX0="
    assert invoke(lambda_client, name, {}, ClientContext=context)[1]["client"] == ["t", {"locale": "de"}]
    assert invoke(lambda_client, name, {})[1]["client"] is None
