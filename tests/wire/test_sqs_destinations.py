"""What becomes of events ends in queues, where anybody receives it."""

import json

FAILING = "def handler(e, c): raise ValueError('no')"


def test_records_and_dead_letters_are_messages(server, lambda_client, make_function, unique_name):
    """A record with its body, a dead letter with its attributes; a queue that is not there cannot be configured."""
    sqs = server.client("sqs")
    queues = {}
    for kind in ("failed", "dead"):
        url = sqs.create_queue(QueueName=f"{unique_name}-{kind}")["QueueUrl"]
        asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        queues[kind] = (url, asked["Attributes"]["QueueArn"])
    name = make_function(FAILING, DeadLetterConfig={"TargetArn": queues["dead"][1]})
    lambda_client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queues["failed"][1]}},
    )
    sent = lambda_client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"k": 1}')
    request_id = sent["ResponseMetadata"]["RequestId"]

    def received(kind):
        answer = sqs.receive_message(QueueUrl=queues[kind][0], WaitTimeSeconds=20, MessageAttributeNames=["All"])
        (message,) = answer["Messages"]
        return message

    record = json.loads(received("failed")["Body"])
    assert (record["requestContext"]["requestId"], record["requestPayload"]) == (request_id, {"k": 1})
    letter = received("dead")
    assert json.loads(letter["Body"]) == {"k": 1}
    assert letter["MessageAttributes"]["RequestID"] == {"DataType": "String", "StringValue": request_id}
    refused = queues["dead"][1] + "-not"
    try:
        lambda_client.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": refused})
    except lambda_client.exceptions.InvalidParameterValueException as error:
        assert "does not exist" in str(error)
    else:
        raise AssertionError("a queue that is not there was taken")
