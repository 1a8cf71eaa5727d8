"""Other AWS services on the one port: passed on, piece by piece, to the embedded stand-in or to a server by URL."""

import contextlib
import hashlib
import http.client
import json
import os
import pwd
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from wire.support import child_of, invoke, wait_for

MIB = 1 << 20


@pytest.fixture(scope="module")
def s3(server):
    return server.client("s3")


@pytest.fixture(scope="module")
def bucket(s3):
    s3.create_bucket(Bucket="neighbours")
    return "neighbours"


def memory_kib(pid, which="VmRSS"):
    """Return what a process holds, or held at most (VmHWM)."""
    return int(re.search(rf"{which}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def as_nobody(path, mode):
    """Open a file as functions without walls would."""
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        path.open(mode).close()
    finally:
        os.seteuid(0)


def read_all(answer):
    with contextlib.closing(answer["Body"]) as body:
        return body.read()


def test_objects_go_there_and_back(s3, bucket):
    """Whatever their keys and headers are; parts of them and their heads too."""
    key = "in/a b+c(1)%2F&é.txt"
    tag = s3.put_object(Bucket=bucket, Key=key, Body=b"hello", ContentType="text/x", Metadata={"who": "me"})["ETag"]
    assert tag == f'"{hashlib.md5(b"hello").hexdigest()}"'
    answer = s3.get_object(Bucket=bucket, Key=key)
    assert (read_all(answer), answer["ContentType"], answer["Metadata"]) == (b"hello", "text/x", {"who": "me"})
    assert read_all(s3.get_object(Bucket=bucket, Key=key, Range="bytes=1-2")) == b"el"
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == 5
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix="in/")["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(ClientError) as excinfo:
        s3.get_object(Bucket=bucket, Key=key)
    assert excinfo.value.response["Error"]["Code"] == "NoSuchKey"


def test_an_empty_object_is_one(s3, bucket):
    """A request without a body is not one whose body is missing."""
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert read_all(s3.get_object(Bucket=bucket, Key="empty")) == b""


def test_a_large_body_is_never_in_the_servers_memory(server, s3, bucket):
    """200 MB there and back leave the server where it was."""
    s3.head_bucket(Bucket=bucket)
    before = memory_kib(server.process.pid, "VmHWM")
    piece = os.urandom(MIB)

    class Long:
        """A body that is nowhere whole on this side either."""

        left = 200 * MIB

        def read(self, size=-1):
            size = min(self.left, size if size >= 0 else self.left, MIB)
            self.left -= size
            return piece[:size]

    host = f"127.0.0.1:{server.port}"
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "large"})
    connection = http.client.HTTPConnection(host, timeout=120)
    connection.request("PUT", url.split(host, 1)[1], Long(), {"Content-Length": str(200 * MIB)})
    assert connection.getresponse().status == 200
    connection.close()
    size = sum(len(part) for part in s3.get_object(Bucket=bucket, Key="large")["Body"].iter_chunks(MIB))
    assert size == 200 * MIB
    assert memory_kib(server.process.pid, "VmHWM") - before < 30_000
    s3.delete_object(Bucket=bucket, Key="large")


def test_a_multipart_upload(s3, bucket):
    """As SDKs send what is long."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(
            Bucket=bucket, Key="parts", UploadId=upload, PartNumber=number, Body=bytes([number]) * 5 * MIB
        )["ETag"]}
        for number in (1, 2)
    ]  # fmt: skip
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.head_object(Bucket=bucket, Key="parts")["ContentLength"] == 10 * MIB


@pytest.mark.parametrize("kind", ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"])
def test_aws_chunked_bodies(server, s3, bucket, kind):
    """The frame is not part of the object."""
    signature = ";chunk-signature=" + "0" * 64 if "HMAC" in kind else ""
    trailer = "" if "HMAC" in kind else "x-amz-checksum-crc32:NhCmhg==\r\n"
    body = f"3{signature}\r\nhel\r\n2{signature}\r\nlo\r\n0{signature}\r\n{trailer}\r\n".encode()
    headers = signed_headers("s3") | {
        "x-amz-content-sha256": kind,
        "x-amz-decoded-content-length": "5",
        "content-encoding": "aws-chunked",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    request = urllib.request.Request(f"{server.endpoint}/{bucket}/framed", body, headers, method="PUT")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
    assert read_all(s3.get_object(Bucket=bucket, Key="framed")) == b"hello"


def signed_headers(service):
    credential = f"test/20200101/us-east-1/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00"}


def test_a_chunked_request_and_one_that_waits_for_leave(server, s3, bucket):
    """Transfer-Encoding: chunked, and Expect: 100-continue."""
    authorization = signed_headers("s3")["Authorization"]
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(
            f"PUT /{bucket}/waited HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n"
            "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"5\r\nhello\r\n0\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert read_all(s3.get_object(Bucket=bucket, Key="waited")) == b"hello"


def test_a_client_that_leaves_half_way(server, s3, bucket):
    """Nothing of its object is there, what was there before is whole, and the server goes on."""
    s3.put_object(Bucket=bucket, Key="whole", Body=b"whole")
    authorization = signed_headers("s3")["Authorization"]
    for key, framing, body in (
        ("half", f"Content-Length: {MIB}", bytes(1000)),
        ("whole", f"Content-Length: {MIB}", bytes(1000)),
        ("whole", "Transfer-Encoding: chunked", b"3e8\r\n" + bytes(1000)),
    ):
        with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
            connection.sendall(
                f"PUT /{bucket}/{key} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n"
                f"{framing}\r\n\r\n".encode()
                + body
            )
    s3.put_object(Bucket=bucket, Key="after", Body=b"")
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="half")
    assert read_all(s3.get_object(Bucket=bucket, Key="whole")) == b"whole"


def test_presigned_urls(server, s3, bucket):
    """Of both versions; one whose time is over is refused."""
    old, new = server.client("s3", signature_version="s3"), server.client("s3", signature_version="s3v4")
    for client in (old, new):
        url = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "given"}, ExpiresIn=60)
        with urllib.request.urlopen(urllib.request.Request(url, b"hello", method="PUT"), timeout=30) as answer:
            assert answer.status == 200
        url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "given"}, ExpiresIn=60)
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert answer.read() == b"hello"
    late = re.sub(r"X-Amz-Date=\d{8}", "X-Amz-Date=20200101", new.generate_presigned_url("list_buckets"))
    with pytest.raises(urllib.error.HTTPError) as excinfo:
        urllib.request.urlopen(late, timeout=30)
    with excinfo.value as refused:
        assert refused.status == 403
        assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in refused.read()


def test_a_form_that_a_browser_posts(server, s3, bucket):
    """Signed in one of its fields."""
    form = s3.generate_presigned_post(bucket, "posted")
    boundary = "xx"
    fields = [*form["fields"].items(), ("file", "hello")]
    body = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    url = f"{server.endpoint}/{bucket}"
    with urllib.request.urlopen(
        urllib.request.Request(url, f"{body}--{boundary}--\r\n".encode(), headers), timeout=30
    ) as answer:
        assert answer.status in {200, 204}
    assert read_all(s3.get_object(Bucket=bucket, Key="posted")) == b"hello"


@pytest.mark.parametrize("host", ["{bucket}.s3.localhost", "{bucket}.s3.eu-west-1.localhost"])
def test_buckets_in_the_host_name(server, s3, bucket, host):
    """The virtual-hosted style, and the path style under a name."""
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"hello")
    in_path = f"/{bucket}/a/b"
    for name, path in ((host.format(bucket=bucket), "/a/b"), ("s3.localhost", in_path), ("lambent.localhost", in_path)):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": f"{name}:{server.port}", **signed_headers("s3")})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"hello")


def test_an_answer_that_comes_before_the_body_was_sent_is_seen(server, s3):
    """A client that sends 20 MB to a bucket that is not there gets to read why not."""
    with pytest.raises(ClientError) as excinfo:
        s3.put_object(Bucket="there-is-no-such-bucket", Key="a", Body=bytes(20 * MIB))
    assert excinfo.value.response["Error"]["Code"] == "NoSuchBucket"


def test_each_service_of_the_list_answers(server):
    """DynamoDB with its streams, Kinesis, SSM, Secrets Manager and KMS."""
    make_of_each(server)
    check_each(server)


def make_of_each(server):
    server.client("dynamodb").create_table(
        TableName="each",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    server.client("dynamodb").put_item(TableName="each", Item={"id": {"S": "1"}, "n": {"N": "7"}})
    server.client("kinesis").create_stream(StreamName="each", ShardCount=2)
    server.client("kinesis").put_record(StreamName="each", Data=b"hello", PartitionKey="a")
    server.client("ssm").put_parameter(Name="/each", Value="hello", Type="SecureString")
    server.client("secretsmanager").create_secret(Name="each", SecretString="hello")
    kms = server.client("kms")
    for spec, usage in (("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("RSA_2048", "SIGN_VERIFY")):
        key = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/each-{spec}", TargetKeyId=key)


def check_each(server):
    dynamodb, kinesis, kms = (server.client(name) for name in ("dynamodb", "kinesis", "kms"))
    assert dynamodb.get_item(TableName="each", Key={"id": {"S": "1"}})["Item"]["n"] == {"N": "7"}
    streams = server.client("dynamodbstreams")
    (stream,) = streams.list_streams(TableName="each")["Streams"]
    shard = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(
        StreamArn=stream["StreamArn"], ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    assert [record["eventName"] for record in streams.get_records(ShardIterator=iterator)["Records"]] == ["INSERT"]
    found = []
    for shard in kinesis.describe_stream(StreamName="each")["StreamDescription"]["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName="each", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found += [record["Data"] for record in kinesis.get_records(ShardIterator=iterator)["Records"]]
    assert found == [b"hello"]
    assert server.client("ssm").get_parameter(Name="/each", WithDecryption=True)["Parameter"]["Value"] == "hello"
    assert server.client("secretsmanager").get_secret_value(SecretId="each")["SecretString"] == "hello"
    sealed = kms.encrypt(KeyId="alias/each-SYMMETRIC_DEFAULT", Plaintext=b"hello")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"hello"
    signed = kms.sign(
        KeyId="alias/each-RSA_2048", Message=b"hello", SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256"
    )["Signature"]  # fmt: skip
    assert signed


def test_accounts_and_regions_are_kept_apart(server):
    """As everywhere: by the access key's twelve digits and the signature's region."""
    one, other = server.client("ssm", account="111111111111"), server.client("ssm", account="222222222222")
    one.put_parameter(Name="/mine", Value="1", Type="String")
    for client in (other, server.client("ssm", account="111111111111", region="eu-west-1")):
        with pytest.raises(ClientError) as excinfo:
            client.get_parameter(Name="/mine")
        assert excinfo.value.response["Error"]["Code"] == "ParameterNotFound"
    assert ":111111111111:" in one.get_parameter(Name="/mine")["Parameter"]["ARN"]


def test_what_the_stand_in_would_only_pretend_is_refused(server):
    """Rotation starts a function, which moto looks for in itself."""
    secrets = server.client("secretsmanager")
    secrets.create_secret(Name="rotated", SecretString="a")
    with pytest.raises(ClientError) as excinfo:
        secrets.rotate_secret(SecretId="rotated", RotationLambdaARN="arn:aws:lambda:us-east-1:000000000000:function:f")
    assert excinfo.value.response["Error"]["Code"] == "NotImplementedException"


@pytest.mark.parametrize("path", ["/moto-api/reset", "/moto-api/data.json", "/latest/meta-data/"])
def test_motos_own_doors_are_closed(server, bucket, s3, path):
    """Nobody resets the state through the port: to S3 these are buckets like any other."""
    request = urllib.request.Request(f"{server.endpoint}{path}", b"", signed_headers("s3"), method="POST")
    with pytest.raises(urllib.error.HTTPError) as excinfo:
        urllib.request.urlopen(request, timeout=30)
    excinfo.value.close()
    s3.head_bucket(Bucket=bucket)


def test_s3_control_is_another_service(server):
    """It signs as S3; a bucket called v20180820 is not what is meant."""
    request = urllib.request.Request(f"{server.endpoint}/v20180820/accesspoint", headers=signed_headers("s3"))
    with pytest.raises(urllib.error.HTTPError) as excinfo:
        urllib.request.urlopen(request, timeout=30)
    with excinfo.value as refused:
        assert refused.status == 501
        assert "s3control is not offered by this version of Lambent" in refused.read().decode()


def test_a_function_reaches_s3(server, make_function, s3, bucket):
    """By AWS_ENDPOINT_URL, as everything else, with whatever it has: here HTTP alone."""
    source = f"""
import os, urllib.request
KEY = os.environ["AWS_ACCESS_KEY_ID"]
HEADERS = {{"Authorization": f"AWS4-HMAC-SHA256 Credential={{KEY}}/20200101/us-east-1/s3/aws4_request, "
           "SignedHeaders=host, Signature=00"}}
def handler(event, context):
    url = os.environ["AWS_ENDPOINT_URL"] + "/{bucket}/by-function"
    urllib.request.urlopen(urllib.request.Request(url, b"from inside", HEADERS, method="PUT")).close()
    with urllib.request.urlopen(urllib.request.Request(url, headers=HEADERS)) as answer:
        return answer.read().decode()
"""
    answer, result = invoke(server.client("lambda"), make_function(source))
    assert (answer.get("FunctionError"), result) == (None, "from inside")
    assert read_all(s3.get_object(Bucket=bucket, Key="by-function")) == b"from inside"


def test_the_stand_ins_life(own_server):
    """
    It starts with the first request that wants it, as a user that is neither root nor the functions', and leaves with
    the server. One that was killed is there again for the next request.
    """
    made = own_server().start()
    assert child_of(made) is None
    before = memory_kib(made.process.pid)
    made.client("s3").list_buckets()
    first, user = child_of(made)
    assert user != "root"
    if os.geteuid() == 0:
        assert user != pwd.getpwnam("nobody").pw_name
        with pytest.raises(PermissionError):
            as_nobody(made.data_dir / "neighbours" / "lock", "rb")
    limit = re.search(r"Max data size +(\d+)", Path(f"/proc/{first}/limits").read_text())
    assert int(limit[1]) == 4 << 30
    assert memory_kib(made.process.pid) - before < 30_000
    os.kill(first, signal.SIGKILL)

    def is_back():
        try:
            made.client("s3").list_buckets()
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503
            return False
        return True

    wait_for(is_back)
    second, _ = child_of(made)
    assert second != first
    wait_for(lambda: any("neighbours.embedded_ended" in line for line in made.log))
    assert made.stop() == 0
    assert not Path(f"/proc/{second}").exists()


def test_the_state_outlives_the_server(own_server):
    """
    Whole: versions of objects, streams, keys; after a clean stop, and after a crash, upon which the stand-in saves and
    ends by itself. What another version saved is put aside with a line in the log: it is not read, and not lost.
    """
    made = own_server().start()
    s3 = made.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket="kept", Key="a", Body=body)["VersionId"] for body in (b"one", b"two")]
    s3.delete_object(Bucket="kept", Key="a")
    make_of_each(made)
    for end in (made.stop, made.kill):
        end()
        made.restart()
        s3 = made.client("s3")
        assert [read_all(s3.get_object(Bucket="kept", Key="a", VersionId=one)) for one in versions] == [b"one", b"two"]
        assert len(s3.list_object_versions(Bucket="kept", Prefix="a")["DeleteMarkers"]) == 1
        check_each(made)
        # So that there is something new to save.
        s3.put_object(Bucket="kept", Key=end.__name__, Body=b"")
    assert {item["Key"] for item in s3.list_objects_v2(Bucket="kept")["Contents"]} == {"stop", "kill"}
    assert made.stop() == 0
    state = made.data_dir / "neighbours" / "state"
    assert state.stat().st_mode & 0o777 == 0o600
    head, rest = state.read_bytes().split(b"\n", 1)
    state.write_bytes(json.dumps({**json.loads(head), "moto": "0.0.1"}).encode() + b"\n" + rest)
    made.restart()
    assert made.client("s3").list_buckets()["Buckets"] == []
    assert (made.data_dir / "neighbours" / "state.aside-1").is_file()
    wait_for(lambda: any("neighbours.state_put_aside" in line and "moto 0.0.1" in line for line in made.log))


def test_a_full_stand_in_says_so(own_server):
    """Writes get 503 and what to do; reads and deletes go on, and make room."""
    made = own_server(None, "--embedded-max-mib", "8").start()
    s3 = made.client("s3")
    s3.create_bucket(Bucket="full")
    s3.put_object(Bucket="full", Key="a", Body=bytes(6 * MIB))
    for write in (
        lambda: s3.put_object(Bucket="full", Key="b", Body=bytes(3 * MIB)),
        lambda: s3.copy_object(Bucket="full", Key="b", CopySource={"Bucket": "full", "Key": "a"}),
        lambda: s3.put_object(Bucket="full", Key="b", Body=bytes(20 * MIB)),
    ):
        with pytest.raises(ClientError) as excinfo:
            write()
        error = excinfo.value.response
        assert (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]) == (503, "SlowDown")
        assert "--neighbour s3=URL" in error["Error"]["Message"]
    assert s3.head_object(Bucket="full", Key="a")["ContentLength"] == 6 * MIB
    s3.delete_object(Bucket="full", Key="a")
    deadline = time.monotonic() + 60
    while True:
        try:
            s3.put_object(Bucket="full", Key="b", Body=bytes(3 * MIB))
            break
        except ClientError:
            # How much a deletion freed is measured once in a while.
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_none_and_a_server_that_is_not_there(own_server):
    """What the operator closed is not offered; what does not answer gets 503, which SDKs try again."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{taken.getsockname()[1]}"
        made = own_server(None, "--neighbour", "s3=none", "--neighbour", f"dynamodb={gone}").start()
        for service, operation, expected in (
            ("s3", "list_buckets", (501, "NotImplementedException")),
            ("dynamodb", "list_tables", (503, "ServiceUnavailable")),
            ("dynamodbstreams", "list_streams", (503, "ServiceUnavailable")),
        ):
            with pytest.raises(ClientError) as excinfo:
                getattr(made.client(service), operation)()
            error = excinfo.value.response
            assert (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]) == expected
