"""
What becomes of each input member and each error of the SQS API's model: the rows of `lambent conformance`.

A member that comes to act moves to `acting`, and a test with a real client is to send it.
"""

from lambent.services.conformance.judgement import Judgements

_MESSAGE = (
    "MessageBody",
    "DelaySeconds",
    "MessageAttributes",
    "MessageSystemAttributes",
    "MessageDeduplicationId",
    "MessageGroupId",
)
_KEPT = "encryption and the throughput limit of FIFO queues are kept and change nothing"
_LABEL = "on a standard queue it is kept and shown; tenants are served in order of time"

JUDGEMENTS = Judgements(
    acting={
        "AddPermission": "QueueUrl Label AWSAccountIds Actions",
        "CancelMessageMoveTask": "TaskHandle",
        "ChangeMessageVisibility": "QueueUrl ReceiptHandle VisibilityTimeout",
        "ChangeMessageVisibilityBatch": "QueueUrl Entries[].Id Entries[].ReceiptHandle Entries[].VisibilityTimeout",
        "CreateQueue": "QueueName Attributes tags",
        "DeleteMessage": "QueueUrl ReceiptHandle",
        "DeleteMessageBatch": "QueueUrl Entries[].Id Entries[].ReceiptHandle",
        "DeleteQueue": "QueueUrl",
        "GetQueueAttributes": "QueueUrl AttributeNames",
        "GetQueueUrl": "QueueName QueueOwnerAWSAccountId",
        "ListDeadLetterSourceQueues": "QueueUrl NextToken MaxResults",
        "ListMessageMoveTasks": "SourceArn MaxResults",
        "ListQueueTags": "QueueUrl",
        "ListQueues": "QueueNamePrefix NextToken MaxResults",
        "PurgeQueue": "QueueUrl",
        "ReceiveMessage": (
            "QueueUrl AttributeNames MessageSystemAttributeNames MessageAttributeNames MaxNumberOfMessages "
            "VisibilityTimeout WaitTimeSeconds ReceiveRequestAttemptId"
        ),
        "RemovePermission": "QueueUrl Label",
        "SendMessage": " ".join(("QueueUrl", *_MESSAGE)),
        "SendMessageBatch": " ".join(("QueueUrl Entries[].Id", *(f"Entries[].{name}" for name in _MESSAGE))),
        "SetQueueAttributes": "QueueUrl Attributes",
        "StartMessageMoveTask": "SourceArn DestinationArn MaxNumberOfMessagesPerSecond",
        "TagQueue": "QueueUrl Tags",
        "UntagQueue": "QueueUrl TagKeys",
    },
    remarks={
        "CreateQueue:Attributes": _KEPT,
        "SetQueueAttributes:Attributes": _KEPT,
        "SendMessage:MessageGroupId": _LABEL,
        "Entries[].MessageGroupId": _LABEL,
        "ReceiveRequestAttemptId": "forgotten when the server ends: a retry then gets what comes next",
    },
    echoed={},
    taken={},
    refused={},
    given=(
        "AccessDeniedException BatchEntryIdsNotDistinct BatchRequestTooLong EmptyBatchRequest InvalidAttributeName "
        "InvalidAttributeValue InvalidBatchEntryId InvalidMessageContents InvalidParameterValueException "
        "MissingRequiredParameterException OverLimit PurgeQueueInProgress QueueDeletedRecently QueueDoesNotExist "
        "QueueNameExists ReceiptHandleIsInvalid RequestThrottled ResourceNotFoundException "
        "TooManyEntriesInBatchRequest UnsupportedOperation"
    ),
    never={
        "no keys are used: encryption is the data folder's matter": (
            "KmsAccessDenied KmsDisabled KmsInvalidKeyUsage KmsInvalidState KmsNotFound KmsOptInRequired KmsThrottled"
        ),
        "recordings of the service show other errors in its place": "InvalidIdFormat MessageNotInflight",
        "there is one address, and it takes every request": "InvalidAddress InvalidSecurity",
    },
    shown_otherwise={
        "RequestThrottled": "unit/services/sqs/test_receivers.py",
        "QueueDeletedRecently": "unit/services/sqs/test_queues.py",
    },
)
