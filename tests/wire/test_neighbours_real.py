"""
Neighbours by URL: an S3 server in Go that checks every signature, behind the same port.

`tools/setup.py versitygw` builds it once.
"""

import hashlib
import io
import json
import os
import time
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.exceptions import ClientError
from wire.real_s3 import real_s3
from wire.support import ACCOUNT, REGION, ROLE, Server, invoke, newest_python, wait_updated, zip_of

MIB = 1 << 20


@pytest.fixture(scope="module")
def real():
    """An S3 server that is not ours, with credentials that our clients do not have."""
    with real_s3() as made:
        yield made.url, made.credentials


@pytest.fixture(scope="module")
def signing(real):
    """A server of ours that signs anew what it passes on."""
    url, credentials = real
    made = Server(None, "--neighbour", f"s3={url}", "--neighbour-credentials", str(credentials)).start()
    yield made
    made.discard()


@pytest.fixture(scope="module")
def s3(signing):
    client = signing.client("s3")
    client.create_bucket(Bucket="media")
    return client


@pytest.mark.parametrize("key", ["plain", "a b/c+d(1)é!'*.txt", "x%2Fy", "~-_/x.y"])
def test_any_key(s3, key):
    """The server computes each signature itself, from the path as it understands it."""
    s3.put_object(Bucket="media", Key=key, Body=b"hello", Metadata={"who": "me"})
    answer = s3.get_object(Bucket="media", Key=key)
    assert (answer["Body"].read(), answer["Metadata"]) == (b"hello", {"who": "me"})
    assert key in [item["Key"] for item in s3.list_objects_v2(Bucket="media", Prefix=key[:2])["Contents"]]


def test_checksums_and_parts(s3):
    """Hashes that the caller gave are checked by the server."""
    s3.put_object(Bucket="media", Key="summed", Body=b"hello", ChecksumAlgorithm="SHA256")
    found = s3.head_object(Bucket="media", Key="summed", ChecksumMode="ENABLED")["ChecksumSHA256"]
    assert found == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
    content = os.urandom(12 * MIB)
    s3.upload_fileobj(io.BytesIO(content), "media", "parts")
    assert (
        hashlib.sha256(s3.get_object(Bucket="media", Key="parts")["Body"].read()).digest()
        == hashlib.sha256(content).digest()
    )


@pytest.mark.parametrize(
    ("kind", "is_signed", "has_trailer"),
    [
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", True, False),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", True, True),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", False, True),
    ],
)
def test_framed_bodies(signing, s3, kind, is_signed, has_trailer):
    """Chunks that the caller signed lose these signatures; a checksum after them is still checked."""
    signature = ";chunk-signature=" + "0" * 64 if is_signed else ""

    def send(checksum):
        trailer = f"x-amz-checksum-crc32:{checksum}\r\n" if has_trailer else ""
        if has_trailer and is_signed:
            trailer += "x-amz-trailer-signature:" + "0" * 64 + "\r\n"
        body = f"5{signature}\r\nhello\r\n0{signature}\r\n{trailer}\r\n".encode()
        headers = {
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/s3/aws4_request, "
            "SignedHeaders=host, Signature=00",
            "x-amz-content-sha256": kind,
            "x-amz-decoded-content-length": "5",
            "content-encoding": "aws-chunked",
            "content-type": "text/plain",
        }
        if has_trailer:
            headers["x-amz-trailer"] = "x-amz-checksum-crc32"
        request = urllib.request.Request(f"{signing.endpoint}/media/framed", body, headers, method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status

    assert send("NhCmhg==") == 200
    assert s3.get_object(Bucket="media", Key="framed")["Body"].read() == b"hello"
    if has_trailer:
        with pytest.raises(urllib.error.HTTPError) as excinfo:
            send("AAAAAA==")
        excinfo.value.close()


def test_a_frame_that_is_broken(signing, s3):
    """The caller hears that it is, and the server has nothing of it."""
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/s3/aws4_request, "
        "SignedHeaders=host, Signature=00",
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "x-amz-decoded-content-length": "10",
    }
    request = urllib.request.Request(
        f"{signing.endpoint}/media/broken", b"5;chunk-signature=0\r\nhello and more\r\n", headers, method="PUT"
    )
    with pytest.raises(urllib.error.HTTPError) as excinfo:
        urllib.request.urlopen(request, timeout=30)
    with excinfo.value as refused:
        assert (refused.status, b"<Code>IncompleteBody</Code>" in refused.read()) == (400, True)
    with pytest.raises(ClientError):
        s3.head_object(Bucket="media", Key="broken")


def test_presigned_urls_and_what_nobody_signed(signing, s3):
    """A presigned URL is signed anew, and no longer than it was good; what nobody signed stays so, and is refused."""
    s3.put_object(Bucket="media", Key="given", Body=b"hello")
    for version in ("s3", "s3v4"):
        url = signing.client("s3", signature_version=version).generate_presigned_url(
            "get_object", Params={"Bucket": "media", "Key": "given", "ResponseContentType": "text/x"}
        )
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert (answer.read(), answer.headers["Content-Type"]) == (b"hello", "text/x")
    request = urllib.request.Request(f"{signing.endpoint}/media/given", headers={"Host": "s3.localhost"})
    with pytest.raises(urllib.error.HTTPError) as excinfo:
        urllib.request.urlopen(request, timeout=30)
    with excinfo.value as refused:
        assert refused.status == 403


def test_its_errors_are_its_own(s3):
    """They pass as they are."""
    with pytest.raises(ClientError) as excinfo:
        s3.get_object(Bucket="media", Key="no-such-key")
    assert excinfo.value.response["Error"]["Code"] == "NoSuchKey"


def test_without_credentials_a_request_passes_as_it_was_signed(real, own_server):
    """Host and all: whoever has the server's own keys needs no section in the file, and who has not is refused."""
    url, _ = real
    made = own_server(None, "--neighbour", f"s3={url}").start()
    with pytest.raises(ClientError) as excinfo:
        made.client("s3").list_buckets()
    # In this server's own words.
    assert excinfo.value.response["Error"]["Code"] == "XAdminUserNotFound"

    mine = boto3.client(
        "s3", endpoint_url=made.endpoint, region_name=REGION, aws_access_key_id="REALKEY",
        aws_secret_access_key="real-secret",
    )  # fmt: skip
    mine.create_bucket(Bucket="passed")
    mine.put_object(Bucket="passed", Key="a b+c", Body=b"hello")
    assert mine.get_object(Bucket="passed", Key="a b+c")["Body"].read() == b"hello"
    sqs = made.client("sqs")
    url = sqs.create_queue(QueueName="passed")["QueueUrl"]
    rule = {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:passed", "Events": ["s3:ObjectCreated:*"]}
    mine.put_bucket_notification_configuration(
        Bucket="passed", NotificationConfiguration={"QueueConfigurations": [rule]}
    )
    mine.put_object(Bucket="passed", Key="told", Body=b"hello")
    bodies = []
    for _ in range(20):
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            bodies.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if len(bodies) == 2:
            break
    (told,) = [body["Records"][0]["s3"]["object"] for body in bodies if "Records" in body]
    assert (told["key"], told["size"]) == ("told", 5)


def test_code_and_notifications_of_a_real_server(signing, s3):
    """A function whose code lies there is told of what is put there, and the server has heard of neither."""
    s3.create_bucket(Bucket="code")
    archive = zip_of({"app.py": "def handler(event, context):\n    return event\n"})
    s3.put_object(Bucket="code", Key="app.zip", Body=archive)
    client, sqs = signing.client("lambda"), signing.client("sqs")
    url = sqs.create_queue(QueueName="seen")["QueueUrl"]
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:seen"
    client.create_function(
        FunctionName="told", Runtime=newest_python(), Handler="app.handler", Role=ROLE,
        Code={"S3Bucket": "code", "S3Key": "app.zip"},
    )  # fmt: skip
    wait_updated(client, "told")
    assert invoke(client, "told", {"a": 1})[1] == {"a": 1}
    client.put_function_event_invoke_config(
        FunctionName="told", DestinationConfig={"OnSuccess": {"Destination": queue}}
    )
    client.add_permission(
        FunctionName="told", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::media", SourceAccount=ACCOUNT,
    )  # fmt: skip
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:told"
    s3.put_bucket_notification_configuration(
        Bucket="media",
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    s3.put_object(Bucket="media", Key="one", Body=b"hello")
    s3.copy_object(Bucket="media", Key="two", CopySource={"Bucket": "media", "Key": "one"})
    upload = s3.create_multipart_upload(Bucket="media", Key="three")["UploadId"]
    part = s3.upload_part(Bucket="media", Key="three", UploadId=upload, PartNumber=1, Body=bytes(1000))["ETag"]
    s3.complete_multipart_upload(
        Bucket="media", Key="three", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
    )
    told = {}
    deadline = time.monotonic() + 60
    while len(told) < 3 and time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            (record,) = json.loads(message["Body"])["responsePayload"]["Records"]
            told[record["s3"]["object"]["key"]] = (record["eventName"], record["s3"]["object"]["size"])
    assert told == {
        "one": ("ObjectCreated:Put", 5),
        "two": ("ObjectCreated:Copy", 5),
        "three": ("ObjectCreated:CompleteMultipartUpload", 1000),
    }
