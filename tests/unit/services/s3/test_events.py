"""From requests to events, and what an event looks like."""

import json
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.bucket_notification import BucketNotification, Rule
from lambent.domain.caller import Scope
from lambent.services.s3.events import (
    Kind,
    Occurrence,
    Origin,
    decoded,
    encoded,
    is_error,
    is_notification,
    is_of_the_bucket,
    key_of_form,
    kind_of,
    occurrences_of,
    removed,
    removed_many,
    render,
)

DELETED = "s3:ObjectRemoved:Delete"
MARKER = "s3:ObjectRemoved:DeleteMarkerCreated"


@pytest.mark.parametrize(
    ("method", "query", "headers", "has_key", "kind"),
    [
        ("PUT", "", {}, True, Kind.PUT),
        ("PUT", "x-id=PutObject", {}, True, Kind.PUT),
        ("PUT", "X-Amz-Signature=00&X-Amz-Expires=60", {}, True, Kind.PUT),
        ("PUT", "", {"x-amz-copy-source": "a/b"}, True, Kind.COPY),
        ("PUT", "partNumber=1&uploadId=a", {}, True, None),
        ("PUT", "partNumber=1&uploadId=a", {"x-amz-copy-source": "a/b"}, True, None),
        ("PUT", "tagging", {}, True, Kind.TAG),
        ("PUT", "tagging=&versionId=1", {}, True, Kind.TAG),
        ("PUT", "acl", {}, True, Kind.ACL),
        ("PUT", "retention", {}, True, None),
        ("PUT", "legal-hold", {}, True, None),
        ("PUT", "", {}, False, None),
        ("PUT", "acl", {}, False, None),
        ("POST", "uploadId=a", {}, True, Kind.COMPLETE),
        ("POST", "uploads", {}, True, None),
        ("POST", "restore", {}, True, Kind.RESTORE),
        ("POST", "select&select-type=2", {}, True, None),
        ("POST", "delete", {}, False, Kind.DELETE_MANY),
        ("POST", "", {"content-type": "multipart/form-data; boundary=x"}, False, Kind.POST),
        ("POST", "", {}, False, None),
        ("DELETE", "", {}, True, Kind.DELETE),
        ("DELETE", "versionId=1", {}, True, Kind.DELETE),
        ("DELETE", "tagging", {}, True, Kind.UNTAG),
        ("DELETE", "uploadId=a", {}, True, None),
        ("DELETE", "", {}, False, None),
        ("GET", "", {}, True, None),
        ("HEAD", "", {}, True, None),
    ],
)
def test_what_a_request_is(method: str, query: str, headers: dict[str, str], has_key: bool, kind: Kind | None) -> None:
    """By method, parameters and headers alone."""
    assert kind_of(method, query, headers, has_key=has_key) is kind


@pytest.mark.parametrize(
    ("query", "is_it"),
    [("notification", True), ("notification=", True), ("a=b&%6Eotification", True), ("acl", False), ("", False)],
)
def test_what_is_for_notifications(query: str, is_it: bool) -> None:
    """However it is spelled: none reaches the server behind."""
    assert is_notification(query) is is_it


@pytest.mark.parametrize(
    ("query", "is_it"),
    [("", True), ("x-id=DeleteBucket", True), ("X-Amz-Signature=00&X-Amz-Date=a", True), ("policy", False)],
)
def test_what_is_for_the_bucket_itself(query: str, is_it: bool) -> None:
    """A presigned deletion of it as well."""
    assert is_of_the_bucket(query) is is_it


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        ("", {}, Occurrence(DELETED, "k")),
        ("", {"x-amz-delete-marker": "true", "x-amz-version-id": "m"}, Occurrence(MARKER, "k", version="m")),
        ("versionId=v", {"x-amz-version-id": "v"}, Occurrence(DELETED, "k", version="v")),
        # A marker that is deleted itself.
        (
            "versionId=m",
            {"x-amz-delete-marker": "true", "x-amz-version-id": "m"},
            Occurrence(DELETED, "k", version="m"),
        ),
    ],
)
def test_one_deletion(query: str, headers: dict[str, str], expected: Occurrence) -> None:
    """With a version it deletes; without, where versions are kept, it hides."""
    assert removed("k", query, headers) == expected


REQUEST = b"""<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">%s
<Object><Key>a</Key></Object><Object><Key>b &amp; c</Key><VersionId>v</VersionId></Object><Object><Key>d</Key></Object>
</Delete>"""


def test_many_deletions() -> None:
    """One for each that was deleted, none for what failed."""
    answer = b"""<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
    <Deleted><Key>a</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>m</DeleteMarkerVersionId></Deleted>
    <Deleted><Key>b &amp; c</Key><VersionId>v</VersionId></Deleted>
    <Error><Key>d</Key><Code>AccessDenied</Code></Error></DeleteResult>"""
    assert removed_many(REQUEST % b"", answer, puts_markers=True) == [
        Occurrence(MARKER, "a", version="m"),
        Occurrence(DELETED, "b & c", version="v"),
    ]


@pytest.mark.parametrize("puts_markers", [True, False])
def test_many_deletions_of_which_only_failures_are_told(puts_markers: bool) -> None:
    """What was asked, without what failed."""
    answer = b"<DeleteResult><Error><Key>d</Key><Code>AccessDenied</Code></Error></DeleteResult>"
    assert removed_many(REQUEST % b"<Quiet>true</Quiet>", answer, puts_markers=puts_markers) == [
        Occurrence(MARKER if puts_markers else DELETED, "a"),
        Occurrence(DELETED, "b & c", version="v"),
    ]


@pytest.mark.parametrize("answer", [b"", b"no xml", b"<Error><Code>InternalError</Code></Error>"])
def test_an_answer_that_is_none_tells_of_nothing(answer: bytes) -> None:
    """A 200 may hold an error."""
    assert removed_many(REQUEST % b"<Quiet>true</Quiet>", answer, puts_markers=False) == []


def test_a_200_that_is_an_error() -> None:
    """Of copies and of uploads that are put together."""
    assert is_error(b"<?xml version='1.0'?>\n<Error><Code>InternalError</Code></Error>")
    assert not is_error(b"<CopyObjectResult><ETag>a</ETag></CopyObjectResult>")
    assert not is_error(b"")


@pytest.mark.parametrize(
    ("key", "file", "expected"),
    [
        ("in/a b", 'filename="x"', "in/a b"),
        ("in/${filename}", 'filename="a b.txt"', "in/a b.txt"),
        ("in/${filename}", 'filename="C:\\\\dir\\\\a.txt"', "in/a.txt"),
        ("in/${filename}", "", "in/"),
    ],
)
def test_the_key_of_a_form(key: str, file: str, expected: str) -> None:
    """One of its fields, into which the file's name may go."""
    head = (
        '--x\r\nContent-Disposition: form-data; name="acl"\r\n\r\nprivate\r\n'
        f'--x\r\nContent-Disposition: form-data; name="key"\r\nContent-Type: text/plain\r\n\r\n{key}\r\n'
        f'--x\r\nContent-Disposition: form-data; name="file"; {file}\r\n\r\nhel'
    )
    assert key_of_form(head.encode()) == expected


FORM = "--x\r\n{}\r\n--x\r\nContent-Disposition: form-data; name={}\r\n\r\nright\r\n--x--"


@pytest.mark.parametrize(
    ("before", "name", "expected"),
    [
        ('Content-Disposition: form-data; name="keywords"\r\n\r\nwrong', '"key"', "right"),
        ('Content-Disposition: form-data; name="x-amz-key"\r\n\r\nwrong', "key", "right"),
        ("Content-Disposition: form-data; name=keys\r\n\r\nwrong", '"key"; more=1', "right"),
        ('Content-Disposition: form-data; name="a"; filename="key"\r\n\r\nwrong', '"key"\r\nX: 1', "right"),
        ('Content-Disposition: form-data; name="a"\r\n\r\nname="key"', '"key"', "right"),
        (f'Content-Disposition: form-data; name="key"\r\n\r\n{"a" * 1024}', '"other"', "a" * 1024),
        (f'Content-Disposition: form-data; name="key"\r\n\r\n{"a" * 1025}', '"other"', None),
        ('Content-Disposition: form-data; name="file"; filename="a"\r\n\r\nwrong', '"key"', None),
    ],
)
def test_which_field_is_the_key(before: str, name: str, expected: str | None) -> None:
    """The one that is called so, by its own header, before the file; no key is longer than S3's are."""
    assert key_of_form(FORM.format(before, name).encode()) == expected


@pytest.mark.parametrize(
    "piece",
    [b"name=key;", b'name="key"\r\n', b'name="key"\r\n\r\n', b"name=file;", b'name="file"; filename="', b"\r\n--"],
)
def test_a_form_is_read_once(piece: bytes) -> None:
    """However often it says so: the server's loop waits meanwhile."""
    form = b"--x\r\n" + piece * (1_000_000 // len(piece))
    begun = process_time()
    key_of_form(form)
    assert process_time() - begun < 5


def test_a_form_without_a_key() -> None:
    """S3 refuses it, and nothing follows."""
    assert key_of_form(b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nhello\r\n--x--') is None


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=50))
def test_keys_there_and_back(key: str) -> None:
    """Whatever they hold; slashes stay, and all is ASCII."""
    assert decoded(encoded(key)) == key
    assert encoded(key).isascii() and encoded(key).count("/") == key.count("/")


def test_an_event() -> None:
    """Members and their order, as a created object has them."""
    notification = BucketNotification("media", Scope("111122223333", "eu-west-1"), ())
    rule = Rule("on-upload", "arn", ("s3:ObjectCreated:*",))
    origin = Origin("AWS:x", "203.0.113.9", "id", "host", 1_764_036_000.123)
    occurrence = Occurrence("s3:ObjectCreated:Put", "in/My Photo (1).png", 1024, "d41d", "v1")
    text = render(occurrence, notification, rule, origin, "0055").decode()
    assert text == (
        '{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-west-1",'
        '"eventTime":"2025-11-25T02:00:00.123Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"AWS:x"},'
        '"requestParameters":{"sourceIPAddress":"203.0.113.9"},'
        '"responseElements":{"x-amz-request-id":"id","x-amz-id-2":"host"},'
        '"s3":{"s3SchemaVersion":"1.0","configurationId":"on-upload","bucket":{"name":"media",'
        '"ownerIdentity":{"principalId":"111122223333"},"arn":"arn:aws:s3:::media"},'
        '"object":{"key":"in/My+Photo+%281%29.png","size":1024,"eTag":"d41d","versionId":"v1","sequencer":"0055"}}}]}'
    )
    tagged = json.loads(render(Occurrence("s3:ObjectTagging:Put", "k", etag="d41d"), notification, rule, origin, "0"))
    assert tagged["Records"][0]["eventVersion"] == "2.3"
    assert tagged["Records"][0]["s3"]["object"] == {"key": "k", "eTag": "d41d"}


def test_events_of_other_servers() -> None:
    """With `s3:` or without; the key is decoded, empty versions are none."""
    record = {
        "eventName": "s3:ObjectCreated:Put",
        "s3": {"bucket": {"name": "media"}, "object": {"key": "a+b%2Fc", "size": 5, "eTag": "x", "versionId": ""}},
    }
    assert occurrences_of([record, {**record, "eventName": "ObjectRemoved:Delete"}]) == [
        ("media", Occurrence("s3:ObjectCreated:Put", "a b/c", 5, "x")),
        ("media", Occurrence("s3:ObjectRemoved:Delete", "a b/c", 5, "x")),
    ]


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"eventName": "a"},
        {"eventName": "a", "s3": {"bucket": "media", "object": {}}},
        {"eventName": 1, "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}},
        {"eventName": "a", "s3": {"bucket": {"name": "b"}, "object": {"key": "k", "size": "5"}}},
    ],
)
def test_what_is_no_event(record: dict[str, object]) -> None:
    """It is refused whole."""
    with pytest.raises(ValueError, match="a record"):
        occurrences_of([record])
