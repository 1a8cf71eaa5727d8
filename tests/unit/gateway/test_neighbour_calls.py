"""What the head of a request to a neighbour tells of what it does."""

import pytest

from lambent.gateway.neighbour_calls import neighbour_call
from lambent.protocol.wire import WireRequest


@pytest.mark.parametrize(
    ("method", "path", "query", "operation"),
    [
        ("GET", "/", "", "ListBuckets"),
        ("PUT", "/b", "", "CreateBucket"),
        ("HEAD", "/b", "", "HeadBucket"),
        ("GET", "/b/", "list-type=2&prefix=x", "ListObjects"),
        ("GET", "/b", "versioning", "GetBucketVersioning"),
        ("PUT", "/b", "policy=", "PutBucketPolicy"),
        ("DELETE", "/b", "cors", "DeleteBucketCors"),
        ("POST", "/b", "delete", "DeleteObjects"),
        ("GET", "/b/k/k", "", "GetObject"),
        ("PUT", "/b/k", "", "PutObject"),
        ("PUT", "/b/k", "partNumber=1&uploadId=u", "UploadPart"),
        ("POST", "/b/k", "uploads", "CreateMultipartUpload"),
        ("POST", "/b/k", "uploadId=u", "CompleteMultipartUpload"),
        ("DELETE", "/b/k", "uploadId=u", "AbortMultipartUpload"),
        ("GET", "/b/k", "tagging", "GetObjectTagging"),
        ("PATCH", "/b/k", "", ""),
    ],
)
def test_operations_of_s3_are_told_by_method_and_address(method: str, path: str, query: str, operation: str) -> None:
    """Documented: Amazon S3 API reference."""
    found, parameters = neighbour_call("s3", WireRequest(method, path, query, headers={"host": "localhost"}))
    assert found == operation
    assert parameters is not None and set(parameters.values()) <= {"b", "k", "k/k"}


@pytest.mark.parametrize(
    ("target", "operation"),
    [("DynamoDB_20120810.PutItem", "PutItem"), ("", ""), ("X.a b", ""), ("X." + "A" * 100, ""), ("x.Put\nItem", "")],
)
def test_operations_of_others_are_told_by_their_target(target: str, operation: str) -> None:
    """A target that is none says nothing."""
    assert neighbour_call("dynamodb", WireRequest("POST", "/", headers={"x-amz-target": target})) == (operation, None)


def test_operations_may_be_in_the_query() -> None:
    """Of protocols whose parameters can be."""
    assert neighbour_call("ssm", WireRequest("GET", "/", "Action=GetParameter&Version=1")) == ("GetParameter", None)
