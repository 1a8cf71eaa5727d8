"""
What requests for other services ask leave for, as far as their heads and bodies say it.

Pure. What is not understood is demanded as all that the service may do, or on `*`: no policy allows it but one that
allows that, and none that denies a part of it. What the neighbour may understand otherwise than it is here, is refused.
A resource that only the neighbour knows, such as the six letters behind a secret's name, is guessed here as no policy
names it to the letter.

Documented: service authorization reference, of each service.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

from msgspec.structs import replace

from lambent.access.authorize import Demand
from lambent.domain.caller import Scope
from lambent.domain.policy import Value
from lambent.errors.families import SerializationException, ValidationException
from lambent.protocol.documents import decode_cbor, decode_json
from lambent.protocol.form import FORM_TYPE
from lambent.protocol.wire import WireRequest, media_type
from lambent.services.s3.addressing import Address, address
from lambent.services.s3.errors import InvalidArgument
from lambent.services.s3.events import objects_to_delete

BODY_MAX_BYTES = 33_554_432
"""
Of a request that is read whole, to be understood. Documented: DynamoDB and Kinesis take at most 16 and 10 MB in a
request; Base64 makes more of them.
"""

_DEMANDS_MAX = 1_000
"""Of one request. Documented: DeleteObjects has a thousand keys, other batches fewer."""

_PREFIXES = {"dynamodbstreams": "dynamodb", "monitoring": "cloudwatch", "s3control": "s3"}
"""Of actions, where it is not the service's name here."""

_TARGET = re.compile(r"(?:[A-Za-z0-9_]{1,64}\.){1,8}[A-Za-z0-9]{1,64}", re.ASCII)
_OPERATION = re.compile(r"[A-Za-z][A-Za-z0-9]{1,63}", re.ASCII)


def needs_body(service: str, request: WireRequest) -> bool:
    """Say whether nothing can be said of a request without its body."""
    if service == "s3":
        return request.method == "POST" and "delete" in _names(request.query)
    return service != "s3control"


def demands_of(service: str, request: WireRequest, scope: Scope, body: bytes) -> Sequence[Demand]:
    """
    Return what a request asks leave for.

    Args:
        scope: where it acts.
        body: whole, if it is needed.

    Raises:
        ApiError: it may be understood in more than one way.
    """
    prefix = _PREFIXES.get(service, service)
    found = _found(service, prefix, request, scope, body)
    if len(found) > _DEMANDS_MAX:
        found = (Demand(f"{prefix}:*"),)
    return [replace(one, is_vague=True) if _is_vague(one) else one for one in found]


_VAGUE = frozenset(
    {"dynamodb:GetRecords", "kms:Decrypt", "kms:ReEncryptFrom", "s3:GetObject", "s3:GetObjectVersion"}
) | {"secretsmanager:GetSecretValue"}
"""Actions on one resource, of which a request may say something without naming it."""


def _is_vague(demand: Demand) -> bool:
    action = demand.action
    return action.endswith(":*") or (demand.resource == "*" and (action in _VAGUE or ":PartiQL" in action))


def _found(service: str, prefix: str, request: WireRequest, scope: Scope, body: bytes) -> Sequence[Demand]:
    if service == "s3":
        return _of_s3(request, address(request.headers.get("host", ""), request.path), body)
    operation = _operation_of(request, body)
    if operation is None:
        return (Demand(f"{prefix}:*"),)
    find = _SERVICES.get(service)
    if find is None:
        return (Demand(f"{prefix}:{operation}"),)
    found = find(operation, _document(request, body), scope) or (Demand(f"{prefix}:{operation}"),)
    return [one for demand in found for one in _here_and_there(demand, _RESOURCES[prefix], scope)]


def _operation_of(request: WireRequest, body: bytes) -> str | None:
    """Return the operation that a request names, in whichever protocol; None where it names none, or several."""
    is_form = media_type(request) == FORM_TYPE
    target = request.headers.get("x-amz-target")
    is_in_path = request.path.startswith("/service/") and "/operation/" in request.path
    if target is None and not is_in_path:
        named = {*_values(request.query, "Action"), *(_values(body.decode("latin-1"), "Action") if is_form else ())}
        name = named.pop() if len(named) == 1 else ""
    elif is_form or not all(name.lower().startswith("x-amz-") for name in _names(request.query)):
        # Some servers look for the operation, and for parameters, in forms and queries first.
        return None
    elif target is not None:
        # Of a header that came twice, servers take the one or the other.
        name = target.rpartition(".")[2] if _TARGET.fullmatch(target) else ""
    else:
        name = request.path.rstrip("/").rpartition("/")[2]
    return name if _OPERATION.fullmatch(name) else None


def _document(request: WireRequest, body: bytes) -> Mapping[str, Any]:
    kind = media_type(request)
    try:
        found = decode_cbor(body) if "cbor" in kind else decode_json(body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        # What is no document here may well be one there.
        raise SerializationException("The body is not what the request says that it is")
    return found


def _here_and_there(demand: Demand, resources: re.Pattern[str], scope: Scope) -> Iterable[Demand]:
    """
    Yield a demand on a resource that a request names, and where that is elsewhere, on the one of the same name here:
    servers for development go by the name.

    Args:
        resources: what stands behind the fifth colon of the service's ARNs.

    Raises:
        ValidationException: it is no resource of the service; what a server would find by it nobody knows.
    """
    yield demand
    if demand.resource == "*":
        return
    parts = demand.resource.split(":", 5)
    if len(parts) != 6 or resources.fullmatch(parts[5]) is None:
        raise ValidationException(
            f"{demand.resource[:300]} is no name or ARN of a resource that can be told from others"
        )
    here = ":".join(("arn", "aws", parts[2], scope.region, scope.account, parts[5]))
    if here != demand.resource:
        yield Demand(demand.action, here)


def _texts(found: Any) -> list[str]:
    """Return the texts of a value that is one, or a list of them."""
    return [text for text in (found if isinstance(found, list) else [found]) if isinstance(text, str)]


# DynamoDB and its streams ---------------------------------------------------------------------------------------------


def _of_dynamodb(operation: str, given: Mapping[str, Any], scope: Scope) -> Sequence[Demand]:
    base = f"arn:aws:dynamodb:{scope.region}:{scope.account}:table/"

    def table(name: Any) -> str:
        return "*" if not isinstance(name, str) else _table_arn(name) if name.startswith("arn:") else base + name

    if operation in {"BatchGetItem", "BatchWriteItem"}:
        items = given.get("RequestItems")
        return [Demand(f"dynamodb:{operation}", table(name)) for name in items] if isinstance(items, dict) else ()
    if operation in {"TransactGetItems", "TransactWriteItems"}:
        return _of_transaction(given.get("TransactItems"), table)
    if operation in _PARTIQL:
        return _of_statements(given)
    if operation == "GetRecords":
        # It begins with the stream's ARN.
        arn = str(given.get("ShardIterator", "")).partition("|")[0]
        return (Demand("dynamodb:GetRecords", arn if arn.startswith("arn:") and "/stream/" in arn else "*"),)
    if operation in {"ListStreams", "ListTables", "ListBackups", "ListExports", "ListImports"}:
        return ()
    arns = [_table_arn(_as_arn(given[member])) for member in _TABLE_ARNS if member in given]
    arns += [_as_arn(given[member]) for member in ("BackupArn", "ExportArn", "ImportArn") if member in given]
    names = [given[member] for member in ("TableName", "TargetTableName", "GlobalTableName") if member in given]
    # Whatever else may have one does not act on an index.
    index = given.get("IndexName") if operation in {"Query", "Scan"} else None
    # Documented: DynamoDB developer guide, an index is a resource of its own.
    arns += [f"{table(name)}/index/{index}" if isinstance(index, str) else table(name) for name in names]
    return [Demand(f"dynamodb:{operation}", arn) for arn in arns]


_TABLE_ARNS = ("ResourceArn", "SourceTableArn", "StreamArn", "TableArn")
_BELOW_TABLE = re.compile(r"[^/]*/[^/]*(?:/stream/[0-9-]+T[0-9]+:[0-9T:.-]+)?")


def _table_arn(arn: str) -> str:
    """
    Return the ARN of a table or its stream.

    Raises:
        ValidationException: it is of something below a table, of which some servers take the last part for a table.
    """
    if arn != "*" and _BELOW_TABLE.fullmatch(arn) is None:
        raise ValidationException(f"{arn[:300]} is not the ARN of a table")
    return arn


_PARTIQL = {"BatchExecuteStatement", "ExecuteStatement", "ExecuteTransaction"}
_PARTIQL_ACTIONS = {
    "select": "PartiQLSelect",
    "insert": "PartiQLInsert",
    "update": "PartiQLUpdate",
    "delete": "PartiQLDelete",
}
_TRANSACTED = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}


def _of_transaction(items: Any, table: Callable[[Any], str]) -> Sequence[Demand]:
    # Documented: DynamoDB developer guide, transactions: leave is needed for what they consist of.
    found: dict[tuple[str, str], None] = {}
    for item in items if isinstance(items, list) else ():
        for kind, one in item.items() if isinstance(item, dict) else ():
            name = one.get("TableName") if isinstance(one, dict) else None
            found[f"dynamodb:{_TRANSACTED.get(kind, '*')}", table(name)] = None
    return [Demand(action, arn) for action, arn in found] or [Demand("dynamodb:*")]


def _of_statements(given: Mapping[str, Any]) -> Sequence[Demand]:
    """Return what PartiQL asks for. Which tables a statement is about is not read out of it."""
    statements = given.get("Statements") or given.get("TransactStatements") or [given]
    actions: dict[str, None] = {}
    for one in statements if isinstance(statements, list) else ():
        text = one.get("Statement") if isinstance(one, dict) else None
        word = text.split(None, 1)[0].lower() if isinstance(text, str) and text.strip() else ""
        actions[_PARTIQL_ACTIONS.get(word, "*")] = None
    return [Demand(f"dynamodb:{action}") for action in actions]


# Kinesis, parameters, secrets, keys -----------------------------------------------------------------------------------


def _of_kinesis(operation: str, given: Mapping[str, Any], scope: Scope) -> Sequence[Demand]:
    base = f"arn:aws:kinesis:{scope.region}:{scope.account}:stream/"
    arns = [_as_arn(given[member]) for member in ("StreamARN", "ConsumerARN", "ResourceARN") if member in given]
    arns += [base + name for name in _texts(given.get("StreamName"))]
    if "ShardIterator" in given:
        # An iterator of the embedded server names its stream; that of another one is nobody's but who got it.
        arns += [base + name for name in _stream_of(given["ShardIterator"])]
    return [Demand(f"kinesis:{operation}", arn) for arn in dict.fromkeys(arns)]


def _stream_of(iterator: Any) -> Sequence[str]:
    try:
        # As loosely as the embedded server reads them.
        name, shard, number = base64.b64decode(str(iterator)).decode().split(":")
    except (binascii.Error, ValueError):
        return ()
    return (name,) if shard.startswith("shardId-") and number.lstrip("-").isdigit() else ()


def _of_ssm(operation: str, given: Mapping[str, Any], scope: Scope) -> Sequence[Demand]:
    names = _texts(given.get("Name")) + _texts(given.get("Names")) + _texts(given.get("Path"))
    if given.get("ResourceType") == "Parameter":
        names += _texts(given.get("ResourceId"))
    if not operation.endswith(("Parameter", "Parameters", "ParametersByPath", "ParameterHistory")) and (
        given.get("ResourceType") != "Parameter"
    ):
        return ()
    base = f"arn:aws:ssm:{scope.region}:{scope.account}:parameter"

    def arn(name: str) -> str:
        # Documented: Systems Manager user guide: a version or label stands behind a colon.
        if name.startswith("arn:"):
            parts = name.split(":")
            return name if len(parts) > 7 else ":".join(parts[:6])
        name = name.partition(":")[0]
        return base + (name if name.startswith("/") else f"/{name}")

    return [Demand(f"ssm:{operation}", arn(name)) for name in names]


def _of_secrets(operation: str, given: Mapping[str, Any], scope: Scope) -> Sequence[Demand]:
    base = f"arn:aws:secretsmanager:{scope.region}:{scope.account}:secret:"

    def arn(name: str) -> str:
        # Documented: Secrets Manager user guide, six letters follow the name.
        return name if name.startswith("arn:") else f"{base}{name}-??????"

    if operation == "BatchGetSecretValue":
        names = _texts(given.get("SecretIdList"))
        each = [Demand("secretsmanager:GetSecretValue", arn(name)) for name in names]
        return [Demand("secretsmanager:BatchGetSecretValue"), *(each or [Demand("secretsmanager:GetSecretValue")])]
    names = _texts(given.get("SecretId")) or (_texts(given.get("Name")) if operation == "CreateSecret" else [])
    return [Demand(f"secretsmanager:{operation}", arn(name)) for name in names]


def _of_kms(operation: str, given: Mapping[str, Any], scope: Scope) -> Sequence[Demand]:
    base = f"arn:aws:kms:{scope.region}:{scope.account}:"

    def arns(*names: Any) -> list[str]:
        found = []
        for name in names:
            if isinstance(name, str):
                found.append(name if name.startswith("arn:") else base + _key_path(name))
        return list(dict.fromkeys(found)) or ["*"]

    def encrypted_with(member: str) -> str | None:
        """Return the key in a ciphertext of the embedded server, whose first letters are its id."""
        try:
            blob = given.get(member)
            head = blob[:36] if isinstance(blob, bytes) else base64.b64decode(str(blob or ""))[:36]
            text = head.decode("ascii")
        except (binascii.Error, ValueError):
            return None
        return text if re.fullmatch(r"[0-9a-f-]{36}", text) else None

    if operation == "ReEncrypt":
        source = arns(given.get("SourceKeyId"), encrypted_with("CiphertextBlob"))
        return [Demand("kms:ReEncryptFrom", arn) for arn in source] + [
            Demand("kms:ReEncryptTo", arn) for arn in arns(given.get("DestinationKeyId"))
        ]
    names = [given.get("KeyId"), given.get("TargetKeyId"), given.get("AliasName")]
    if operation == "Decrypt":
        names.append(encrypted_with("CiphertextBlob"))
    return [Demand(f"kms:{operation}", arn) for arn in arns(*names)]


def _key_path(name: str) -> str:
    return name if name.startswith("alias/") else f"key/{name}"


def _as_arn(found: Any) -> str:
    return found if isinstance(found, str) and found.startswith("arn:") else "*"


_SERVICES: Mapping[str, Callable[[str, Mapping[str, Any], Scope], Sequence[Demand]]] = {
    "dynamodb": _of_dynamodb,
    "dynamodbstreams": _of_dynamodb,
    "kinesis": _of_kinesis,
    "kms": _of_kms,
    "secretsmanager": _of_secrets,
    "ssm": _of_ssm,
}


_RESOURCES = {
    "dynamodb": re.compile(
        r"(?:table|global-table)/[A-Za-z0-9_.-]{1,255}"
        r"(?:/(?:index/[A-Za-z0-9_.-]{1,255}|(?:backup|export|import)/[A-Za-z0-9_.:-]{1,64}|stream/[0-9T:.-]{1,64}))?"
    ),
    "kinesis": re.compile(r"stream/[A-Za-z0-9_.-]{1,128}(?:/consumer/[A-Za-z0-9_.-]{1,128}:[0-9]{1,20})?"),
    "kms": re.compile(r"key/[A-Za-z0-9-]{1,128}|alias/[A-Za-z0-9/_-]{1,256}"),
    "secretsmanager": re.compile(r"secret:[A-Za-z0-9/_+=.@-]{1,512}(?:-\?{6})?"),
    "ssm": re.compile(r"parameter/[A-Za-z0-9_./-]{0,2048}"),
}
"""What stands behind the fifth colon of ARNs. Documented: what names of each may be made of."""


# S3 -------------------------------------------------------------------------------------------------------------------

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


def _of_s3(request: WireRequest, where: Address, body: bytes) -> Sequence[Demand]:
    names = {name for name in _names(request.query) if not _is_parameter(name)}
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
    if not found:
        found = [_PLAIN.get((kind, request.method), "-")]
    # Several at once, of which a server takes one, are all demanded.
    return ["*" if action == "-" else action for action in found]


def _beside_put(request: WireRequest, arn: str, context: Mapping[str, Value]) -> Iterable[Demand]:
    headers = request.headers
    if source := headers.get("x-amz-copy-source"):
        path, _, query = source.partition("?")
        if _SOURCE.fullmatch(path) is None:
            # Observed: the text that AWS has for what names no bucket and key.
            raise InvalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
        action = "GetObjectVersion" if "versionId" in _names(query) else "GetObject"
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


def _names(query: str) -> set[str]:
    return {name for name, _ in parse_qsl(query, keep_blank_values=True)}


def _values(form: str, name: str) -> list[str]:
    """Return what a form has under a name, however that is encoded."""
    return [value for given, value in parse_qsl(form, keep_blank_values=True) if given == name]
