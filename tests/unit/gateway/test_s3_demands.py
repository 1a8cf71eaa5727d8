"""What requests for S3 ask leave for: a table of them, and what is not understood."""

from collections.abc import Mapping, Sequence

import pytest

from lambent.access.authorize import Demand
from lambent.gateway.s3_demands import demands_of_s3
from lambent.protocol.wire import WireRequest
from lambent.services.s3.addressing import address
from lambent.services.s3.errors import InvalidArgument


def demands(request: WireRequest, body: bytes = b"") -> Sequence[Demand]:
    return demands_of_s3(request, address(request.headers["host"], request.path), body)


def asked(request: WireRequest, body: bytes = b"") -> list[tuple[str, str]]:
    return [(demand.action, demand.resource) for demand in demands(request, body)]


def s3(method: str, target: str, headers: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    path, _, query = target.partition("?")
    return asked(WireRequest(method, path, query, {"host": "127.0.0.1:4566", **(headers or {})}))


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/", [("ListAllMyBuckets", "*")]),
        ("GET", "/b", [("ListBucket", "b")]),
        ("GET", "/b/?list-type=2&prefix=p%2F", [("ListBucket", "b")]),
        ("HEAD", "/b", [("ListBucket", "b")]),
        ("PUT", "/b", [("CreateBucket", "b")]),
        ("DELETE", "/b", [("DeleteBucket", "b")]),
        ("GET", "/b?location", [("GetBucketLocation", "b")]),
        ("GET", "/b?versions", [("ListBucketVersions", "b")]),
        ("GET", "/b?uploads", [("ListBucketMultipartUploads", "b")]),
        ("PUT", "/b?versioning", [("PutBucketVersioning", "b")]),
        ("PUT", "/b?notification", [("PutBucketNotification", "b")]),
        ("DELETE", "/b?policy", [("DeleteBucketPolicy", "b")]),
        ("DELETE", "/b?cors", [("PutBucketCORS", "b")]),
        ("PUT", "/b?acl&policy", [("PutBucketAcl", "b"), ("PutBucketPolicy", "b")]),
        ("GET", "/b/k", [("GetObject", "b/k")]),
        ("GET", "/b/a%20b/c?x-id=GetObject", [("GetObject", "b/a b/c")]),
        ("HEAD", "/b/k", [("GetObject", "b/k")]),
        ("GET", "/b/k?versionId=v", [("GetObjectVersion", "b/k")]),
        ("GET", "/b/k?tagging&versionId=v", [("GetObjectVersionTagging", "b/k")]),
        ("GET", "/b/k?acl", [("GetObjectAcl", "b/k")]),
        ("HEAD", "/b/k?acl", [("GetObjectAcl", "b/k"), ("GetObject", "b/k")]),
        ("GET", "/b/k?retention", [("GetObjectRetention", "b/k"), ("GetObject", "b/k")]),
        ("PUT", "/b/k?legal-hold", [("PutObjectLegalHold", "b/k"), ("PutObject", "b/k")]),
        ("GET", "/b?metrics", [("GetMetricsConfiguration", "b"), ("ListBucket", "b")]),
        ("DELETE", "/b?metrics&id=x", [("PutMetricsConfiguration", "b"), ("DeleteBucket", "b")]),
        ("GET", "/b/k?attributes", [("GetObjectAttributes", "b/k"), ("GetObject", "b/k")]),
        ("GET", "/b/k?uploadId=u", [("ListMultipartUploadParts", "b/k")]),
        ("PUT", "/b/k", [("PutObject", "b/k")]),
        ("PUT", "/b/k?partNumber=1&uploadId=u", [("PutObject", "b/k")]),
        ("PUT", "/b/k?tagging", [("PutObjectTagging", "b/k")]),
        ("POST", "/b/k?uploads", [("PutObject", "b/k")]),
        ("POST", "/b/k?uploadId=u", [("PutObject", "b/k")]),
        ("POST", "/b/k?restore", [("RestoreObject", "b/k")]),
        ("POST", "/b", [("PutObject", "b/*")]),
        ("DELETE", "/b/k", [("DeleteObject", "b/k")]),
        ("DELETE", "/b/k?versionId=v", [("DeleteObjectVersion", "b/k")]),
        ("DELETE", "/b/k?uploadId=u", [("AbortMultipartUpload", "b/k")]),
        ("GET", "/b/k?X-Amz-Algorithm=a&X-Amz-Expires=1&response-content-type=t", [("GetObject", "b/k")]),
    ],
)
def test_s3(method: str, target: str, expected: list[tuple[str, str]]) -> None:
    wanted = [(f"s3:{action}", arn if arn == "*" else f"arn:aws:s3:::{arn}") for action, arn in expected]
    assert s3(method, target) == wanted


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("PUT", "/"),
        ("GET", "/?something"),
        ("PUT", "/b?something"),
        ("GET", "/b?something"),
        ("POST", "/b?something"),
        ("POST", "/b/k"),
        ("PATCH", "/b/k"),
        ("PUT", "/b?location"),
        ("GET", "/b/../c/k"),
        ("GET", "/b/%2e%2e/c/k"),
        ("GET", "/b/a/./k"),
        ("GET", "//b/k"),
        ("GET", "/b/..%2fc%2fk"),
    ],
)
def test_what_is_not_understood_of_s3_is_all_of_it(method: str, target: str) -> None:
    """Also a path that a server might tidy up to lead to another bucket."""
    assert all(action == "s3:*" for action, _ in s3(method, target))


def test_a_bucket_in_the_hosts_name() -> None:
    request = WireRequest("GET", "/k", "", {"host": "b.s3.localhost:4566"})
    assert asked(request) == [("s3:GetObject", "arn:aws:s3:::b/k")]


def test_a_copy_reads_its_source() -> None:
    """Which a path that leads elsewhere does not name."""
    put = ("s3:PutObject", "arn:aws:s3:::b/k")
    assert s3("PUT", "/b/k", {"x-amz-copy-source": "/a/x%20y"}) == [put, ("s3:GetObject", "arn:aws:s3:::a/x y")]
    versioned = s3("PUT", "/b/k?partNumber=1&uploadId=u", {"x-amz-copy-source": "a/x?versionId=v"})
    assert versioned == [put, ("s3:GetObjectVersion", "arn:aws:s3:::a/x")]
    assert s3("PUT", "/b/k", {"x-amz-copy-source": "a/../c/x"}) == [put, ("s3:GetObject", "*")]


def test_what_is_set_along_with_an_object_needs_leave() -> None:
    found = s3("PUT", "/b/k", {"x-amz-tagging": "a=b", "x-amz-grant-read": "id=1"})
    assert [action for action, _ in found] == ["s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectAcl"]


def test_many_are_deleted_one_by_one() -> None:
    """Each key; a body that is none of it needs leave for all."""
    body = (
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a&amp;b</Key></Object>'
        b"<Object><Key>c</Key><VersionId>v</VersionId></Object></Delete>"
    )
    request = WireRequest("POST", "/b", "delete", {"host": "x"})
    assert asked(request, body) == [
        ("s3:DeleteObject", "arn:aws:s3:::b/a&b"),
        ("s3:DeleteObjectVersion", "arn:aws:s3:::b/c"),
    ]
    assert asked(request, b"<nothing") == [("s3:DeleteObject", "arn:aws:s3:::b/*")]


def test_conditions_of_s3() -> None:
    request = WireRequest("GET", "/b", "prefix=p%2F&max-keys=5", {"host": "x"})
    (demand,) = demands(request)
    assert demand.context == {"s3:prefix": "p/", "s3:max-keys": "5"}
    (put,) = demands(WireRequest("PUT", "/b/k", "", {"host": "x", "x-amz-storage-class": "GLACIER"}))
    assert put.context == {"s3:x-amz-storage-class": "GLACIER"}


@pytest.mark.parametrize(
    "source",
    [
        "//mine/other/secret",
        "http://mine/other/secret",
        "mine:/other/secret",
        "mine/secret;x",
        "mine/secret#x",
        "mi\tne/secret",
        "mine",
        "/",
    ],
)
def test_what_may_be_a_copy_of_something_else_is_refused(source: str) -> None:
    """Some servers read a URL."""
    with pytest.raises(InvalidArgument):
        s3("PUT", "/mine/k", {"x-amz-copy-source": source})


def test_a_source_may_be_encoded_whole_and_have_a_version_among_others() -> None:
    assert s3("PUT", "/b/k", {"x-amz-copy-source": "a%2Fx:y"})[1:] == [("s3:GetObject", "arn:aws:s3:::a/x:y")]
    versioned = s3("PUT", "/b/k", {"x-amz-copy-source": "/a/x:y?x=1&versionId=v"})
    assert versioned[1:] == [("s3:GetObjectVersion", "arn:aws:s3:::a/x:y")]
