"""A server that verifies: real clients with real keys, and everybody else. Each attack stands beside what works."""

import contextlib
import hashlib
import http.client
import io
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

import boto3
import botocore.auth
import pytest
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from wire.iam import allow, put_role, trusting
from wire.signed import SignedServer
from wire.support import ACCOUNT, LAMBENT, REGION, ROLE, error_of, zip_of


@pytest.fixture(scope="module")
def server():
    """
    A server on loopback that verifies all the same.

    Its `keys` are those of administrators of two accounts, and of a session in the first one.
    """
    made = SignedServer("--account", ACCOUNT).start()
    role, _ = put_role(made.with_key("iam"), allow("*"), trust=trusting(ACCOUNT))
    keys = (made.first, made.administrator("111122223333"), made.session(role))
    made.keys = [tuple(text for text in astuple(key) if text) for key in keys]
    # The first one was told, once.
    made.log.clear()
    yield made
    log = "".join(made.log)
    made.discard()
    for _, secret, *token in made.keys:
        # Whatever was refused, and whyever.
        assert secret not in log
        assert not any(one in log for one in token)


def client_of(server, service, credentials=0, **config):
    given = server.keys[credentials] if isinstance(credentials, int) else credentials
    key, secret, token = (*given, None)[:3]
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=server.endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **config),
    )


def refused(call, *arguments, **parameters):
    with pytest.raises(ClientError) as raised:
        call(*arguments, **parameters)
    return error_of(raised)[:2]


def test_real_clients_with_real_keys(server):
    """Each protocol with a key, and with a session."""
    for number in (0, 2):
        assert client_of(server, "lambda", number).list_functions()["Functions"] == []
        assert "queues" not in client_of(server, "sqs", number).list_queues()
        assert client_of(server, "logs", number).describe_log_groups()["logGroups"] == []
        assert client_of(server, "apigatewayv2", number).get_apis()["Items"] == []


def test_each_account_has_its_own(server):
    """A key is of the account that its owner is of, whatever else it says."""
    first, second = client_of(server, "sqs"), client_of(server, "sqs", 1)
    url = first.create_queue(QueueName="mine")["QueueUrl"]
    assert f"/{ACCOUNT}/" in url
    assert "QueueUrls" not in second.list_queues()
    first.delete_queue(QueueUrl=url)


@pytest.mark.parametrize(
    ("service", "operation", "unknown", "mismatch"),
    [
        ("lambda", "list_functions", (403, "UnrecognizedClientException"), (403, "InvalidSignatureException")),
        ("apigatewayv2", "get_apis", (403, "UnrecognizedClientException"), (403, "InvalidSignatureException")),
        ("logs", "describe_log_groups", (400, "UnrecognizedClientException"), (400, "InvalidSignatureException")),
        ("sqs", "list_queues", (403, "InvalidClientTokenId"), (403, "SignatureDoesNotMatch")),
        ("dynamodb", "list_tables", (400, "UnrecognizedClientException"), (400, "InvalidSignatureException")),
        ("s3", "list_buckets", (403, "InvalidAccessKeyId"), (403, "SignatureDoesNotMatch")),
    ],
)
def test_wrong_keys(server, service, operation, unknown, mismatch):
    """A key that there is not, and a wrong secret: each in the service's own words."""
    key, secret = server.keys[0]
    for stranger in ("test", ACCOUNT, "AKIAIOSFODNN7EXAMPLE"):
        assert refused(getattr(client_of(server, service, (stranger, secret)), operation)) == unknown
    assert refused(getattr(client_of(server, service, (key, "test")), operation)) == mismatch
    key, secret, token = server.keys[2]
    assert refused(getattr(client_of(server, service, (key, secret)), operation)) == unknown
    status, _ = refused(getattr(client_of(server, service, (key, secret, token[:-8] + "AAAAAAAA")), operation))
    assert status in {400, 403}


def raw(server, request, target=None, more=()):
    """Send a request exactly as it is; return status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(connection):
        parts = urlsplit(request.url)
        path = target or (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.putrequest(request.method, path, skip_host=True, skip_accept_encoding=True)
        given = {
            name: value for name, value in request.headers.items() if name.lower() not in {"host", "content-length"}
        }
        headers = {"Host": parts.netloc, **given, "Content-Length": str(len(request.body or b""))}
        for name, value in (*headers.items(), *more):
            connection.putheader(name, value)
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


@contextlib.contextmanager
def clock_of_botocore(moment):
    real, botocore.auth.get_current_datetime = botocore.auth.get_current_datetime, lambda *_, **__: moment
    try:
        yield
    finally:
        botocore.auth.get_current_datetime = real


def signed(
    server,
    path="/2015-03-31/functions/",
    *,
    method="GET",
    service="lambda",
    body=b"",
    signer=SigV4Auth,
    at=None,
    **headers,
):
    request = AWSRequest(method, server.endpoint + path, headers, data=body)
    with clock_of_botocore(datetime.now(UTC) if at is None else at):
        signer(Credentials(*server.keys[0]), service, REGION).add_auth(request)
    return request.prepare()


def test_the_header_changed(server):
    """Cut, reordered, of another date, region, service or algorithm: refused, and the header comes back nowhere."""
    assert raw(server, signed(server))[0] == 200
    whole = signed(server).headers["Authorization"]
    other = {
        whole.partition(", Signature")[0]: "IncompleteSignatureException",
        "AWS4-HMAC-SHA256": "IncompleteSignatureException",
        whole.replace("host;x-amz-date", "x-amz-date;host"): "IncompleteSignatureException",
        whole.replace("host;x-amz-date", "host"): "InvalidSignatureException",
        whole.replace("/lambda/", "/logs/"): None,
        whole.replace("/us-east-1/", "/eu-west-1/"): "InvalidSignatureException",
        whole.replace("/aws4_request", "/aws3_request"): "InvalidSignatureException",
        re.sub(r"/\d{8}/", "/20200101/", whole): "InvalidSignatureException",
        whole.replace("HMAC", "ECDSA-P256"): "IncompleteSignatureException",
        whole[:-1] + ("0" if whole[-1] != "0" else "1"): "InvalidSignatureException",
        f"Bearer {server.keys[0][1]}": "MissingAuthenticationTokenException",
        f"AWS {server.keys[0][0]}:eHg=": "IncompleteSignatureException",
    }
    for header, code in other.items():
        request = signed(server)
        request.headers["Authorization"] = header
        status, headers, body = raw(server, request)
        assert status in {400, 403}
        assert code is None or code in headers["x-amzn-errortype"] + body.decode(), header
        assert header[-40:].encode() not in body
        assert server.keys[0][1].encode() not in body
        assert "date" in headers and "age" not in headers


def test_repeated_headers(server):
    """Two of what counts once is not what was signed."""
    for name in ("Authorization", "X-Amz-Date", "Host"):
        request = signed(server)
        value = request.headers.get(name, f"127.0.0.1:{server.port}")
        assert raw(server, request, more=[(name, value)])[0] in {400, 403}, name


def test_another_request(server):
    """The method, the path and its spellings, the query, a signed header: nothing may be another."""
    for target in (
        "/2015-03-31/functions", "/2015-03-31/functions/?Marker=x", "/2015-03-31/functions/%2e%2e/functions/",
        "/2015-03-31/functions%2F", "/2015-03-31/Functions/", "/2015-03-31/functions/x",
    ):  # fmt: skip
        assert raw(server, signed(server), target)[0] in {403, 404}, target
    for target in ("/2015-03-31//functions/", "/2015-03-31/x/../functions/", "/./2015-03-31/functions/"):
        # The same to whoever signs; and no operation is there.
        assert raw(server, signed(server), target)[0] in {403, 404}, target
    request = signed(server)
    request.method = "POST"
    assert raw(server, request)[0] in {403, 404}


def test_another_payload(server):
    """A queue is made as it was signed, and not with another name."""
    headers = {"X-Amz-Target": "AmazonSQS.CreateQueue", "Content-Type": "application/x-amz-json-1.0"}
    for hashed in (False, True):
        body = b'{"QueueName": "one"}'
        more = {"X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()} if hashed else {}
        request = signed(server, "/", method="POST", service="sqs", body=body, **headers, **more)
        assert raw(server, request)[0] == 200
        request.body = b'{"QueueName": "two"}'
        status, answer, _ = raw(server, request)
        assert status == 400 and "SignatureDoesNotMatch" in answer["x-amzn-query-error"]
    request = signed(server, "/", method="POST", service="sqs", body=body, **{"Content-Type": headers["Content-Type"]})
    request.headers["X-Amz-Target"] = "AmazonSQS.CreateQueue"
    assert raw(server, request)[0] == 400
    sqs = client_of(server, "sqs")
    assert [url.rpartition("/")[2] for url in sqs.list_queues()["QueueUrls"]] == ["one"]
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="one")["QueueUrl"])


def test_the_clock(server):
    """Five minutes each way, fifteen of S3; the answer has the server's time."""
    now = datetime.now(UTC)
    for minutes, status in ((-4, 200), (4, 200), (-6, 403), (6, 403)):
        answered, headers, body = raw(server, signed(server, at=now + timedelta(minutes=minutes)))
        assert answered == status
        assert abs(parsedate_to_datetime(headers["date"]) - now) < timedelta(minutes=1)
        assert status == 200 or re.match(r"Signature (expired|not yet current): \d{8}T", json.loads(body)["message"])
    request = signed(server, "/", service="s3", signer=S3SigV4Auth, at=now - timedelta(minutes=16))
    status, _, body = raw(server, request)
    assert status == 403 and b"<Code>RequestTimeTooSkewed</Code>" in body
    assert b"<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>" in body


def fetched(url, method="GET", data=None, **headers):
    asking = urllib.request.Request(
        url, data, {name.replace("_", "-"): value for name, value in headers.items()}, method=method
    )
    try:
        with urllib.request.urlopen(asking, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.fixture(scope="module")
def bucket(server):
    s3 = client_of(server, "s3")
    s3.create_bucket(Bucket="media")
    return s3


def test_objects_of_any_kind(server, bucket):
    """Bodies whose hash is signed, with checksums, in parts; keys that are hard to write."""
    key = "a b/../c//d+e~é"
    for options in ({}, {"ChecksumAlgorithm": "CRC32"}, {"ContentType": "text/plain", "Metadata": {"x": "a  b"}}):
        bucket.put_object(Bucket="media", Key=key, Body=b"hello", **options)
        assert bucket.get_object(Bucket="media", Key=key)["Body"].read() == b"hello"
    bucket.upload_fileobj(io.BytesIO(b"x" * 9_000_000), "media", "large")
    assert bucket.head_object(Bucket="media", Key="large")["ContentLength"] == 9_000_000
    bucket.delete_objects(Bucket="media", Delete={"Objects": [{"Key": key}, {"Key": "large"}]})
    assert "Contents" not in bucket.list_objects_v2(Bucket="media")


def test_an_object_that_is_another(server, bucket):
    """A body that is not the one whose hash was signed makes no object, however long it is."""
    for body in (b"hello", b"x" * 3_000_000):
        request = signed(server, "/media/swapped", method="PUT", service="s3", body=body, signer=S3SigV4Auth)
        request.body = body[:-1] + b"!"
        status, _, answer = raw(server, request)
        assert status == 400 and b"<Code>XAmzContentSHA256Mismatch</Code>" in answer
        assert "Contents" not in bucket.list_objects_v2(Bucket="media", Prefix="swapped")
        request.body = body
        assert raw(server, request)[0] == 200
        bucket.delete_object(Bucket="media", Key="swapped")


def in_chunks(server, *data):
    """Return a request with a body of signed chunks, as clients of other languages send it over plain HTTP."""

    class Streaming(S3SigV4Auth):
        def payload(self, _):
            return "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

    length = str(sum(map(len, data)))
    request = signed(
        server, "/media/chunked", method="PUT", service="s3", signer=Streaming,
        **{"X-Amz-Decoded-Content-Length": length, "Content-Encoding": "aws-chunked"},
    )  # fmt: skip
    stamp, before = request.headers["X-Amz-Date"], request.headers["Authorization"].rpartition("=")[2]
    signer, body = SigV4Auth(Credentials(*server.keys[0]), "s3", REGION), b""
    for chunk in (*data, b""):
        digests = hashlib.sha256(b"").hexdigest(), hashlib.sha256(chunk).hexdigest()
        scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, before, *digests])
        dated = AWSRequest("PUT", "http://x")
        dated.context["timestamp"] = stamp
        before = signer.signature(text, dated)
        body += b"%x;chunk-signature=%b\r\n%b" % (len(chunk), before.encode(), chunk + b"\r\n" if chunk else b"")
    request.body = body + b"\r\n"
    return request


def test_chunks_that_are_signed(server, bucket):
    """They make an object without their frame; one other byte in any of them makes none."""
    data = b"a" * 70_000, b"b" * 1_000
    request = in_chunks(server, *data)
    request.body = request.body.replace(b"bbbb", b"bbcb", 1)
    status, _, answer = raw(server, request)
    assert status == 403 and b"<Code>SignatureDoesNotMatch</Code>" in answer
    request = in_chunks(server, *data)
    # The first chunk alone, and an end.
    request.body = request.body[: request.body.index(b"3e8;")] + request.body[request.body.index(b"0;chunk") :]
    assert raw(server, request)[0] in {400, 403}
    assert "Contents" not in bucket.list_objects_v2(Bucket="media", Prefix="chunked")
    assert raw(server, in_chunks(server, *data))[0] == 200
    assert bucket.get_object(Bucket="media", Key="chunked")["Body"].read() == b"".join(data)
    bucket.delete_object(Bucket="media", Key="chunked")


def test_urls(server, bucket):
    """Whoever has one may use it until its end, for what it was made for."""
    s3 = client_of(server, "s3", signature_version="s3v4")
    put = s3.generate_presigned_url("put_object", {"Bucket": "media", "Key": "by-url"}, 60)
    assert fetched(put, "PUT", b"whatever")[0] == 200
    get = s3.generate_presigned_url("get_object", {"Bucket": "media", "Key": "by-url"}, 60)
    assert fetched(get) == (200, b"whatever")
    for other in (
        get.replace("by-url", "others"),
        get.replace("Expires=60", "Expires=600"),
        get[:-1] + "z",
        get + "&x=1",
    ):
        assert fetched(other)[0] in {400, 403}
    assert fetched(get, "DELETE")[0] == 403
    assert fetched(get.partition("?")[0])[0] == 403
    with clock_of_botocore(datetime.now(UTC) - timedelta(seconds=61)):
        late = s3.generate_presigned_url("get_object", {"Bucket": "media", "Key": "by-url"}, 60)
    status, body = fetched(late)
    assert status == 403 and b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in body
    old = client_of(server, "s3", signature_version="s3").generate_presigned_url(
        "get_object", {"Bucket": "media", "Key": "by-url"}, 60
    )
    status, body = fetched(old)
    assert status == 400 and b"Please use AWS4-HMAC-SHA256." in body
    form = s3.generate_presigned_post("media", "by-form")
    fields = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in form["fields"].items()
    )
    body = f"{fields}--x--\r\n".encode()
    assert fetched(form["url"], "POST", body, content_type="multipart/form-data; boundary=x")[0] == 501


def test_what_is_open_and_what_is_not(server, tmp_path):
    """That the server lives; all else of its own needs a key of the operator's account."""
    for path, status in (("health", 200), ("metrics", 403), ("queues", 403), ("queues/peek", 403), ("nothing", 404)):
        assert fetched(f"{server.endpoint}/_lambent/{path}")[0] == status
    assert fetched(f"{server.endpoint}/_lambent/backup", "POST", b"{}", content_type="application/json")[0] == 403
    for path in ("queues", "metrics"):
        assert raw(server, signed(server, f"/_lambent/{path}", service="lambent"))[0] == 200
        assert raw(server, signed(server, f"/_lambent/{path}", service="lambda"))[0] == 403


def lambent(server, *arguments, credentials=0):
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("LAMBENT_", "AWS_"))}
    if credentials is not None:
        given = server.keys[credentials] if isinstance(credentials, int) else credentials
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        environ.update(zip(names, given, strict=False))
    environ |= {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    return subprocess.run(
        [LAMBENT, *arguments, "--endpoint", server.endpoint],
        capture_output=True, text=True, timeout=120, check=False, env=environ, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_commands(server, tmp_path):
    """They sign with what the AWS CLI would; and say in one line what to do where that is not enough."""
    client_of(server, "sqs").create_queue(QueueName="jobs")
    assert lambent(server, "ls").returncode == 0
    assert lambent(server, "queue", "depth").returncode == 0
    backup = tmp_path / "backup.tar"
    assert lambent(server, "backup", str(backup)).returncode == 0 and backup.stat().st_size > 0
    key, secret = server.keys[0]
    for arguments in (("ls",), ("queue", "depth"), ("backup", str(tmp_path / "none.tar"))):
        for credentials, said in (
            (None, "no credentials were found"),
            (("AKIAIOSFODNN7EXAMPLE", secret), "does not know the access key AKIAIOSFODNN7EXAMPLE"),
            ((key, "x"), f"this is not the secret of the access key {key}"),
        ):
            done = lambent(server, *arguments, credentials=credentials)
            assert done.returncode == 2, done
            assert said in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr
            assert secret not in done.stdout + done.stderr
    assert "only account 000000000000" in lambent(server, "queue", "depth", credentials=1).stderr


def test_the_aws_cli(server, aws_cli_1):
    """The AWS CLI with a key, and without."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("LAMBENT_", "AWS_"))}
    environ |= {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    key, secret = server.keys[0]

    def aws(*arguments, **given):
        return subprocess.run(
            [str(aws_cli_1), "--endpoint-url", server.endpoint, "--region", REGION, *arguments],
            capture_output=True, text=True, timeout=120, check=False, env={**environ, **given}, stdin=subprocess.DEVNULL
        )  # fmt: skip

    keys = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    assert json.loads(aws("lambda", "list-functions", **keys).stdout)["Functions"] == []
    wrong = aws("lambda", "list-functions", **{**keys, "AWS_SECRET_ACCESS_KEY": "x"})
    assert wrong.returncode != 0 and "InvalidSignatureException" in wrong.stderr
    unsigned = aws("lambda", "list-functions", "--no-sign-request")
    assert unsigned.returncode != 0 and "MissingAuthenticationToken" in unsigned.stderr


def least_of(operation):
    """Return what a client does not send an operation without: what stands in its path, and what it reads itself."""
    members = {} if operation.input_shape is None else operation.input_shape.members
    in_path = {name: one for name, one in members.items() if one.serialization.get("location") == "uri"}
    least = {name: 1 if one.type_name in {"integer", "long"} else "x" for name, one in in_path.items()}
    return {**least, "RequestItems": {}} if operation.name in {"BatchGetItem", "BatchWriteItem"} else least


@pytest.mark.parametrize(
    "service",
    [
        "apigatewayv2", "cloudtrail", "dynamodb", "dynamodbstreams", "iam", "kinesis", "kms", "lambda", "logs", "s3",
        "secretsmanager", "sqs", "ssm", "sts",
    ],
)  # fmt: skip
def test_unsigned_calls(server, service):
    """No operation answers one."""
    client = client_of(
        server, service, signature_version=UNSIGNED, parameter_validation=False, inject_host_prefix=False
    )
    model = client.meta.service_model
    # What it answers is sent to a host of its own.
    names = [name for name in model.operation_names if name != "WriteGetObjectResponse"]
    refused = []

    def note(response_dict, operation_model, **_):
        said = response_dict["headers"].get("x-amzn-errortype", "") + bytes(response_dict["body"]).decode()
        if response_dict["status_code"] in {400, 403} and "MissingAuthenticationToken" in said:
            refused.append(operation_model.name)

    client.meta.events.register("before-parse.*", note)
    for name in names:
        # A client of S3 may not understand what nobody signed, and what names no service where its path is `/`.
        with contextlib.suppress(ClientError, ParseError):
            client._make_api_call(name, least_of(model.operation_model(name)))
    assert sorted(refused) == sorted(names)


def test_an_unsigned_call_in_a_url(server):
    status, body = fetched(f"{server.endpoint}/{ACCOUNT}/jobs?Action=ReceiveMessage")
    assert status == 403 and b"<Code>MissingAuthenticationToken</Code>" in body


def test_a_function_is_made_and_called(server, runtime):
    """A zip in a request whose body alone says what was signed."""
    client = client_of(server, "lambda")
    code = zip_of({"app.py": "def handler(event, context):\n    return event\n"})
    client.create_function(
        FunctionName="f",
        Runtime=runtime,
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": code},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    arn = client.get_function(FunctionName="f")["Configuration"]["FunctionArn"]
    for name in ("f", arn):
        assert json.load(client.invoke(FunctionName=name, Payload=b'{"a": 1}')["Payload"]) == {"a": 1}
    location = client.get_function(FunctionName="f")["Code"]["Location"]
    assert fetched(location) == (200, code)
    request = signed(server, f"/2015-03-31/functions/{arn}/invocations".replace(":", "%3A"), method="POST", body=b"{}")
    assert raw(server, request)[0] == 200
    request.body = b"[]"
    assert raw(server, request)[0] == 403
    client.delete_function(FunctionName="f")
