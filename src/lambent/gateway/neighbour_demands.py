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
from urllib.parse import parse_qsl

from msgspec.structs import replace

from lambent.access.authorize import Demand
from lambent.domain.caller import Scope
from lambent.errors.families import SerializationException, ValidationException
from lambent.gateway.s3_demands import demands_of_s3, names_of
from lambent.protocol.documents import decode_cbor, decode_json
from lambent.protocol.form import FORM_TYPE
from lambent.protocol.wire import WireRequest, media_type
from lambent.services.s3.addressing import address

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
        return request.method == "POST" and "delete" in names_of(request.query)
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
        return demands_of_s3(request, address(request.headers.get("host", ""), request.path), body)
    operation = _operation_of(request, body)
    if operation is None:
        return (Demand(f"{prefix}:*"),)
    find = _SERVICES.get(service)
    if find is None:
        return (Demand(f"{prefix}:{operation}"),)
    found = find(operation, _document(request, body), scope) or (Demand(f"{prefix}:{operation}"),)
    return [one for demand in found for one in _here_and_there(demand, scope)]


def _operation_of(request: WireRequest, body: bytes) -> str | None:
    """Return the operation that a request names, in whichever protocol; None where it names none, or several."""
    is_form = media_type(request) == FORM_TYPE
    target = request.headers.get("x-amz-target")
    is_in_path = request.path.startswith("/service/") and "/operation/" in request.path
    if target is None and not is_in_path:
        named = {*_values(request.query, "Action"), *(_values(body.decode("latin-1"), "Action") if is_form else ())}
        name = named.pop() if len(named) == 1 else ""
    elif is_form or not all(name.lower().startswith("x-amz-") for name in names_of(request.query)):
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


def _here_and_there(demand: Demand, scope: Scope) -> Iterable[Demand]:
    """
    Yield a demand on a resource that a request names, and where that is elsewhere, on the one of the same name here:
    servers for development go by the name.

    Raises:
        ValidationException: it is no resource of the service; what a server would find by it nobody knows.
    """
    yield demand
    if demand.resource == "*" or demand.action.startswith("s3:"):
        return
    parts = demand.resource.split(":", 5)
    if len(parts) != 6 or _RESOURCES[demand.action.partition(":")[0]].fullmatch(parts[5]) is None:
        raise ValidationException(
            f"{demand.resource[:300]} is no name or ARN of a resource that can be told from others"
        )
    here = ":".join(("arn", "aws", parts[2], scope.region, scope.account, parts[5]))
    if here != demand.resource:
        yield Demand(demand.action, here)


def _values(form: str, name: str) -> list[str]:
    """Return what a form has under a name, however that is encoded."""
    return [value for given, value in parse_qsl(form, keep_blank_values=True) if given == name]


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
    if isinstance(creation := given.get("TableCreationParameters"), dict):
        names.append(creation.get("TableName"))
    # Whatever else may have one does not act on an index.
    index = given.get("IndexName") if operation in {"Query", "Scan"} else None
    # Documented: DynamoDB developer guide, an index is a resource of its own.
    arns += [f"{table(name)}/index/{index}" if isinstance(index, str) else table(name) for name in names]
    found = [Demand(f"dynamodb:{operation}", arn) for arn in arns] or [Demand(f"dynamodb:{operation}")]
    return [*found, *_of_exchange(operation, given)]


def _of_exchange(operation: str, given: Mapping[str, Any]) -> Sequence[Demand]:
    """Return what tables that come from a bucket, or go to one, ask for there. Documented: DynamoDB developer guide."""
    if operation == "ImportTable":
        source = given.get("S3BucketSource")
        bucket = f"arn:aws:s3:::{source.get('S3Bucket') if isinstance(source, dict) else ''}"
        return (Demand("s3:GetObject", f"{bucket}/*"), Demand("s3:ListBucket", bucket))
    if operation == "ExportTableToPointInTime":
        return (Demand("s3:PutObject", f"arn:aws:s3:::{given.get('S3Bucket')}/*"),)
    return ()


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

    found = [Demand(f"ssm:{operation}", arn(name)) for name in names]
    # Documented: Systems Manager user guide, referencing secrets from Parameter Store: leave for the secret as well.
    secrets = [secret for name in names for _, mark, secret in [name.partition(_OF_SECRETS)] if mark]
    return found + [
        Demand("secretsmanager:GetSecretValue", "*" if ":" in secret else _secret_arn(scope, secret))
        for secret in secrets
    ]


_OF_SECRETS = "/aws/reference/secretsmanager/"
"""Parameters that are secrets."""


def _secret_arn(scope: Scope, name: str) -> str:
    # Documented: Secrets Manager user guide, six letters follow the name.
    return f"arn:aws:secretsmanager:{scope.region}:{scope.account}:secret:{name}-??????"


def _of_secrets(operation: str, given: Mapping[str, Any], scope: Scope) -> Sequence[Demand]:
    def arn(name: str) -> str:
        return name if name.startswith("arn:") else _secret_arn(scope, name)

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
