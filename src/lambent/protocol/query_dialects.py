"""
What models of services that left the query protocol say of it no more: one `QueryDialect` for each.

Such a service (`awsQueryCompatible` in its model) speaks JSON, or CBOR and JSON, and still the query protocol that it
had before, on the same host and path. Its model may have lost the names of the query protocol, and the codes and
statuses of its errors.
"""

from collections.abc import Mapping
from typing import Any

import msgspec


class QueryDialect(msgspec.Struct, frozen=True):
    """The query protocol of one service."""

    xml_namespace: str
    error_namespace: str
    """Before the name of an error's shape in the `__type` of JSON and CBOR."""
    other_namespaces: Mapping[str, str] = {}
    """The same of errors that are not the service's own."""
    has_detail: bool = False
    """Whether errors have an element `Detail`, which is empty."""
    items: Mapping[str, str] = {}
    """List shape to the name of its items; all lists are flattened, where the model does not say it itself."""
    entries: Mapping[str, tuple[str, str, str]] = {}
    """Map shape to the name of its entries, their keys and their values; all maps are flattened likewise."""
    errors: Mapping[str, tuple[str, int]] = {}
    """Error shape to its code, and its status. Those that the model does not hold are added to it."""
    texts: Mapping[str, str] = {}
    """Error shape to the text that it has in this protocol alone."""
    path_member: str | None = None
    """The input member that the path of a request stands for: a resource's URL is an endpoint."""
    only_at_root: frozenset[str] = frozenset()
    """Operations that a resource's URL does not take."""

    def type_of(self, error: str) -> str:
        """Return the `__type` of an error."""
        return f"{self.other_namespaces.get(error, self.error_namespace)}#{error}"


def _plain(*names: str) -> dict[str, str]:
    """Return lists whose items are called as the list's shape is, without `List`."""
    return {f"{name}List": name for name in names}


_SQS_PREFIX = "AWS.SimpleQueueService."

# Documented: the service model of SQS from before it left the query protocol; parameters of the query API reference.
_SQS = QueryDialect(
    xml_namespace="http://queue.amazonaws.com/doc/2012-11-05/",
    error_namespace="com.amazonaws.sqs",
    # Observed: boto3 shows `Detail: None` for errors of SQS (localstack/localstack, recorded).
    has_detail=True,
    items=_plain(
        "AttributeName",
        "BatchResultErrorEntry",
        "ChangeMessageVisibilityBatchRequestEntry",
        "ChangeMessageVisibilityBatchResultEntry",
        "DeleteMessageBatchRequestEntry",
        "DeleteMessageBatchResultEntry",
        "ListMessageMoveTasksResultEntry",
        "Message",
        "MessageAttributeName",
        "QueueUrl",
        "SendMessageBatchRequestEntry",
        "SendMessageBatchResultEntry",
        "TagKey",
    )
    | {
        "AWSAccountIdList": "AWSAccountId",
        "ActionNameList": "ActionName",
        "BinaryList": "BinaryListValue",
        "MessageSystemAttributeList": "MessageSystemAttributeName",
        "StringList": "StringListValue",
    },
    entries={
        "MessageBodyAttributeMap": ("MessageAttribute", "Name", "Value"),
        "MessageBodySystemAttributeMap": ("MessageSystemAttribute", "Name", "Value"),
        "MessageSystemAttributeMap": ("Attribute", "Name", "Value"),
        "QueueAttributeMap": ("Attribute", "Name", "Value"),
        "TagMap": ("Tag", "Key", "Value"),
    },
    errors={
        name: (_SQS_PREFIX + name, 400)
        for name in (
            "BatchEntryIdsNotDistinct",
            "BatchRequestTooLong",
            "EmptyBatchRequest",
            "InvalidBatchEntryId",
            "MessageNotInflight",
            "QueueDeletedRecently",
            "TooManyEntriesInBatchRequest",
            "UnsupportedOperation",
        )
    }
    | {
        "AccessDeniedException": ("AccessDenied", 403),
        "InvalidAddress": ("InvalidAddress", 404),
        "InvalidParameterValueException": ("InvalidParameterValue", 400),
        "InvalidSecurity": ("InvalidSecurity", 403),
        "KmsAccessDenied": ("KMS.AccessDeniedException", 400),
        "KmsDisabled": ("KMS.DisabledException", 400),
        "KmsInvalidKeyUsage": ("KMS.InvalidKeyUsageException", 400),
        "KmsInvalidState": ("KMS.InvalidStateException", 400),
        "KmsNotFound": ("KMS.NotFoundException", 400),
        "KmsOptInRequired": ("KMS.OptInRequired", 400),
        "KmsThrottled": ("KMS.ThrottlingException", 400),
        "MissingRequiredParameterException": ("MissingParameter", 400),
        "OverLimit": ("OverLimit", 403),
        "PurgeQueueInProgress": (f"{_SQS_PREFIX}PurgeQueueInProgress", 403),
        "QueueDoesNotExist": (f"{_SQS_PREFIX}NonExistentQueue", 400),
        "QueueNameExists": ("QueueAlreadyExists", 400),
        "ReceiptHandleIsInvalid": ("ReceiptHandleIsInvalid", 404),
        "RequestThrottled": ("RequestThrottled", 403),
        "ResourceNotFoundException": ("ResourceNotFoundException", 404),
    },
    # Observed: localstack/localstack tests/aws/services/sqs (recorded): the JSON protocol leaves the last words out.
    texts={"QueueDoesNotExist": "The specified queue does not exist for this wsdl version."},
    path_member="QueueUrl",
    only_at_root=frozenset({"CreateQueue", "ListQueues"}),
)

# Its model holds all that the query protocol needs. Observed: `__type` of recorded errors in JSON and CBOR.
_CLOUDWATCH = QueryDialect(
    xml_namespace="http://monitoring.amazonaws.com/doc/2010-08-01/",
    error_namespace="com.amazonaws.cloudwatch.v2010_08_01",
    other_namespaces={"ValidationException": "com.amazon.coral.validate"},
)

DIALECTS: Mapping[str, QueryDialect] = {"cloudwatch": _CLOUDWATCH, "sqs": _SQS}
"""By service model."""


def add_errors(raw: Mapping[str, Any], dialect: QueryDialect) -> None:
    """Give the errors of a model their codes and statuses, and the model those errors that it lacks."""
    for name, (code, status) in dialect.errors.items():
        shape = raw["shapes"].setdefault(
            name, {"type": "structure", "members": {"message": {"shape": "String"}}, "exception": True}
        )
        shape["error"] = {"code": code, "httpStatusCode": status}


def speak_query(raw: Mapping[str, Any], dialect: QueryDialect) -> None:
    """Turn a model into that of the query protocol."""
    raw["metadata"].update(protocol="query", xmlNamespace=dialect.xml_namespace)
    for name, item in dialect.items.items():
        raw["shapes"][name].update(flattened=True)
        raw["shapes"][name]["member"]["locationName"] = item
    for name, (entry, key, value) in dialect.entries.items():
        raw["shapes"][name].update(flattened=True, locationName=entry)
        raw["shapes"][name]["key"]["locationName"] = key
        raw["shapes"][name]["value"]["locationName"] = value
    for name, operation in raw["operations"].items():
        if "output" in operation:
            operation["output"]["resultWrapper"] = f"{name}Result"
