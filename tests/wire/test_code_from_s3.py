"""Code of functions and of layers that lies in a bucket."""

import os
import zipfile

import pytest
from botocore.exceptions import ClientError
from wire.support import ROLE, invoke, wait_updated, zip_of

MIB = 1 << 20


@pytest.fixture(scope="module")
def bucket(server):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="code")
    s3.put_bucket_versioning(Bucket="code", VersioningConfiguration={"Status": "Enabled"})
    return "code"


@pytest.fixture
def put(server, bucket):
    """Puts code that answers with a word, returns the version."""

    def put(key, word):
        archive = zip_of({"app.py": f"def handler(event, context):\n    return {word!r}\n"})
        return server.client("s3").put_object(Bucket=bucket, Key=key, Body=archive)["VersionId"]

    return put


def create(client, name, runtime, **code):
    return client.create_function(FunctionName=name, Runtime=runtime, Handler="app.handler", Role=ROLE, Code=code)


def test_a_function_of_a_bucket(lambda_client, runtime, unique_name, bucket, put):
    """Created from an object, updated from another, and from an older version of it."""
    first, second = put("dir/my code.zip", "one"), put("dir/my code.zip", "two")
    assert first != second
    create(lambda_client, unique_name, runtime, S3Bucket=bucket, S3Key="dir/my code.zip", S3ObjectVersion=second)
    wait_updated(lambda_client, unique_name)
    assert invoke(lambda_client, unique_name)[1] == "two"
    answer = lambda_client.update_function_code(
        FunctionName=unique_name, S3Bucket=bucket, S3Key="dir/my code.zip", S3ObjectVersion=first, DryRun=True
    )
    lambda_client.update_function_code(
        FunctionName=unique_name, S3Bucket=bucket, S3Key="dir/my code.zip", S3ObjectVersion=first
    )
    wait_updated(lambda_client, unique_name)
    assert invoke(lambda_client, unique_name)[1] == "one"
    configuration = lambda_client.get_function_configuration(FunctionName=unique_name)
    assert configuration["CodeSha256"] == answer["CodeSha256"]
    lambda_client.delete_function(FunctionName=unique_name)


def test_a_layer_of_a_bucket(server, lambda_client, make_function, unique_name, bucket):
    """Published from an object, of a version too."""
    archive = zip_of({"python/shared.py": "WORD = 'of the layer'\n"})
    version = server.client("s3").put_object(Bucket=bucket, Key="layer.zip", Body=archive)["VersionId"]
    for content in ({}, {"S3ObjectVersion": version}):
        layer = lambda_client.publish_layer_version(
            LayerName=unique_name, Content={"S3Bucket": bucket, "S3Key": "layer.zip", **content}
        )
    name = make_function(
        "import shared\ndef handler(event, context):\n    return shared.WORD\n", Layers=[layer["LayerVersionArn"]]
    )
    assert invoke(lambda_client, name)[1] == "of the layer"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            {"S3Bucket": "no-such-bucket-here", "S3Key": "k"},
            "Error occurred while GetObject. S3 Error Code: NoSuchBucket. "
            "S3 Error Message: The specified bucket does not exist",
        ),
        (
            {"S3Bucket": "code", "S3Key": "no/such/key"},
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. "
            "S3 Error Message: The specified key does not exist.",
        ),
        (
            {"S3Bucket": "code", "S3Key": "empty.zip"},
            "Uploaded file must be a non-empty zip",
        ),
        (
            {"S3Bucket": "code", "S3Key": "not.zip"},
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            {"S3Bucket": "code"},
            "Please provide both S3Bucket and S3Key: S3Key is missing.",
        ),
    ],
)
def test_code_that_cannot_be_had(server, lambda_client, runtime, unique_name, bucket, code, text):
    """In Lambda's words, and no function is made."""
    server.client("s3").put_object(Bucket=bucket, Key="empty.zip", Body=b"")
    server.client("s3").put_object(Bucket=bucket, Key="not.zip", Body=b"hello")
    with pytest.raises(ClientError) as excinfo:
        create(lambda_client, unique_name, runtime, **code)
    error = excinfo.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("InvalidParameterValueException", text)
    with pytest.raises(lambda_client.exceptions.ResourceNotFoundException):
        lambda_client.get_function(FunctionName=unique_name)


def test_a_version_that_is_not_there(lambda_client, runtime, unique_name, bucket, put):
    """S3 says which of its errors it is."""
    put("versioned.zip", "one")
    with pytest.raises(ClientError) as excinfo:
        create(
            lambda_client, unique_name, runtime, S3Bucket=bucket, S3Key="versioned.zip", S3ObjectVersion="no-such-one"
        )
    message = excinfo.value.response["Error"]["Message"]
    assert message.startswith("Error occurred while GetObject. S3 Error Code: ")
    assert "ersion" in message


def test_a_bucket_of_another_region(server, runtime, unique_name):
    """Code has to lie where its function does."""
    s3 = server.client("s3", region="eu-west-1")
    s3.create_bucket(Bucket="code-elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(ClientError) as excinfo:
        create(server.client("lambda"), unique_name, runtime, S3Bucket="code-elsewhere", S3Key="k")
    assert excinfo.value.response["Error"]["Message"] == (
        "Error occurred while GetObject. S3 Error Code: PermanentRedirect. S3 Error Message: The bucket is in this "
        "region: eu-west-1. Please use this region to retry the request"
    )


def test_a_zip_beyond_what_a_request_takes(server, lambda_client, runtime, unique_name, bucket, tmp_path):
    """80 MB, which no request may bring; unzipped, the limit is the same for all."""
    for name, size in (("large", 80), ("too-large", 251)):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            code = zipfile.ZipInfo("app.py")
            code.external_attr = 0o100644 << 16
            archive.writestr(code, "def handler(event, context):\n    return 'large'\n")
            archive.writestr("data", os.urandom(MIB) * size)
        server.client("s3").upload_file(str(path), bucket, name)
        path.unlink()
    create(lambda_client, unique_name, runtime, S3Bucket=bucket, S3Key="large")
    wait_updated(lambda_client, unique_name)
    assert invoke(lambda_client, unique_name)[1] == "large"
    with pytest.raises(ClientError) as excinfo:
        lambda_client.update_function_code(FunctionName=unique_name, S3Bucket=bucket, S3Key="too-large")
    assert excinfo.value.response["Error"]["Message"] == "Unzipped size must be smaller than 262144000 bytes"
    lambda_client.delete_function(FunctionName=unique_name)
    for name in ("large", "too-large"):
        server.client("s3").delete_object(Bucket=bucket, Key=name)
