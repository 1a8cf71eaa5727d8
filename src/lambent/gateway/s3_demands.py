"""
What requests for S3 ask leave for, by their method, path, query and headers.

Pure. What is not understood is demanded as all that S3 may do.

Documented: service authorization reference, Amazon S3.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import parse_qsl, unquote

from lambent.access.authorize import Demand
from lambent.domain.policy import Value
from lambent.protocol.wire import WireRequest
from lambent.services.s3.addressing import Address
from lambent.services.s3.errors import InvalidArgument
from lambent.services.s3.events import objects_to_delete

_OF_BUCKETS = """
accelerate              GetAccelerateConfiguration          PutAccelerateConfiguration          -
acl                     GetBucketAcl                        PutBucketAcl                        -
analytics               GetAnalyticsConfiguration           PutAnalyticsConfiguration           PutAnalyticsConfiguration
cors                    GetBucketCORS                       PutBucketCORS                       PutBucketCORS
encryption              GetEncryptionConfiguration          PutEncryptionConfiguration          PutEncryptionConfiguration
intelligent-tiering     GetIntelligentTieringConfiguration  PutIntelligentTieringConfiguration  PutIntelligentTieringConfiguration
inventory               GetInventoryConfiguration           PutInventoryConfiguration           PutInventoryConfiguration
lifecycle               GetLifecycleConfiguration           PutLifecycleConfiguration           PutLifecycleConfiguration
location                GetBucketLocation                   -                                   -
logging                 GetBucketLogging                    PutBucketLogging                    -
metrics                 GetMetricsConfiguration             PutMetricsConfiguration             PutMetricsConfiguration
notification            GetBucketNotification               PutBucketNotification               -
object-lock             GetBucketObjectLockConfiguration    PutBucketObjectLockConfiguration    -
ownershipControls       GetBucketOwnershipControls          PutBucketOwnershipControls          PutBucketOwnershipControls
policy                  GetBucketPolicy                     PutBucketPolicy                     DeleteBucketPolicy
policyStatus            GetBucketPolicyStatus               -                                   -
publicAccessBlock       GetBucketPublicAccessBlock          PutBucketPublicAccessBlock          PutBucketPublicAccessBlock
replication             GetReplicationConfiguration         PutReplicationConfiguration         PutReplicationConfiguration
requestPayment          GetBucketRequestPayment             PutBucketRequestPayment             -
tagging                 GetBucketTagging                    PutBucketTagging                    PutBucketTagging
uploads                 ListBucketMultipartUploads          -                                   -
versioning              GetBucketVersioning                 PutBucketVersioning                 -
versions                ListBucketVersions                  -                                   -
website                 GetBucketWebsite                    PutBucketWebsite                    DeleteBucketWebsite
"""  # noqa: E501
_OF_OBJECTS = """
acl                     GetObjectAcl                        PutObjectAcl                        -
attributes              GetObjectAttributes                 -                                   -
legal-hold              GetObjectLegalHold                  PutObjectLegalHold                  -
retention               GetObjectRetention                  PutObjectRetention                  -
tagging                 GetObjectTagging                    PutObjectTagging                    DeleteObjectTagging
torrent                 GetObjectTorrent                    -                                   -
uploadId                ListMultipartUploadParts            PutObject                           AbortMultipartUpload
"""
"""What is kept with a bucket or an object, by its name in the query: the actions of GET, PUT and DELETE."""


def _table(text: str) -> Mapping[str, Mapping[str, str]]:
    rows = (line.split() for line in text.strip().splitlines())
    return {row[0]: dict(zip(("GET", "PUT", "DELETE"), row[1:], strict=True)) for row in rows}


_BUCKET, _OBJECT = _table(_OF_BUCKETS), _table(_OF_OBJECTS)

_SELDOM_KNOWN = frozenset(
    {"accelerate", "analytics", "intelligent-tiering", "inventory", "legal-hold", "metrics", "ownershipControls"}
    | {"policyStatus", "publicAccessBlock", "requestPayment", "retention", "torrent"}
)
"""
What not every server keeps: one that knows nothing of it lists the bucket, reads the object or deletes either, as if
the name were not there. Observed: moto, with most of them.
"""

_PLAIN = {
    ("bucket", "DELETE"): "DeleteBucket",
    ("bucket", "GET"): "ListBucket",
    ("bucket", "HEAD"): "ListBucket",
    ("bucket", "PUT"): "CreateBucket",
    ("object", "DELETE"): "DeleteObject",
    ("object", "GET"): "GetObject",
    ("object", "HEAD"): "GetObject",
    ("object", "PUT"): "PutObject",
}

_POSTED = {"restore": "RestoreObject", "select": "GetObject", "uploadId": "PutObject", "uploads": "PutObject"}
"""What a POST on an object does, by what is in its query."""

_PARAMETERS = frozenset(
    (
        "AWSAccessKeyId", "Expires", "Signature", "continuation-token", "delimiter", "encoding-type", "fetch-owner",
        "id", "key-marker", "list-type", "marker", "max-keys", "max-parts", "max-uploads", "part-number-marker",
        "partNumber", "prefix", "select-type", "start-after", "upload-id-marker", "version-id-marker", "versionId",
        "x-id",
    )
)  # fmt: skip
"""Names in a query that say nothing of what is asked for."""

_OF_VERSIONS = frozenset(
    {"DeleteObject", "DeleteObjectTagging", "GetObject", "GetObjectAcl", "GetObjectAttributes", "GetObjectTagging"}
    | {"PutObjectAcl", "PutObjectTagging"}
)
"""Actions that have another name where a version is named. Documented: service authorization reference, Amazon S3."""

_SOURCE = re.compile(r"/?[^:;#?%/\x00-\x1f\x7f]+(?:/|%2[Ff])[^;#?\x00-\x1f\x7f]+")
"""
What is copied, bucket and key, as no server reads it for anything else: some take what begins with two slashes, or with
a name and a colon, for a whole URL, and leave out what follows a semicolon.
"""

_KEYS = {
    "x-amz-acl": "s3:x-amz-acl",
    "x-amz-copy-source": "s3:x-amz-copy-source",
    "x-amz-server-side-encryption": "s3:x-amz-server-side-encryption",
    "x-amz-storage-class": "s3:x-amz-storage-class",
}
"""Condition keys of headers."""


def demands_of_s3(request: WireRequest, where: Address, body: bytes) -> Sequence[Demand]:
    """
    Return what a request asks leave for.

    Args:
        where: what it addresses.
        body: of a request that deletes several objects; else it is not looked at.

    Raises:
        InvalidArgument: it copies what some servers would read for something else.
    """
    names = {name for name in names_of(request.query) if not _is_parameter(name)}
    if where.bucket is None:
        plain = request.method in {"GET", "HEAD"} and not names
        return (Demand("s3:ListAllMyBuckets" if plain else "s3:*"),)
    if _may_lead_elsewhere(request.path):
        return (Demand("s3:*"),)
    bucket = f"arn:aws:s3:::{where.bucket}"
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    context = _context(request, query)
    if where.key is None:
        if request.method == "POST" and names == {"delete"}:
            return _of_many(bucket, body)
        if request.method == "POST" and not names:
            # A form, of which the key is not read here.
            return (Demand("s3:PutObject", f"{bucket}/*"),)
        return [
            Demand(f"s3:{action}", bucket, context=context) for action in _actions("bucket", _BUCKET, request, names)
        ]
    arn = f"{bucket}/{where.key}"
    if request.method == "POST":
        actions = [_POSTED.get(name, "*") for name in sorted(names)] or ["*"]
    else:
        actions = _actions("object", _OBJECT, request, names)
        if "attributes" in names:
            # Documented: S3 API reference, GetObjectAttributes: leave for GetObject as well.
            actions.append("GetObject")
    if "versionId" in query:
        actions = [_of_version(action) for action in actions]
    found = [Demand(f"s3:{action}", arn, context=context) for action in actions]
    if request.method == "PUT" and "PutObject" in actions:
        found += _beside_put(request, arn, context)
    return found


def _actions(
    kind: str, table: Mapping[str, Mapping[str, str]], request: WireRequest, names: Iterable[str]
) -> list[str]:
    method = "GET" if request.method == "HEAD" else request.method
    found = [table.get(name, {}).get(method, "-") for name in sorted(names)]
    # There is no HEAD of anything but the bucket and the object.
    if not found or request.method == "HEAD" or not _SELDOM_KNOWN.isdisjoint(names):
        found.append(_PLAIN.get((kind, request.method), "-"))
    # Several at once, of which a server takes one, are all demanded.
    return ["*" if action == "-" else action for action in found]


def _beside_put(request: WireRequest, arn: str, context: Mapping[str, Value]) -> Iterable[Demand]:
    headers = request.headers
    if source := headers.get("x-amz-copy-source"):
        path, _, query = source.partition("?")
        if _SOURCE.fullmatch(path) is None:
            # Observed: the text that AWS has for what names no bucket and key.
            raise InvalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
        action = "GetObjectVersion" if "versionId" in names_of(query) else "GetObject"
        path = unquote(path).removeprefix("/")
        yield Demand(f"s3:{action}", "*" if _may_lead_elsewhere(f"/{path}") else f"arn:aws:s3:::{path}")
    # Documented: S3 API reference, PutObject: leave for what is set along with the object.
    if headers.get("x-amz-tagging"):
        yield Demand("s3:PutObjectTagging", arn, context=context)
    if any(name == "x-amz-acl" or name.startswith("x-amz-grant-") for name in headers):
        yield Demand("s3:PutObjectAcl", arn, context=context)


def _of_many(bucket: str, body: bytes) -> Sequence[Demand]:
    found: dict[tuple[str, str], None] = {}
    for one in objects_to_delete(body):
        if key := one.get("Key"):
            found["s3:DeleteObjectVersion" if one.get("VersionId") else "s3:DeleteObject", f"{bucket}/{key}"] = None
    return [Demand(action, arn) for action, arn in found] or [Demand("s3:DeleteObject", f"{bucket}/*")]


def _of_version(action: str) -> str:
    if action not in _OF_VERSIONS:
        return action
    return action.replace("Object", "ObjectVersion", 1)


def _context(request: WireRequest, query: Mapping[str, str]) -> dict[str, Value]:
    found: dict[str, Value] = {
        f"s3:{name}": query[name] for name in ("prefix", "delimiter", "max-keys") if name in query
    }
    if "versionId" in query:
        found["s3:versionid"] = query["versionId"]
    found |= {key: request.headers[name] for name, key in _KEYS.items() if name in request.headers}
    return found


def _may_lead_elsewhere(path: str) -> bool:
    """Say whether a server that tidies paths up would find something else at the end of one than is addressed."""
    return path.startswith("//") or any(segment in {".", ".."} for segment in unquote(path).split("/"))


def _is_parameter(name: str) -> bool:
    return name in _PARAMETERS or name.lower().startswith(("x-amz-", "response-"))


def names_of(query: str) -> set[str]:
    """Return the names of the parameters in a query."""
    return {name for name, _ in parse_qsl(query, keep_blank_values=True)}
