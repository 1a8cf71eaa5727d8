"""
What becomes of each input member and each error of the Lambda API's model: the rows of `lambent conformance`.

A member that comes to act moves to `acting`, and a test with a real client is to send it.
"""

from lambent.services.conformance.judgement import Judgements

_NAME = "FunctionName"
_SETTINGS = (
    "Handler Timeout MemorySize Runtime Environment.Variables Layers FileSystemConfigs[].Arn "
    "FileSystemConfigs[].LocalMountPath EphemeralStorage.Size SnapStart.ApplyOn LoggingConfig.LogFormat "
    "LoggingConfig.SystemLogLevel LoggingConfig.ApplicationLogLevel LoggingConfig.LogGroup DeadLetterConfig.TargetArn "
    "TracingConfig.Mode"
)
"""Members of both CreateFunction and UpdateFunctionConfiguration."""

_EVENTS = "MaximumRetryAttempts MaximumEventAgeInSeconds DestinationConfig.OnSuccess DestinationConfig.OnFailure"

_MAPPING = (
    "FunctionName Enabled BatchSize FilterCriteria.Filters MetricsConfig.Metrics ScalingConfig.MaximumConcurrency "
    "MaximumBatchingWindowInSeconds DestinationConfig.OnFailure FunctionResponseTypes "
    "ProvisionedPollerConfig.MinimumPollers ProvisionedPollerConfig.MaximumPollers ParallelizationFactor "
    "BisectBatchOnFunctionError MaximumRecordAgeInSeconds MaximumRetryAttempts TumblingWindowInSeconds"
)
"""Members of both CreateEventSourceMapping and UpdateEventSourceMapping."""

_URL = (
    "AuthType InvokeMode Cors.AllowCredentials Cors.AllowHeaders Cors.AllowMethods Cors.AllowOrigins "
    "Cors.ExposeHeaders Cors.MaxAge"
)
"""Members of both CreateFunctionUrlConfig and UpdateFunctionUrlConfig."""

_NO_REFERENCE = "code is copied from S3; nothing but COPY is taken"
_NO_IMAGES = "container images come with a later version; deployment packages are zips"
_NO_KEYS = "there are no keys here: nothing is encrypted with one"
_NO_VPC = "there is no VPC here: where functions may go, the server's egress setting says"
_NO_DURABLE = "durable executions are not offered"
_NO_SIGNING = "code signing is not offered"
_NO_MANAGED = "managed instances are not offered"
_ON_FAILURE = "of a stream: a standard SQS queue or a bucket; of a queue: empty only, as on AWS"
_OF_BROKERS = "of Kafka, Amazon MQ and DocumentDB, which are not offered; with a queue AWS refuses it as well"
_FOR_PEOPLE = "text for people, as on AWS"

JUDGEMENTS = Judgements(
    acting={
        "AddLayerVersionPermission": "LayerName VersionNumber StatementId Action Principal OrganizationId RevisionId",
        "AddPermission": (
            f"{_NAME} StatementId Action Principal SourceArn SourceAccount Qualifier RevisionId PrincipalOrgID "
            "FunctionUrlAuthType InvokedViaFunctionUrl"
        ),
        "CreateAlias": f"{_NAME} Name FunctionVersion RoutingConfig.AdditionalVersionWeights",
        "CreateEventSourceMapping": f"EventSourceArn Tags StartingPosition StartingPositionTimestamp {_MAPPING}",
        "CreateFunction": (
            f"{_NAME} {_SETTINGS} Code.ZipFile Code.S3Bucket Code.S3Key Code.S3ObjectVersion Publish PackageType Tags "
            "Architectures TenancyConfig.TenantIsolationMode"
        ),
        "CreateFunctionUrlConfig": f"{_NAME} Qualifier {_URL}",
        "DeleteAlias": f"{_NAME} Name",
        "DeleteEventSourceMapping": "UUID",
        "DeleteFunction": f"{_NAME} Qualifier",
        "DeleteFunctionConcurrency": _NAME,
        "DeleteFunctionEventInvokeConfig": f"{_NAME} Qualifier",
        "DeleteFunctionUrlConfig": f"{_NAME} Qualifier",
        "DeleteLayerVersion": "LayerName VersionNumber",
        "DeleteProvisionedConcurrencyConfig": f"{_NAME} Qualifier",
        "DeleteResourcePolicy": "ResourceArn RevisionId",
        "GetAccountSettings": "",
        "GetAlias": f"{_NAME} Name",
        "GetEventSourceMapping": "UUID",
        "GetFunction": f"{_NAME} Qualifier",
        "GetFunctionCodeSigningConfig": _NAME,
        "GetFunctionConcurrency": _NAME,
        "GetFunctionConfiguration": f"{_NAME} Qualifier",
        "GetFunctionEventInvokeConfig": f"{_NAME} Qualifier",
        "GetFunctionRecursionConfig": _NAME,
        "GetFunctionUrlConfig": f"{_NAME} Qualifier",
        "GetLayerVersion": "LayerName VersionNumber",
        "GetLayerVersionByArn": "Arn",
        "GetLayerVersionPolicy": "LayerName VersionNumber",
        "GetPolicy": f"{_NAME} Qualifier",
        "GetProvisionedConcurrencyConfig": f"{_NAME} Qualifier",
        "GetResourcePolicy": "ResourceArn",
        "GetRuntimeManagementConfig": f"{_NAME} Qualifier",
        "Invoke": f"{_NAME} InvocationType LogType ClientContext Payload Qualifier TenantId",
        "InvokeAsync": f"{_NAME} InvokeArgs",
        "InvokeWithResponseStream": (f"{_NAME} InvocationType LogType ClientContext Payload Qualifier TenantId"),
        "ListAliases": f"{_NAME} FunctionVersion Marker MaxItems",
        "ListEventSourceMappings": f"EventSourceArn {_NAME} Marker MaxItems",
        "ListFunctionEventInvokeConfigs": f"{_NAME} Marker MaxItems",
        "ListFunctionUrlConfigs": f"{_NAME} Marker MaxItems",
        "ListFunctions": "MasterRegion FunctionVersion Marker MaxItems",
        "ListLayerVersions": "LayerName CompatibleArchitecture CompatibleRuntime Marker MaxItems",
        "ListLayers": "CompatibleArchitecture CompatibleRuntime Marker MaxItems",
        "ListProvisionedConcurrencyConfigs": f"{_NAME} Marker MaxItems",
        "ListTags": "Resource",
        "ListVersionsByFunction": f"{_NAME} Marker MaxItems",
        "PublishLayerVersion": (
            "LayerName Content.ZipFile Content.S3Bucket Content.S3Key Content.S3ObjectVersion CompatibleArchitectures "
            "CompatibleRuntimes"
        ),
        "PublishVersion": f"{_NAME} CodeSha256 RevisionId",
        "PutFunctionConcurrency": f"{_NAME} ReservedConcurrentExecutions",
        "PutFunctionEventInvokeConfig": f"{_NAME} Qualifier {_EVENTS}",
        "PutFunctionRecursionConfig": f"{_NAME} RecursiveLoop",
        "PutProvisionedConcurrencyConfig": f"{_NAME} Qualifier ProvisionedConcurrentExecutions",
        "PutResourcePolicy": "ResourceArn Policy RevisionId",
        "PutRuntimeManagementConfig": f"{_NAME} Qualifier",
        "RemoveLayerVersionPermission": "LayerName VersionNumber StatementId RevisionId",
        "RemovePermission": f"{_NAME} StatementId Qualifier RevisionId",
        "TagResource": "Resource Tags",
        "UntagResource": "Resource TagKeys",
        "UpdateAlias": f"{_NAME} Name FunctionVersion RoutingConfig.AdditionalVersionWeights RevisionId",
        "UpdateEventSourceMapping": f"UUID {_MAPPING}",
        "UpdateFunctionCode": (
            f"{_NAME} ZipFile S3Bucket S3Key S3ObjectVersion Architectures Publish DryRun RevisionId"
        ),
        "UpdateFunctionEventInvokeConfig": f"{_NAME} Qualifier {_EVENTS}",
        "UpdateFunctionUrlConfig": f"{_NAME} Qualifier {_URL}",
        "UpdateFunctionConfiguration": f"{_NAME} {_SETTINGS} RevisionId",
    },
    remarks={
        "Architectures": "this machine's own; another one is refused",
        "CompatibleArchitectures": "the lists of layers filter by it; it binds no function, as on AWS",
        "CompatibleRuntimes": "the lists of layers filter by it; it binds no function, as on AWS",
        "FileSystemConfigs[].Arn": "of which the operator offers a directory; any other is refused",
        "GetFunctionCodeSigningConfig:FunctionName": "answered that the function has none",
        "FunctionUrlAuthType": "evaluated for requests to function URLs",
        "DeadLetterConfig.TargetArn": "a standard SQS queue; SNS topics come later, stored with `--accept-inert`",
        "DestinationConfig.OnFailure": "a function, a standard SQS queue or a bucket; SNS and EventBridge come later",
        "DestinationConfig.OnSuccess": "a function or a standard SQS queue; SNS and EventBridge come later",
        "ListFunctions:MasterRegion": "anything but ALL lists nothing: there are no replicas of Lambda@Edge functions",
        "OrganizationId": "no caller is of an organization here: such a grant lets nobody in",
        "PackageType": "Zip; Image is refused",
        "PrincipalOrgID": "no caller is of an organization here: such a grant lets nobody in",
        "Resource": "of a function or an event source mapping; other resources are refused",
        "EventSourceArn": "of an SQS queue, a Kinesis or a DynamoDB stream; the others are refused until they come",
        "CreateEventSourceMapping:DestinationConfig.OnFailure": _ON_FAILURE,
        "UpdateEventSourceMapping:DestinationConfig.OnFailure": _ON_FAILURE,
        "MetricsConfig.Metrics": "EventCount; the groups of Kafka mappings are refused",
        "ResourceArn": "of a function; runtimes are refused",
        "Runtime": "those that `lambent runtimes` lists; the others are refused",
        "SourceAccount": "evaluated when somebody calls; no AWS service does in this version",
        "SourceArn": "evaluated when somebody calls; no AWS service does in this version",
        "CreateFunction:Tags": "`lambent:egress` acts by itself",
        "TagResource:Tags": "`lambent:egress` acts by itself",
        "TenancyConfig.TenantIsolationMode": "an execution environment serves one tenant",
    },
    echoed={
        "Description": _FOR_PEOPLE,
        "LicenseInfo": _FOR_PEOPLE,
        "KMSKeyArn": _NO_KEYS,
        "Role": "functions have the rights of no role until access control comes; an alias still splits between "
        "versions of one role only",
        "VpcConfig": _NO_VPC,
        "AddPermission:EventSourceToken": "a condition of the statement that no caller meets: Alexa does not call",
        "PutRuntimeManagementConfig:RuntimeVersionArn": "has to be the machine's version of the runtime: there is no "
        "other",
        "PutRuntimeManagementConfig:UpdateRuntimeOn": "there is one version of each runtime, the machine's: nothing "
        "to choose",
    },
    taken={},
    refused={
        "Code.S3ObjectStorageMode": _NO_REFERENCE,
        "Content.S3ObjectStorageMode": _NO_REFERENCE,
        "UpdateFunctionCode:S3ObjectStorageMode": _NO_REFERENCE,
        "Code.ImageUri": _NO_IMAGES,
        "UpdateFunctionCode:ImageUri": _NO_IMAGES,
        "ImageConfig": f"{_NO_IMAGES}; stored with `--accept-inert`",
        "Code.SourceKMSKeyArn": _NO_KEYS,
        "UpdateFunctionCode:SourceKMSKeyArn": _NO_KEYS,
        "FileSystemConfigs[].S3FilesConfig": "directories of this machine are mounted, never S3",
        "CreateFunction:PublishTo": f"{_NO_MANAGED}; stored with `--accept-inert`",
        "PublishTo": _NO_MANAGED,
        "CapacityProviderConfig": f"{_NO_MANAGED}; stored with `--accept-inert`",
        "CodeSigningConfigArn": f"{_NO_SIGNING}; stored with `--accept-inert`",
        "DurableConfig": f"{_NO_DURABLE}; stored with `--accept-inert`",
        "Invoke:DurableExecutionName": _NO_DURABLE,
        "CreateEventSourceMapping:DestinationConfig.OnSuccess": "AWS refuses it for every source",
        "CreateEventSourceMapping:LoggingConfig": _OF_BROKERS,
        "UpdateEventSourceMapping:DestinationConfig.OnSuccess": "AWS refuses it for every source",
        "UpdateEventSourceMapping:LoggingConfig": _OF_BROKERS,
        "Topics": _OF_BROKERS,
        "Queues": _OF_BROKERS,
        "SourceAccessConfigurations": _OF_BROKERS,
        "SelfManagedEventSource": _OF_BROKERS,
        "AmazonManagedKafkaEventSourceConfig": _OF_BROKERS,
        "SelfManagedKafkaEventSourceConfig": _OF_BROKERS,
        "DocumentDBEventSourceConfig": _OF_BROKERS,
        "ProvisionedPollerConfig.PollerGroupName": _OF_BROKERS,
    },
    given=(
        "CodeStorageExceededException InvalidParameterValueException InvalidRequestContentException "
        "PolicyLengthExceededException PreconditionFailedException ProvisionedConcurrencyConfigNotFoundException "
        "RecursiveInvocationException RequestTooLargeException ResourceConflictException ResourceInUseException "
        "ResourceNotFoundException ServiceException SnapStartException SnapStartTimeoutException "
        "TooManyRequestsException UnsupportedMediaTypeException"
    ),
    never={
        "no quota on aliases": "AliasLimitExceededException",
        "durable executions are not offered": "CallbackTimeoutException DurableExecutionAlreadyStartedException",
        "managed instances are not offered": (
            "CapacityProviderLimitExceededException FunctionVersionsPerCapacityProviderLimitExceededException "
            "ServiceQuotaExceededException"
        ),
        "code is kept by the server itself, without users of its own": (
            "CodeArtifactUserDeletedException CodeArtifactUserFailedException CodeArtifactUserPendingException"
        ),
        "code signing is not offered": (
            "CodeSigningConfigNotFoundException CodeVerificationFailedException InvalidCodeSignatureException"
        ),
        "there is no VPC": (
            "EC2AccessDeniedException EC2ThrottledException EC2UnexpectedException ENILimitReachedException "
            "ENINotReadyException InvalidSecurityGroupIDException InvalidSubnetIDException ResourceNotReadyException "
            "SubnetIPAddressLimitReachedException"
        ),
        "file systems are directories of this machine, mounted without a network": (
            "EFSIOException EFSMountConnectivityException EFSMountFailureException EFSMountTimeoutException "
            "S3FilesMountConnectivityException S3FilesMountFailureException S3FilesMountTimeoutException"
        ),
        "checked when code or configuration arrives, not when it is invoked": (
            "InvalidRuntimeException InvalidZipFileException"
        ),
        "there are no keys": (
            "KMSAccessDeniedException KMSDisabledException KMSInvalidStateException KMSNotFoundException"
        ),
        "every function can be invoked in each mode that is offered": "ModeNotSupportedException",
        "`$LATEST` can be invoked without a published version": "NoPublishedVersionException",
        "access is never blocked for being public: whom a policy lets in, it lets in": "PublicPolicyException",
        "a payload has one limit, and RequestTooLargeException tells of it": "SerializedRequestEntityTooLargeException",
        "a version that is not ready yet answers ResourceConflictException": "SnapStartNotReadyException",
        "environments stay initialised instead of being restored from a snapshot that ages": (
            "SnapStartRegenerationFailureException"
        ),
    },
    shown_otherwise={
        # A state on its way is over before a client can ask again.
        "ResourceInUseException": "unit/services/lambda_/test_event_source_mappings.py",
        # No client sends another content type.
        "UnsupportedMediaTypeException": "wire/test_gateway.py",
    },
)
