"""SQS in its older protocol: forms in, XML out, and a queue's URL as the endpoint."""

import http.client
import urllib.parse
import xml.etree.ElementTree as ET

import pytest

NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"
PATH = "/111122223333/{name}"


@pytest.fixture
def ask(server):
    """Send a form, or a query where there is no body to send; return the status and the XML."""

    def send(path, *, method="POST", **fields):
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        form = urllib.parse.urlencode(fields)
        headers = {"Authorization": "Credential=111122223333/20260101/eu-west-1/sqs/aws4_request,"}
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST", path, form, headers)
        else:
            connection.request("GET", f"{path}?{form}", headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, ET.fromstring(text), text

    return send


def texts(root, name):
    return [element.text for element in root.iter(NAMESPACE + name)]


def test_a_queue_is_its_own_endpoint(server, ask, unique_name):
    """Flat, numbered parameters; the path names the queue, and a QueueUrl parameter wins over it."""
    fields = {"Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "0", "Tag.1.Key": "k", "Tag.1.Value": "v"}
    status, root, _ = ask("/", Action="CreateQueue", Version="2012-11-05", QueueName=unique_name, **fields)
    assert status == 200
    (url,) = texts(root, "QueueUrl")
    path = PATH.format(name=unique_name)
    assert url == server.endpoint + path
    attributes = {
        "MessageAttribute.1.Name": "k",
        "MessageAttribute.1.Value.DataType": "Binary",
        "MessageAttribute.1.Value.BinaryValue": "AP8=",
    }
    status, root, _ = ask(path, Action="SendMessage", MessageBody="a\rb & <c>", **attributes)
    assert (status, len(texts(root, "MessageId")), len(texts(root, "MD5OfMessageAttributes"))) == (200, 1, 1)
    status, root, text = ask(
        "/",
        method="GET",
        Action="ReceiveMessage",
        QueueUrl=url,
        **{"AttributeName.1": "All", "MessageAttributeName.1": "All"},
    )
    assert texts(root, "Body") == ["a\rb & <c>"]
    assert "SenderId" in texts(root, "Name")
    assert texts(root, "BinaryValue") == ["AP8="]
    (handle,) = texts(root, "ReceiptHandle")
    assert text.startswith(
        '<ReceiveMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ReceiveMessageResult>'
    )
    batch = {"DeleteMessageBatchRequestEntry.1.Id": "a", "DeleteMessageBatchRequestEntry.1.ReceiptHandle": handle}
    _, root, _ = ask(path, Action="DeleteMessageBatch", **batch)
    assert [
        element.find(NAMESPACE + "Id").text for element in root.iter(NAMESPACE + "DeleteMessageBatchResultEntry")
    ] == ["a"]
    assert "<ReceiveMessageResult/>" in ask(path, Action="ReceiveMessage")[2]
    status, _, text = ask(
        path, Action="SetQueueAttributes", **{"Attribute.Name": "DelaySeconds", "Attribute.Value": "3"}
    )
    assert status == 200 and "SetQueueAttributesResult" not in text
    _, root, _ = ask(path, Action="GetQueueAttributes", **{"AttributeName.1": "DelaySeconds"})
    assert (texts(root, "Name"), texts(root, "Value")) == (["DelaySeconds"], ["3"])
    _, root, _ = ask(path, Action="GetQueueAttributes", AttributeName="DelaySeconds")
    assert (texts(root, "Name"), texts(root, "Value")) == (["DelaySeconds"], ["3"])
    _, root, _ = ask(path, Action="ListQueueTags")
    assert (texts(root, "Key"), texts(root, "Value")) == (["k"], ["v"])
    assert texts(ask(path, Action="GetQueueUrl", QueueName=unique_name)[1], "QueueUrl") == [url]
    # Nobody signed this one: it comes from the default account, which the queue's policy does not know.
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", f"{path}?Action=PurgeQueue")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert (answer.status, "<Code>AccessDenied</Code>" in text) == (403, True)


def test_errors_in_xml(ask):
    """Statuses and codes of the protocol; operations that a queue's URL does not take; no operation at all."""
    path = PATH.format(name="nowhere")

    def refused(path, **fields):
        status, root, _ = ask(path, **fields)
        assert root.find(f"{NAMESPACE}Error/{NAMESPACE}Detail") is not None
        return status, texts(root, "Code")[0], texts(root, "Message")[0]

    assert refused(path, Action="DeleteQueue") == (
        400,
        "AWS.SimpleQueueService.NonExistentQueue",
        "The specified queue does not exist for this wsdl version.",
    )
    for action in ("ListQueues", "CreateQueue", "FooBar"):
        text = f"The action {action} is not valid for this endpoint."
        assert refused(path, Action=action, QueueName="q") == (400, "InvalidAction", text)
    assert refused("/", Action="CreateQueue") == (
        400,
        "MissingParameter",
        "The request must contain the parameter QueueName.",
    )
    assert ask(path)[::2] == (404, "<UnknownOperationException/>")


def test_json_errors_have_400_for_who_does_not_ask(server, unique_name):
    """The older statuses are for clients that send x-amzn-query-mode; the older code comes to all."""
    for mode, status in (({}, 400), ({"x-amzn-query-mode": "true"}, 404)):
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        headers = {
            "X-Amz-Target": "AmazonSQS.ListMessageMoveTasks",
            "Content-Type": "application/x-amz-json-1.0",
            **mode,
        }
        connection.request("POST", "/", '{"SourceArn":"arn:aws:sqs:us-east-1:000000000000:nope"}', headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        assert answer.status == status
        assert answer.headers["x-amzn-query-error"] == "ResourceNotFoundException;Sender"
        assert body.startswith('{"__type":"com.amazonaws.sqs#ResourceNotFoundException","message":"')
