"""
What the audit trail says of one call: a record in CloudTrail's shape. Pure.

Documented: CloudTrail user guide, record contents and userIdentity element.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from lambent.domain.caller import Caller
from lambent.domain.principal import Principal, PrincipalType
from lambent.errors.families import ApiError
from lambent.protocol.wire import WireRequest

RECORD_MAX_BYTES = 262_144
"""Documented: CloudTrail user guide, record contents: 256 KB; what is larger loses its largest parts."""
_TEXT_MAX = 8_192
"""Characters of one value: a policy fits, an API's definition does not."""
_ITEMS_MAX = 500
_DEPTH_MAX = 20
_AGENT_MAX = 1_024
"""Documented: CloudTrail user guide, record contents: userAgent has at most 1 KB, errorMessage too."""

_VERSION = "1.11"

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=str, check_circular=False).encode

_SECRETS = frozenset(
    {
        # Documented: CloudTrail leaves out ZipFile and Environment.
        "zipfile",
        "environment",
        "stagevariables",
        # Of integrations: what is sent to a server in headers, keys of it included.
        "requestparameters",
        "responseparameters",
        "payload",
        "clientcontext",
        "invokeargs",
        "messagebody",
        "messageattributes",
        "messagesystemattributes",
        "body",
        "data",
        # What programs log, and what they trace.
        "logevents",
        "logeventmessages",
        "tracesegmentdocuments",
        "secretstring",
        "secretbinary",
        "secretaccesskey",
        "secretkey",
        "sessiontoken",
        "token",
        "password",
        "oldpassword",
        "newpassword",
        "privatekey",
        "plaintext",
        "webidentitytoken",
        "samlassertion",
        "tokencode",
        "authenticationcode1",
        "authenticationcode2",
        # A link to a package is leave to read it.
        "location",
        "nexttoken",
    }
)
"""Members that no record has, wherever they stand; in small letters, without underscores."""

_PLAIN = (str, bool, int, float, datetime, Mapping, list, tuple, msgspec.Struct)

_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}")
"""What may pass for a key's id in a record. A secret, put in its place by mistake, has forty characters."""

GLOBAL = frozenset({"iam", "sts"})
"""Documented: CloudTrail user guide, global service events: they are those of us-east-1."""
GLOBAL_REGION = "us-east-1"

_SOURCES = {"apigatewayv2": "apigateway", "dynamodbstreams": "dynamodb", "s3control": "s3"}

DATA: Mapping[str, frozenset[str]] = {
    "lambda": frozenset({"Invoke", "InvokeAsync", "InvokeWithResponseStream", "InvokeFunctionUrl"}),
    "sqs": frozenset(
        {
            "ChangeMessageVisibility",
            "ChangeMessageVisibilityBatch",
            "DeleteMessage",
            "DeleteMessageBatch",
            "ReceiveMessage",
            "SendMessage",
            "SendMessageBatch",
        }
    ),
    "s3": frozenset(
        {
            "AbortMultipartUpload",
            "CompleteMultipartUpload",
            "CopyObject",
            "CreateMultipartUpload",
            "DeleteObject",
            "DeleteObjectTagging",
            "DeleteObjects",
            "GetObject",
            "GetObjectAcl",
            "GetObjectTagging",
            "HeadObject",
            "ListObjects",
            "ListParts",
            "PostObject",
            "PutObject",
            "PutObjectAcl",
            "PutObjectTagging",
            "UploadPart",
        }
    ),
    "dynamodb": frozenset(
        {
            "BatchExecuteStatement",
            "BatchGetItem",
            "BatchWriteItem",
            "DeleteItem",
            "ExecuteStatement",
            "ExecuteTransaction",
            "GetItem",
            "PutItem",
            "Query",
            "Scan",
            "TransactGetItems",
            "TransactWriteItems",
            "UpdateItem",
        }
    ),
    "dynamodbstreams": frozenset({"GetRecords", "GetShardIterator"}),
    # Assumed: of the operations on what a group holds the one that writes; those that read are management here
    # (test_trail_record).
    "logs": frozenset({"PutLogEvents"}),
    "monitoring": frozenset({"GetMetricData", "GetMetricStatistics", "ListMetrics", "PutMetricData"}),
    "xray": frozenset(
        {
            "BatchGetTraces",
            "GetSamplingRules",
            "GetSamplingStatisticSummaries",
            "GetSamplingTargets",
            "GetServiceGraph",
            "GetTimeSeriesServiceStatistics",
            "GetTraceGraph",
            "GetTraceSummaries",
            "PutTelemetryRecords",
            "PutTraceSegments",
        }
    ),
    "kinesis": frozenset({"GetRecords", "GetShardIterator", "PutRecord", "PutRecords", "SubscribeToShard"}),
}
"""Documented: CloudTrail user guide, data events: operations on what a resource holds. All others are management."""

_READS = ("Get", "List", "Describe", "Lookup", "Simulate", "Head", "Filter", "BatchGet", "Export", "Search", "Test")
_OTHER_READS = frozenset({("sts", "AssumeRole"), ("dynamodb", "Query"), ("dynamodb", "Scan")})
"""Observed: published records of AssumeRole are read-only, and have responseElements all the same."""

_LAMBDA_VERSIONS = {
    "20141114": "InvokeAsync",
    "20150331": (
        "CreateAlias CreateEventSourceMapping CreateFunction DeleteAlias DeleteEventSourceMapping DeleteFunction "
        "GetAlias GetEventSourceMapping ListAliases ListEventSourceMappings ListFunctions ListVersionsByFunction "
        "PublishVersion UpdateAlias UpdateEventSourceMapping"
    ),
    "20150331v2": (
        "AddPermission GetFunction GetFunctionConfiguration GetPolicy RemovePermission UpdateFunctionCode "
        "UpdateFunctionConfiguration"
    ),
    "20160819": "GetAccountSettings",
    "20170331": "ListTags",
    "20170331v2": "TagResource UntagResource",
    "20171031": "DeleteFunctionConcurrency PutFunctionConcurrency",
    "20181031": (
        "AddLayerVersionPermission DeleteLayerVersion GetLayerVersion GetLayerVersionPolicy ListLayerVersions "
        "ListLayers PublishLayerVersion RemoveLayerVersionPermission"
    ),
}
_LAMBDA_NAMES = {name: name + suffix for suffix, names in _LAMBDA_VERSIONS.items() for name in names.split()}
"""
Observed: published records of Lambda's operations. Assumed: those of which none was seen follow their path's date, and
what came after 2018 has no suffix (test_trail_record).
"""

_RESOURCES: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "lambda": (
        ("FunctionName", "AWS::Lambda::Function", "arn:aws:lambda:{region}:{account}:function:{name}"),
        ("LayerName", "AWS::Lambda::LayerVersion", "arn:aws:lambda:{region}:{account}:layer:{name}"),
    ),
    "sqs": (
        ("QueueName", "AWS::SQS::Queue", "arn:aws:sqs:{region}:{account}:{name}"),
        ("QueueUrl", "AWS::SQS::Queue", "arn:aws:sqs:{region}:{account}:{name}"),
    ),
    "iam": (
        ("RoleName", "AWS::IAM::Role", "arn:aws:iam::{account}:role/{name}"),
        ("UserName", "AWS::IAM::User", "arn:aws:iam::{account}:user/{name}"),
        ("GroupName", "AWS::IAM::Group", "arn:aws:iam::{account}:group/{name}"),
        ("PolicyArn", "AWS::IAM::Policy", "{name}"),
    ),
    "sts": (("RoleArn", "AWS::IAM::Role", "{name}"),),
    "s3": (("bucketName", "AWS::S3::Bucket", "arn:aws:s3:::{name}"),),
    "logs": (("logGroupName", "AWS::Logs::LogGroup", "arn:aws:logs:{region}:{account}:log-group:{name}"),),
    "apigatewayv2": (
        ("ApiId", "AWS::ApiGatewayV2::Api", "arn:aws:apigateway:{region}::/apis/{name}"),
        ("DomainName", "AWS::ApiGatewayV2::DomainName", "arn:aws:apigateway:{region}::/domainnames/{name}"),
    ),
}
"""Service to members that name a resource, its type, and its ARN."""


class Call:
    """One request, as the steps that it passes find out about it."""

    __slots__ = (
        "caller",
        "endpoint",
        "error",
        "operation",
        "output",
        "parameters",
        "refusal",
        "request",
        "request_id",
        "service",
    )

    def __init__(self, request: WireRequest, request_id: str, endpoint: str) -> None:
        self.request = request
        self.request_id = request_id
        self.endpoint = endpoint
        self.service = ""
        """As botocore names it."""
        self.operation = ""
        self.caller: Caller | None = None
        """None: it was refused before anybody knew."""
        self.parameters: Any = None
        self.output: Any = None
        self.error: ApiError | None = None
        self.refusal: tuple[str, str] | None = None
        """Code and text of what was no ApiError."""


def is_data(service: str, operation: str) -> bool:
    """Say whether an operation is about what a resource holds."""
    return operation in DATA.get(service, ())


def is_read_only(service: str, operation: str) -> bool:
    """Say whether an operation changes nothing."""
    return operation.startswith(_READS) or (service, operation) in _OTHER_READS


def record_of(
    call: Call, *, now: float, event_id: str, account: str, region: str, access_key: str = "", suppressed: int = 0
) -> bytes:
    """
    Return the record of a call that is over: one line, without its end, in ASCII.

    Args:
        now: when it was over.
        account: whom a call belongs to of which nobody knows who made it.
        region: likewise.
        access_key: what such a call says of its key; nothing of it is verified.
        suppressed: calls before it that were left out.
    """
    caller, service, operation = call.caller, call.service, call.operation
    where = Place(account, region) if caller is None else Place(caller.scope.account, caller.scope.region)
    if service in GLOBAL:
        where = Place(where.account, GLOBAL_REGION)
    reads = is_read_only(service, operation)
    is_data_event = is_data(service, operation)
    refusal = call.refusal
    if call.error is not None:
        refusal = (call.error.code, call.error.message)
    # Documented: CloudTrail user guide: denied calls have no requestParameters.
    is_denied = caller is None or (refusal is not None and refusal[0].startswith(("AccessDenied", "NotAuthorized")))
    parameters = None if is_denied else shown(call.parameters)
    has_elements = refusal is None and (not reads or (service, operation) in _OTHER_READS) and not is_data_event
    record: dict[str, Any] = {
        "eventVersion": _VERSION,
        "userIdentity": _unknown(access_key) if caller is None else identity_of(caller.principal),
        "eventTime": time_text(now),
        "eventSource": "lambent" if service == "lambent" else f"{_SOURCES.get(service, service)}.amazonaws.com",
        "eventName": event_name(service, operation),
        "awsRegion": where.region,
        "sourceIPAddress": _text(call.request.client, 100),
        "userAgent": _text(call.request.headers.get("user-agent", ""), _AGENT_MAX),
    }
    if refusal is not None:
        # Observed: published records: whatever a service says on the wire, this is a denial's code.
        code = "AccessDenied" if refusal[0] == "AccessDeniedException" else refusal[0]
        record["errorCode"] = code[:_AGENT_MAX]
        record["errorMessage"] = _text(_without_value(refusal[1]), _AGENT_MAX)
    record["requestParameters"] = parameters
    record["responseElements"] = (shown(call.output) or None) if has_elements else None
    if extra := _additional(call, suppressed):
        record["additionalEventData"] = extra
    record["requestID"] = call.request_id
    record["eventID"] = event_id
    record["readOnly"] = reads
    if resources := resources_of(service, call.parameters, where):
        record["resources"] = resources
    record["eventType"] = "AwsApiCall"
    record["managementEvent"] = not is_data_event
    record["recipientAccountId"] = where.account
    record["eventCategory"] = "Data" if is_data_event else "Management"
    if call.endpoint.startswith("https:"):
        record["tlsDetails"] = {"clientProvidedHostHeader": _text(call.request.headers.get("host", ""), 255)}
    return _line(record)


class Place(msgspec.Struct, frozen=True):
    """Where a call counts."""

    account: str
    region: str


def event_name(service: str, operation: str) -> str:
    """Return an operation's name in records."""
    if not operation:
        return "Unknown"
    return _LAMBDA_NAMES.get(operation, operation) if service == "lambda" else operation


def time_text(now: float) -> str:
    """Return a moment as records have it: whole seconds."""
    return _second_text(int(now))


@lru_cache(maxsize=64)
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def identity_of(principal: Principal) -> dict[str, Any]:
    """Return a principal as records name it."""
    if principal.type is PrincipalType.SERVICE:
        return {"type": "AWSService", "invokedBy": principal.name}
    if principal.type is PrincipalType.ANONYMOUS:
        # Assumed: as records of S3 have it, which is where AWS has such calls (test_trail_record).
        return {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"}
    kinds = {PrincipalType.ROOT: "Root", PrincipalType.USER: "IAMUser", PrincipalType.ROLE: "AssumedRole"}
    identity: dict[str, Any] = {
        "type": kinds[principal.type],
        "principalId": principal.unique_id,
        "arn": principal.arn,
        "accountId": principal.account,
        "accessKeyId": _key_id(principal.access_key),
    }
    if principal.type is PrincipalType.USER:
        identity["userName"] = principal.name
    session = principal.session
    if session is not None:
        attributes = {"creationDate": time_text(session.issued_at), "mfaAuthenticated": "false"}
        context: dict[str, Any] = {"attributes": attributes}
        if principal.type is PrincipalType.ROLE:
            context["sessionIssuer"] = {
                "type": "Role",
                "principalId": principal.identity_id,
                "arn": principal.identity_arn,
                "accountId": principal.account,
                "userName": principal.name,
            }
        if session.source_identity:
            context["sourceIdentity"] = session.source_identity
        identity["sessionContext"] = context
    return identity


def resources_of(service: str, parameters: Any, where: Place) -> list[dict[str, str]]:
    """Return the resources that a call named."""
    if not isinstance(parameters, Mapping):
        return []
    found = []
    for member, kind, arn in _RESOURCES.get(service, ()):
        name = parameters.get(member)
        if not isinstance(name, str) or not name:
            continue
        if member == "QueueUrl":
            name = name.rpartition("/")[2]
        if not name.startswith("arn:"):
            name = arn.format(region=where.region, account=where.account, name=name[:300])
        found.append({"ARN": _text(name, 512), "accountId": where.account, "type": kind})
    return found


def shown(value: Any, depth: int = 0) -> Any:
    """
    Return parameters, or an answer, as a record may have them: names in lower camel case, and nothing that is secret or
    somebody's data.
    """
    if isinstance(value, float) and not math.isfinite(value):
        # No JSON has it.
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _text(value, _TEXT_MAX)
    if isinstance(value, datetime):
        return time_text(value.timestamp())
    if depth >= _DEPTH_MAX:
        return "..."
    if isinstance(value, msgspec.Struct):
        value = {
            name: found for name in value.__struct_fields__ if (found := getattr(value, name)) is not msgspec.UNSET
        }
    if isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for name, inner in value.items():
            if len(made) >= _ITEMS_MAX:
                break
            if _is_shown(name, inner):
                made[_camel(_text(str(name), 256))] = shown(inner, depth + 1)
        return made
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [shown(inner, depth + 1) for inner in value[:_ITEMS_MAX] if _is_plain(inner)]
    return "..."


def _without_value(text: str) -> str:
    """
    Return an error's text without what was sent, which may be a secret in the wrong place.

    Looked for once from each end: the text may be as long as a body, and full of what looks like the beginning.
    """
    # What is below repeats what was signed, a session's token included.
    text = text.partition("\n\n")[0]
    head, begins, rest = text.partition("Value '")
    _, ends, tail = rest.rpartition("' at '")
    return f"{head}Value at '{tail}" if begins and ends else text


def _text(value: str, most: int) -> str:
    """Return a text that is not too long, and that every reader of JSON takes: none has halves of characters."""
    if len(value) > most:
        value = value[:most] + "..."
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _is_shown(name: Any, value: Any) -> bool:
    return str(name).replace("_", "").lower() not in _SECRETS and _is_plain(value)


def _is_plain(value: Any) -> bool:
    # Bytes are somebody's data; a stream, or an archive, is not there any more.
    return value is None or isinstance(value, _PLAIN)


def _camel(name: str) -> str:
    if "_" in name:
        first, *rest = name.split("_")
        name = first + "".join(word[:1].upper() + word[1:] for word in rest)
    return name[:1].lower() + name[1:]


def _additional(call: Call, suppressed: int) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if call.caller is not None and call.caller.authenticated_by == "none":
        # Who it was is what the request said.
        extra["authenticatedBy"] = "none"
    if call.request.inside is not None:
        extra["functionArn"] = call.request.inside.function_arn
        if call.request.inside.environment:
            extra["environment"] = call.request.inside.environment
    if suppressed:
        extra["suppressedEvents"] = suppressed
    return extra


def _unknown(access_key: str) -> dict[str, Any]:
    return {"type": "Unknown", "principalId": "", "accessKeyId": _key_id(access_key)}


def _key_id(access_key: str) -> str:
    return access_key if _KEY_ID.fullmatch(access_key) else ""


def _line(record: dict[str, Any]) -> bytes:
    for member in ("responseElements", "requestParameters"):
        # Escaped, so that no text whatsoever ends a line, by nobody's idea of what does.
        line = _encode(record).encode()
        if len(line) < RECORD_MAX_BYTES:
            return line
        record[member] = {"omitted": True, "reason": "the record would be too large"}
    record["resources"] = []
    return _encode(record).encode()
