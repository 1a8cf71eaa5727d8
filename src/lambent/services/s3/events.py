"""
The rule 'request -> events': what a request that S3 said yes to has done to which objects. Pure.

Documented: Amazon S3 user guide, Event notification types and destinations; Event message structure.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote_plus, unquote

import msgspec

from lambent.domain.bucket_notification import BucketNotification, Rule

if TYPE_CHECKING:
    from xml.etree import ElementTree

FORM_HEAD_BYTES = 65_536
"""How much of a posted form is looked at for its key: all fields come before the file, and are 20 KB at most."""

_KEY_MAX_BYTES = 1_024
"""Documented: Amazon S3 user guide, Naming objects."""

_KEY_FIELD = re.compile(rb'(?<![^;\s])name=(?:"key"|key)(?![^;\s])', re.IGNORECASE)
_FILE_FIELD = re.compile(rb'(?<![^;\s])name=(?:"file"|file)(?![^;\s])', re.IGNORECASE)
_FILE_NAME = re.compile(rb'(?<![^;\s])filename="([^"\r\n]*)"', re.IGNORECASE)
"""In the headers of a form's part. None of them looks further than one value: a form is read once."""

_REMOVED = "s3:ObjectRemoved:"

_VERSIONS = {"s3:ObjectTagging": "2.3", "s3:ObjectAcl": "2.3"}
"""eventVersion by family; 2.1 of what is created and removed."""

_OTHER_WORK = frozenset(
    [
        "attributes",
        "encryption",
        "legal-hold",
        "partNumber",
        "renameObject",
        "retention",
        "select",
        "torrent",
        "uploadId",
        "uploads",
    ]
)
"""Parameters by which a request on an object is neither for the object itself, nor for its tags or its access."""


class Kind(Enum):
    """What a request asks of S3, as far as events follow from it."""

    PUT = auto()
    COPY = auto()
    COMPLETE = auto()
    POST = auto()
    DELETE = auto()
    DELETE_MANY = auto()
    TAG = auto()
    UNTAG = auto()
    ACL = auto()
    RESTORE = auto()


EVENTS = {
    Kind.PUT: ("s3:ObjectCreated:Put",),
    Kind.COPY: ("s3:ObjectCreated:Copy",),
    Kind.COMPLETE: ("s3:ObjectCreated:CompleteMultipartUpload",),
    Kind.POST: ("s3:ObjectCreated:Post",),
    Kind.DELETE: ("s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated"),
    Kind.DELETE_MANY: ("s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated"),
    Kind.TAG: ("s3:ObjectTagging:Put",),
    Kind.UNTAG: ("s3:ObjectTagging:Delete",),
    Kind.ACL: ("s3:ObjectAcl:Put",),
    Kind.RESTORE: ("s3:ObjectRestore:Post",),
}
"""What may follow from a request of a kind."""


class Occurrence(msgspec.Struct, frozen=True):
    """Something that happened to an object."""

    event: str
    """With `s3:`."""
    key: str
    """Decoded."""
    size_bytes: int | None = None
    etag: str | None = None
    """Without quotes."""
    version: str | None = None
    """None where the bucket keeps no versions."""


class Origin(msgspec.Struct, frozen=True):
    """Of the request that an event comes from."""

    principal: str
    address: str
    request_id: str
    host_id: str
    time: float
    """Seconds since the epoch, UTC."""


def kind_of(method: str, query: str, headers: Mapping[str, str], *, has_key: bool) -> Kind | None:
    """Return what a request is, None for one from which no event follows."""
    names = _names(query)
    if method == "POST":
        if not has_key:
            if "delete" in names:
                return Kind.DELETE_MANY
            return Kind.POST if headers.get("content-type", "").startswith("multipart/form-data") else None
        if "uploadId" in names:
            return Kind.COMPLETE
        return Kind.RESTORE if "restore" in names else None
    if not has_key or names & _OTHER_WORK:
        return None
    if method == "PUT":
        if "tagging" in names:
            return Kind.TAG
        if "acl" in names:
            return Kind.ACL
        return Kind.COPY if "x-amz-copy-source" in headers else Kind.PUT
    if method == "DELETE":
        return Kind.UNTAG if "tagging" in names else Kind.DELETE
    return None


def is_notification(query: str) -> bool:
    """Say whether a request on a bucket is for its notifications, however its query spells that."""
    return "notification" in _names(query)


def is_of_the_bucket(query: str) -> bool:
    """Say whether a request on a bucket is for the bucket itself, and not for something that is kept with it."""
    return not {name for name in _names(query) if name != "x-id" and not name.lower().startswith("x-amz-")}


def removed(key: str, query: str, headers: Mapping[str, str]) -> Occurrence:
    """Return what DeleteObject did: without a version, and where versions are kept, it put a marker."""
    version = dict(parse_qsl(query)).get("versionId")
    is_marker = version is None and headers.get("x-amz-delete-marker") == "true"
    event = "DeleteMarkerCreated" if is_marker else "Delete"
    return Occurrence(_REMOVED + event, key, version=version or headers.get("x-amz-version-id"))


def removed_many(request: bytes, answer: bytes, *, puts_markers: bool) -> list[Occurrence]:
    """
    Return what DeleteObjects did, one by one.

    Args:
        puts_markers: whether the bucket keeps versions: for answers that do not say whether a marker was put.
    """
    asked = objects_to_delete(request)
    root = _root(answer)
    if root is None or _name(root) != "DeleteResult":
        return []
    told = [_fields(element) for element in root if _name(element) == "Deleted"]
    if _is_quiet(request):
        failed = {
            (fields.get("Key"), fields.get("VersionId"))
            for element in root
            if _name(element) == "Error" and (fields := _fields(element))
        }
        told = [one for one in asked if (one.get("Key"), one.get("VersionId")) not in failed]
    return [_one_of_many(one, puts_markers=puts_markers) for one in told if "Key" in one]


def _is_quiet(request: bytes) -> bool:
    """Say whether DeleteObjects asks to hear of failures alone."""
    root = _root(request)
    return root is not None and any(
        _name(child) == "Quiet" and (child.text or "").strip().lower() == "true" for child in root
    )


def is_error(answer: bytes) -> bool:
    """Say whether the body of a 200 is an error: CopyObject and CompleteMultipartUpload begin to answer too soon."""
    root = _root(answer)
    return root is not None and _name(root) == "Error"


def key_of_form(head: bytes) -> str | None:
    """Return the key that a posted form names, None where its head does not show it."""
    key, name = None, b""
    parts = head.split(b"\r\n--")
    for number, part in enumerate(parts, 1):
        fields, _, value = part.partition(b"\r\n\r\n")
        if _FILE_FIELD.search(fields):
            found = _FILE_NAME.search(fields)
            name = b"" if found is None else found[1]
            break
        # What the last one holds may go on beyond the head.
        if key is None and number < len(parts) and _KEY_FIELD.search(fields):
            key = value
    if key is None or len(key) > _KEY_MAX_BYTES:
        return None
    file = re.split(r"[\\/]", name.decode(errors="replace"))[-1]
    return key.decode(errors="replace").replace("${filename}", file)


def render(
    occurrence: Occurrence, notification: BucketNotification, rule: Rule, origin: Origin, sequencer: str
) -> bytes:
    """
    Return an event as its target gets it.

    Observed: recorded events of tagging: version 2.3, neither size nor sequencer. Assumed: those of ACLs are alike
    (test_events).
    """
    name = occurrence.event.removeprefix("s3:")
    family = occurrence.event.rpartition(":")[0]
    described: dict[str, Any] = {"key": encoded(occurrence.key)}
    if occurrence.size_bytes is not None:
        described["size"] = occurrence.size_bytes
    if occurrence.etag is not None:
        described["eTag"] = occurrence.etag
    if occurrence.version is not None:
        described["versionId"] = occurrence.version
    if family not in _VERSIONS:
        described["sequencer"] = sequencer
    moment = datetime.fromtimestamp(origin.time, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    record = {
        "eventVersion": _VERSIONS.get(family, "2.1"),
        "eventSource": "aws:s3",
        "awsRegion": notification.scope.region,
        "eventTime": f"{moment}Z",
        "eventName": name,
        "userIdentity": {"principalId": origin.principal},
        "requestParameters": {"sourceIPAddress": origin.address},
        "responseElements": {"x-amz-request-id": origin.request_id, "x-amz-id-2": origin.host_id},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": rule.id,
            "bucket": {
                "name": notification.bucket,
                "ownerIdentity": {"principalId": notification.scope.account},
                "arn": f"arn:aws:s3:::{notification.bucket}",
            },
            "object": described,
        },
    }
    return json.dumps({"Records": [record]}, separators=(",", ":"), ensure_ascii=False).encode()


def encoded(key: str) -> str:
    """Return a key as events have it: like a form's value, and slashes stay."""
    # Documented: WHATWG URL, application/x-www-form-urlencoded: `~` is encoded, `*` is not.
    return quote_plus(key, safe="/*").replace("~", "%7E")


def decoded(key: str) -> str:
    """Return the key that an event names."""
    return unquote(key.replace("+", " "))


def test_event(bucket: str, time: float, request_id: str, host_id: str) -> bytes:
    """Return what a queue gets when a bucket is told to send to it."""
    moment = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return json.dumps(
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": f"{moment}Z",
            "Bucket": bucket,
            "RequestId": request_id,
            "HostId": host_id,
        }
    ).encode()


def occurrences_of(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, Occurrence]]:
    """
    Return what events of another S3 server tell: bucket and occurrence of each.

    Args:
        events: `Records` as MinIO and others send them: AWS's form, the name with or without `s3:`.

    Raises:
        ValueError: a record is not one.
    """
    found = []
    for record in events:
        try:
            name, s3 = record["eventName"], record["s3"]
            bucket, described = s3["bucket"]["name"], s3["object"]
            key, size, etag = described["key"], described.get("size"), described.get("eTag")
            version = described.get("versionId") or None
        except (KeyError, TypeError, AttributeError):
            raise ValueError("a record has no eventName, s3.bucket.name or s3.object.key") from None
        are_texts = all(isinstance(text, str) for text in (name, bucket, key, etag or "", version or ""))
        if not are_texts or not isinstance(size or 0, int):
            raise ValueError("a record's members are of other types than S3's")
        event = name if name.startswith("s3:") else f"s3:{name}"
        found.append((bucket, Occurrence(event, decoded(key), size, etag or None, version)))
    return found


def _one_of_many(fields: Mapping[str, str], *, puts_markers: bool) -> Occurrence:
    version = fields.get("VersionId")
    told = fields.get("DeleteMarker")
    if version is None and (told == "true" or (told is None and puts_markers)):
        return Occurrence(_REMOVED + "DeleteMarkerCreated", fields["Key"], version=fields.get("DeleteMarkerVersionId"))
    return Occurrence(_REMOVED + "Delete", fields["Key"], version=version)


def _names(query: str) -> set[str]:
    return {name for name, _ in parse_qsl(query, keep_blank_values=True)}


def objects_to_delete(request: bytes) -> list[dict[str, str]]:
    """Return what DeleteObjects asks for, one by one, by the names of its elements."""
    root = _root(request)
    return [] if root is None else [_fields(element) for element in root if _name(element) == "Object"]


def _root(document: bytes) -> "ElementTree.Element | None":
    """Return what a document of XML consists of, None where it is none."""
    # Loaded with the first document: at rest the server has no parser.
    from xml.etree import ElementTree

    try:
        return ElementTree.fromstring(document)
    except ElementTree.ParseError:
        return None


def _fields(element: "ElementTree.Element") -> dict[str, str]:
    return {_name(child): child.text or "" for child in element}


def _name(element: "ElementTree.Element") -> str:
    return element.tag.rpartition("}")[2]
