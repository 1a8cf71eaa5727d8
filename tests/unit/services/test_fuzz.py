"""
Bad input through the whole API in one process: whatever is sent, the caller is at fault, and nothing changes.

No request gets a 5xx but the 501 of what is not offered, none hangs, and one that is refused leaves the database as it
was. `make test` runs the same few requests each time, `make soak` many more that are new each time.
"""

import base64
import io
import json
import signal
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from lambent.domain.insights.fields import Line, pointer_to
from lambent.protocol.service_model import ServiceModel
from lambent.protocol.wire import WireRequest
from lambent.services.apigatewayv2.not_offered import NOT_OFFERED as HTTP_APIS_NOT_OFFERED
from lambent.services.iam.not_offered import NOT_OFFERED as IAM_NOT_OFFERED
from lambent.services.lambda_.configuration import machine_architecture
from lambent.services.lambda_.not_offered import NOT_OFFERED
from lambent.services.logs.not_offered import NOT_OFFERED as LOGS_NOT_OFFERED
from lambent.services.monitoring.not_offered import NOT_OFFERED as CLOUDWATCH_NOT_OFFERED
from lambent.testing.api import SCOPE, InProcessApi, Stage, authorization
from lambent.testing.bad_requests import Requests

CPU_MAX_S = 20
"""Of a processor, for one request: everything that is slower than this by far is a hang."""

ROLE = "arn:aws:iam::000000000000:role/r"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
LAYER_ARN = "arn:aws:lambda:us-east-1:000000000000:layer:l"
QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:"
GROUP_ARN = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f"


def zip_of(text: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), text)
    return stream.getvalue()


def rich_zip() -> bytes:
    """Return a zip with all that a zip may have: folders, links, compressed and stored files, a comment."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("lib/"), b"")
        archive.writestr("lib/app.py", "a = 1\n" * 50)
        archive.writestr("\N{LATIN SMALL LETTER A WITH DIAERESIS}.txt", "b")
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "lib/app.py")
        archive.comment = b"comment"
    return stream.getvalue()


CODE, OTHER_CODE = zip_of("a = 1"), zip_of("a = 2")
PACKAGES = [CODE, rich_zip()]
ON_METRIC = {
    "Namespace": "N",
    "MetricName": "m",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanThreshold",
}
ALARM_ARN = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:"
RUNTIME = {"Runtime": "python3.13", "Handler": "app.handler", "Role": ROLE}


async def set_up(api: InProcessApi) -> None:
    """Make functions in each state, with all that belongs to them, and a log."""
    for _ in range(2):
        await api.call(
            "PublishLayerVersion", LayerName="l", Content={"ZipFile": CODE}, CompatibleRuntimes=["python3.13"]
        )
    await api.call(
        "AddLayerVersionPermission",
        LayerName="l",
        VersionNumber=1,
        StatementId="s",
        Action="lambda:GetLayerVersion",
        Principal="*",
    )
    await api.call(
        "CreateFunction",
        FunctionName="f",
        Code={"ZipFile": CODE},
        Publish=True,
        Tags={"k": "v"},
        Layers=[f"{LAYER_ARN}:1"],
        Environment={"Variables": {"A": "1"}},
        **RUNTIME,
    )
    await api.settle("f")
    await api.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER_CODE, Publish=True)
    await api.settle("f")
    await api.call("CreateAlias", FunctionName="f", Name="plain", FunctionVersion="1")
    await api.call(
        "CreateAlias",
        FunctionName="f",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    for qualifier in ({}, {"Qualifier": "live"}):
        await api.call(
            "AddPermission",
            FunctionName="f",
            StatementId="s",
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            **qualifier,
        )
    await api.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=5)
    for qualifier in ({}, {"Qualifier": "live"}):
        await api.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=1, **qualifier)
    for qualifier in ({}, {"Qualifier": "live"}):
        await api.call("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE", **qualifier)
    await api.call(
        "PutProvisionedConcurrencyConfig", FunctionName="f", Qualifier="2", ProvisionedConcurrentExecutions=2
    )
    for name in ("updating", "pending"):
        await api.call("CreateFunction", FunctionName=name, Code={"ZipFile": CODE}, **RUNTIME)
    await api.settle("updating")
    await api.call("UpdateFunctionConfiguration", FunctionName="updating", MemorySize=256)
    await api.write_logs("/aws/lambda/f", "stream", "START", "something", "END")
    await api.call("CreateLogGroup", "logs", logGroupName="plain")
    await api.call(
        "AddPermission",
        FunctionName="f",
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
    )
    for group in ("/aws/lambda/f", "plain"):
        transformation = {"metricName": "m", "metricNamespace": "N", "metricValue": "1"}
        named = {"logGroupName": group, "filterName": "kept", "filterPattern": "x"}
        await api.call("PutMetricFilter", "logs", metricTransformations=[transformation], **named)
    await api.call("PutSubscriptionFilter", "logs", destinationArn=ARN, **named)
    await api.write_logs("/aws/lambda/f", "other", "\N{COLLISION SYMBOL}", "")
    await api.call("PutResourcePolicy", "logs", policyName="kept", policyDocument='{"Statement": []}')
    await api.call("CreateQueue", "sqs", QueueName="dead")
    redrive = json.dumps({"deadLetterTargetArn": QUEUE_ARN + "dead", "maxReceiveCount": 1})
    await api.call("CreateQueue", "sqs", QueueName="q", Attributes={"RedrivePolicy": redrive}, tags={"k": "v"})
    await api.call("CreateQueue", "sqs", QueueName="f.fifo", Attributes={"FifoQueue": "true"})
    await api.call("AddPermission", "sqs", QueueUrl="q", Label="s", AWSAccountIds=["1" * 12], Actions=["*"])
    for body in ("a", "b"):
        await api.call("SendMessage", "sqs", QueueUrl="q", MessageBody=body)
    HANDLES.append((await api.call("ReceiveMessage", "sqs", QueueUrl="q"))["Messages"][0]["ReceiptHandle"])
    mapping = await api.call("CreateEventSourceMapping", FunctionName="f:live", EventSourceArn=QUEUE_ARN + "q")
    MAPPINGS.extend([mapping["UUID"]] * 3)
    await api.settle_mappings()
    TASKS.append((await api.call("StartMessageMoveTask", "sqs", SourceArn=QUEUE_ARN + "dead"))["TaskHandle"])
    (event, *_) = await api.logs.events(SCOPE, "/aws/lambda/f", limit=1)
    place = Line(event.timestamp_ms, event.ingestion_ms, "", f"{SCOPE.account}:/aws/lambda/f", "", event.sequence)
    POINTERS.append(pointer_to(place))
    data = [{"MetricName": name, "Value": 1.0} for name in ("m", "n")]
    await api.call("PutMetricData", "monitoring", Namespace="N", MetricData=data)
    await api.call("PutDashboard", "monitoring", DashboardName="d", DashboardBody='{"widgets":[]}')
    for name in ("a", "free"):
        await api.call("PutMetricAlarm", "monitoring", AlarmName=name, Tags=[{"Key": "k", "Value": "v"}], **ON_METRIC)
    await api.call("PutCompositeAlarm", "monitoring", AlarmName="c", AlarmRule="ALARM(a)", OKActions=[ARN])
    await set_up_http_apis(api)
    await set_up_identities(api)


async def set_up_http_apis(api: InProcessApi) -> None:
    """Make an HTTP API with a part of each kind, two of what another part would keep from going, and a domain."""

    async def call(operation: str, **parameters: Any) -> Mapping[str, Any]:
        return await api.call(operation, "apigatewayv2", **parameters)

    made = await call("CreateApi", Name="a", ProtocolType="HTTP", Tags={"k": "v"})
    of_api = {"ApiId": made["ApiId"]}
    APIS["ApiId"].insert(0, made["ApiId"])
    APIS["ResourceArn"].insert(0, f"arn:aws:apigateway:us-east-1::/apis/{made['ApiId']}")
    for _ in range(2):
        integration = await call(
            "CreateIntegration", IntegrationType="AWS_PROXY", IntegrationUri=ARN, PayloadFormatVersion="2.0", **of_api
        )
        APIS["IntegrationId"].insert(0, integration["IntegrationId"])
    APIS["Target"].insert(0, f"integrations/{APIS['IntegrationId'][1]}")
    for name in ("used", "free"):
        authorizer = await call(
            "CreateAuthorizer",
            Name=name,
            AuthorizerType="REQUEST",
            AuthorizerUri=ARN,
            AuthorizerPayloadFormatVersion="2.0",
            IdentitySource=["$request.header.a"],
            **of_api,
        )
        APIS["AuthorizerId"].insert(0, authorizer["AuthorizerId"])
    route = await call(
        "CreateRoute",
        RouteKey="GET /items/{id}",
        Target=APIS["Target"][0],
        AuthorizationType="CUSTOM",
        AuthorizerId=APIS["AuthorizerId"][1],
        **of_api,
    )
    APIS["RouteId"].insert(0, route["RouteId"])
    await call("CreateStage", StageName="auto", AutoDeploy=True, **of_api)
    for _ in range(2):
        deployment = await call("CreateDeployment", **of_api)
        APIS["DeploymentId"].insert(0, deployment["DeploymentId"])
    settings_ = {"GET /items/{id}": {"ThrottlingBurstLimit": 1}}
    await call("CreateStage", StageName="s", DeploymentId=APIS["DeploymentId"][1], RouteSettings=settings_, **of_api)
    await call("CreateStage", StageName="free", **of_api)
    await call("CreateDomainName", DomainName="a.example")
    mapping = await call("CreateApiMapping", DomainName="a.example", Stage="s", **of_api)
    APIS["ApiMappingId"].insert(0, mapping["ApiMappingId"])
    # One that nothing keeps from going.
    made = await call("CreateApi", Name="b", ProtocolType="HTTP")
    APIS["ApiId"].append(made["ApiId"])


async def set_up_identities(api: InProcessApi) -> None:
    """Make of each kind of identity one that nothing keeps from going, and one that has all that it can have."""

    async def call(operation: str, **parameters: Any) -> Mapping[str, Any]:
        return await api.call(operation, "iam", **parameters)

    for name in ("free", "busy"):
        await call("CreateGroup", GroupName=name)
        await call("CreateUser", UserName=name)
        await call("CreateRole", RoleName=name, AssumeRolePolicyDocument=TRUST_DOCUMENTS[0])
        await call("CreateInstanceProfile", InstanceProfileName=name)
        await call("CreatePolicy", PolicyName=name, PolicyDocument=IDENTITY_DOCUMENTS[0])
    await call("CreatePolicyVersion", PolicyArn=f"{POLICY_ARN}/busy", PolicyDocument=IDENTITY_DOCUMENTS[0])
    await call("AddUserToGroup", UserName="busy", GroupName="busy")
    await call("AddRoleToInstanceProfile", InstanceProfileName="busy", RoleName="busy")
    tags = [{"Key": "k", "Value": "v"}]
    for kind in ("User", "Group", "Role"):
        named = {f"{kind}Name": "busy"}
        await call(f"Attach{kind}Policy", PolicyArn=f"{POLICY_ARN}/busy", **named)
        await call(f"Put{kind}Policy", PolicyName="in", PolicyDocument=IDENTITY_DOCUMENTS[0], **named)
        if kind != "Group":
            await call(f"Put{kind}PermissionsBoundary", PermissionsBoundary=f"{POLICY_ARN}/busy", **named)
            await call(f"Tag{kind}", Tags=tags, **named)
    KEYS.insert(0, (await call("CreateAccessKey", UserName="busy"))["AccessKey"]["AccessKeyId"])
    await call("CreateServiceLinkedRole", AWSServiceName="batch.amazonaws.com")
    await call("CreateAccountAlias", AccountAlias="alias")


FUNCTIONS = [
    "f",
    ARN,
    *["f:live", "f:1", "f:$LATEST", "f:nobody", "f:plain", f"{ARN}:live", f"{ARN}:2", f"{ARN}:$LATEST", f"{ARN}:3"],
    *["pending", "updating", "missing", "function:f", "000000000000:f", "000000000000:function:f", "us-east-1:f"],
    *["arn:aws:lambda:function:f", "arn:aws:lambda:f", "us-east-1:000000000000:function:f:live"],
    "arn:aws:lambda:eu-west-1:000000000000:function:f",
    "arn:aws:lambda:us-east-1:111122223333:function:f",
    "arn:aws-cn:lambda:cn-north-1:000000000000:function:f",
    "arn:aws:lambda:us-east-1:000000000000:layer:l:1",
    *[
        "f" * 64,
        "f" * 65,
        "f" * 140,
        "f.g",
        "-",
        "_",
        "$LATEST",
        "f:0",
        "f:01",
        "f:" + "9" * 100,
        "f:$LATEST.PUBLISHED",
    ],
]
QUALIFIERS = [
    "1",
    "2",
    "live",
    "plain",
    "$LATEST",
    "nobody",
    "3",
    "0",
    "01",
    "-",
    "9" * 19,
    "9" * 128,
    "$LATEST.PUBLISHED",
]
DESTINATIONS = [
    "arn:aws:sqs:us-east-1:000000000000:q",
    "arn:aws:lambda:us-east-1:000000000000:function:updating",
    "",
    f"{ARN}:1",
    "arn:aws:sqs:us-east-1:000000000000:q.fifo",
    "arn:aws:sqs:us-east-1:111122223333:q",
    "arn:aws:lambda:us-east-1:000000000000:function:missing",
    "arn:aws:lambda:us-east-1:000000000000:function:f.g",
    "arn:aws:lambda:us-east-1:000000000000:layer:l:1",
    "arn:aws:sqs:us-east-1:000000000000:" + "q" * 300,
    "arn:aws:sns:us-east-1:000000000000:t",
    "arn:aws:s3:::bucket",
    "kafka://topic",
]
VERSIONS = ["1", "2", "$LATEST", "3", "0", "01", "9" * 18, "9" * 19, "9" * 1024, "$LATEST.PUBLISHED"]
LAYERS = [
    *["l", LAYER_ARN, "missing", "000000000000:layer:l"],
    "arn:aws:lambda:eu-west-1:000000000000:layer:l",
    "arn:aws:lambda:us-east-1:111122223333:layer:l",
]
LAYER_VERSIONS = [
    *[f"{LAYER_ARN}:{number}" for number in ("1", "2", "0", "3", "01", "9" * 19, "9" * 100)],
    LAYER_ARN,
    "arn:aws:lambda:us-east-1:111122223333:layer:l:1",
    "arn:aws:lambda:eu-west-1:000000000000:layer:l:1",
    "arn:aws:lambda::awslayer:l",
]
POLICIES = [
    json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": ARN, "Principal": principal}],
        }
    )
    for principal in ("*", {"AWS": "111122223333"}, {"Service": ["s3.amazonaws.com"]})
]


def marker(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


IDENTITY_DOCUMENTS = [
    json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}),
    json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Deny",
                "NotAction": ["iam:*"],
                "Resource": "arn:aws:s3:::${aws:username}/*",
                "Condition": {"ForAnyValue:StringLike": {"aws:TagKeys": ["a*"]}, "Bool": {"aws:SecureTransport": True}},
            },
        }
    ),
    *["{", "[]", "null", '{"Version":"2012-10-17","Statement":[]}', '{"Statement":' * 3_000, "\x00", '"\\ud800"'],
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":[]}]}',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:\\ud800","Resource":"*"}]}',
]
TRUST_DOCUMENTS = [
    json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
        }
    )
    for principal in (
        {"Service": "lambda.amazonaws.com"},
        {"AWS": ["arn:aws:iam::000000000000:user/free", "000000000000", "*"]},
        {"AWS": "arn:aws:iam::000000000000:user/missing"},
        {"AWS": "\ud800"},
        {"AWS": {"a": 1}},
        {"AWS": [1]},
        {"AWS": []},
        {},
        [],
        "x",
    )
] + IDENTITY_DOCUMENTS
KEYS: list[str] = ["AKIA" + "A" * 16]
"""An access key's id, as soon as the stage is set."""

POLICY_ARN = "arn:aws:iam::000000000000:policy"
POINTERS: list[str] = ["none"]
"""Of a log event, as soon as the stage is set."""

HANDLES: list[str] = []
MAPPINGS: list[str] = ["0" * 36]
TASKS: list[str] = []
"""A receipt handle, and a task's, as soon as the stage is set."""

APIS: dict[str, list[Any]] = {
    "ApiId": ["none", ""],
    "IntegrationId": ["none"],
    "AuthorizerId": ["none"],
    "RouteId": ["none"],
    "DeploymentId": ["none"],
    "ApiMappingId": ["none"],
    "Target": ["integrations/none", "none", "https://a.example"],
    "ResourceArn": ["arn:aws:apigateway:us-east-1::/apis/none", "arn:aws:apigateway:us-east-1::/domainnames/a.example"],
}
"""Ids of HTTP APIs and their parts, the first of each one that can go, as soon as the stage is set."""

QUEUES = ["q", "f.fifo", "dead", "https://sqs/000000000000/q", "missing", "http://x/111122223333/q", "a b", ""]

USUAL = {
    "apigatewayv2": (
        *(f"CreateIntegrationRequest.{member}" for member in ("IntegrationUri", "PayloadFormatVersion")),
        *(f"CreateAuthorizerRequest.{member}" for member in ("AuthorizerUri", "AuthorizerPayloadFormatVersion")),
    ),
    "iam": (
        *(f"{verb}AccessKeyRequest.UserName" for verb in ("Create", "Delete", "Update")),
        "ListAccessKeysRequest.UserName",
        "GetUserRequest.UserName",
    ),
    "cloudwatch": (
        *("MetricDatum.Value", "PutMetricDataInput.MetricData", "MetricDataQuery.MetricStat"),
        *(f"PutMetricAlarmInput.{member}" for member in ON_METRIC),
    ),
    "sqs": ("CreateQueueRequest.tags",),
    "lambda": (
        *(f"CreateFunctionRequest.{member}" for member in ("Runtime", "Handler")),
        *("FunctionCode.ZipFile", "LayerVersionContentInput.ZipFile", "UpdateFunctionCodeRequest.ZipFile"),
        *("CreateAliasRequest.RoutingConfig", "AddPermissionRequest.SourceArn"),
    ),
    "logs": (
        *(
            f"{operation}Request.logGroupName"
            for operation in (
                "DescribeLogStreams",
                "FilterLogEvents",
                "GetLogEvents",
                "AssociateKmsKey",
                "DisassociateKmsKey",
                "StartQuery",
            )
        ),
        *("PutResourcePolicyRequest.policyName", "PutResourcePolicyRequest.policyDocument"),
        "DeleteResourcePolicyRequest.policyName",
    ),
}

WORDS: dict[str, dict[str, list[Any]]] = {
    "lambda": {
        **dict.fromkeys(("FunctionName", "NamespacedFunctionName"), FUNCTIONS),
        "CreateFunctionRequest.FunctionName": ["new", *FUNCTIONS],
        "CreateAliasRequest.Name": ["new", "live", "1", "-"],
        "AddPermissionRequest.StatementId": ["new", "s", "-" * 100],
        "AddLayerVersionPermissionRequest.StatementId": ["new", "s", "-" * 100],
        "PutProvisionedConcurrencyConfigRequest.Qualifier": ["1", *QUALIFIERS],
        "GetProvisionedConcurrencyConfigRequest.Qualifier": ["2", *QUALIFIERS],
        "DeleteProvisionedConcurrencyConfigRequest.Qualifier": ["2", *QUALIFIERS],
        "DestinationArn": DESTINATIONS,
        "ResourceArn": DESTINATIONS,
        "MaximumRetryAttempts": [0, 1, 2],
        "MaximumEventAgeInSeconds": [60, 21_600],
        "RecursiveLoop": ["Allow", "Terminate"],
        "UnqualifiedFunctionName": ["f", ARN, "000000000000:function:f", "missing", "pending", "f.g", "f" * 140],
        **{
            f"{operation}FunctionEventInvokeConfigRequest.Qualifier": ["live", *QUALIFIERS]
            for operation in ("Get", "Update", "Delete")
        },
        "FunctionUrlFunctionName": FUNCTIONS,
        "CreateFunctionUrlConfigRequest.FunctionName": ["f:plain", "updating", *FUNCTIONS],
        "CreateFunctionUrlConfigRequest.Qualifier": ["plain", *QUALIFIERS],
        "FunctionUrlQualifier": ["live", *QUALIFIERS],
        "FunctionUrlAuthType": ["NONE", "AWS_IAM"],
        "AllowMethodsList": [["GET"], ["*"], ["OPTIONS"]],
        "AllowOriginsList": [["*"], ["https://a.example"], [""], ["\r\n"]],
        **{f"{operation}EventSourceMappingRequest.UUID": MAPPINGS for operation in ("Get", "Update", "Delete")},
        **{
            f"{operation}Request.EventSourceArn": [
                # Most that a request says of a source is wrong for it: as often as not it is to be one that is there.
                *(QUEUE_ARN + name for name in ("q", "q", "q", "f.fifo", "missing")),
                "arn:aws:sqs:us-east-1:111122223333:q",
                "arn:aws:sqs:eu-west-1:000000000000:q",
                "arn:aws:sqs:us-east-1:000000000000:x:y",
                *["arn:aws:kinesis:us-east-1:000000000000:stream/s"] * 3,
                "arn:aws:kinesis:us-east-1:000000000000:stream/missing",
            ]
            for operation in ("CreateEventSourceMapping", "ListEventSourceMappings")
        },
        "Pattern": [
            '{"body": {"a": [{"numeric": [">", 0]}]}}',
            '{"$or": [{"body": ["x"]}, {"a.b": [{"exists": false}]}]}',
            '{"body": "x"}',
            '{"a":' * 800 + "1",
            "[]",
            '{"": [""]}',
            '{"$or": {}}',
            '{"body": [{"wildcard": "\\\\"}]}',
        ],
        "BatchSize": [1, 10, 11, 10_000],
        "MaximumBatchingWindowInSeconds": [0, 1, 300],
        "TaggableResource": [ARN, f"{ARN}:live", *(name for name in FUNCTIONS if name.startswith("arn"))],
        "PolicyResourceArn": [ARN, f"{ARN}:live", f"{ARN}:1", f"{ARN}:$LATEST", LAYER_ARN],
        **dict.fromkeys(("Qualifier", "NumericLatestPublishedOrAliasQualifier"), QUALIFIERS),
        "Alias": ["live", "plain", "nobody", "other", "a-b_c", "-", "_" * 128],
        "VersionWithLatestPublished": VERSIONS,
        "AdditionalVersion": ["1", "2", "3", "01", "9" * 19, "9" * 1024],
        "LayerName": LAYERS,
        "LayerVersionArn": LAYER_VERSIONS,
        "LayerVersionNumber": [1, 2, 3, 0, -1, 2**63 - 1],
        "StatementId": ["s", "t", "t" * 100],
        "NamespacedStatementId": ["s", "t", "t" * 100],
        "Action": ["lambda:InvokeFunction", "lambda:GetFunction", "*", "lambda:*"],
        "LayerPermissionAllowedAction": ["lambda:GetLayerVersion"],
        "LayerPermissionAllowedPrincipal": ["*", "111122223333"],
        "Principal": [
            "s3.amazonaws.com",
            "*",
            "111122223333",
            "nonsense",
            f"arn:aws:iam::111122223333:user/{'u' * 500}",
        ],
        "Arn": ["arn:aws:s3:::bucket", "arn:aws:sns:us-east-1:000000000000:topic"],
        "Runtime": ["python3.13", "provided.al2023", "nodejs22.x", "cobol"],
        "Handler": ["app.handler", "x" * 128],
        "RoleArn": [ROLE],
        "Blob": [CODE, OTHER_CODE, CODE[:-1], CODE + b"\x00", b"PK", b"", b"{}", b"[1]"],
        "BlobStream": [b"{}", b"[1]", b"null", b"", b"\xff", b"{", b"[" * 5000, b'"\\ud800"'],
        "MemorySize": [128, 256, 10_240, 10_241, 32_768],
        "Timeout": [1, 3, 900, 901, 5400],
        "EphemeralStorageSize": [512, 10_240, 10_241],
        "Architecture": [machine_architecture(), "x86_64", "arm64"],
        "EnvironmentVariableName": ["AB", "PATH", "AWS_REGION", "LAMBDA_TASK_ROOT", "_HANDLER"],
        "EnvironmentVariableValue": ["", "1", "v" * 4097, "\x00", "\N{COLLISION SYMBOL}"],
        "TagKey": ["k", "a", "lambent:egress", "aws:x", "\N{LATIN SMALL LETTER A WITH DIAERESIS}", " "],
        "TagValue": ["v", "", "none", "nat"],
        "ReservedConcurrentExecutions": [3, 0, 1, 2, 5, 900, 901, 1000, 2**31 - 1],
        "PositiveInteger": [1, 2, 5, 6, 1000, 2**31 - 1],
        "Weight": [0.0, 0.5, 1.0, 5e-324, 0.1 + 0.2],
        "String": [
            marker("e"),
            "",
            marker("f"),
            marker("f:1"),
            marker("f:0"),
            marker("live"),
            marker("1"),
            marker("9" * 19),
            marker(""),
        ],
        "ResourcePolicy": POLICIES,
        "RuntimeVersionArn": [f"arn:aws:lambda:us-east-1::runtime:{'0' * 64}"],
        "LogGroup": ["/aws/lambda/f", "x"],
    },
    "logs": {
        "LogGroupName": ["/aws/lambda/f", "missing", "/aws/lambda/"],
        "LogGroupIdentifier": [
            "/aws/lambda/f",
            GROUP_ARN,
            f"{GROUP_ARN}:*",
            "missing",
            GROUP_ARN.replace("us-", "eu-"),
        ],
        "LogStreamName": ["stream", "other", "missing", "s", "*?[", "\x00"],
        "LogGroupNamePattern": ["lambda", "", "f", "/"],
        "NextToken": [
            *[f"{letter}/{digits}/s" for letter in "fb" for digits in ("0" * 56, "9" * 56, f"{1 << 200:056d}")],
            *[f"{letter}/{digits}" for letter in "on" for digits in ("0" * 56, f"{((1 << 63) - 1) << 16:056d}")],
            *[f"f/{((1 << 63) - 1) << 16:056d}/s", f"b/{((1 << 63) - 1) << 144:056d}/s"],
            *["s/0", "s/1", "s/999999999", "s/9999999999", "s/-1", marker("/aws/lambda/f"), marker(""), "\x00"],
        ],
        "Timestamp": [0, 1, 1_795_000_000_000, 1_795_000_000_001, 2**62, 2**63 - 1],
        "Days": [1, 7, 3653, 0, -1, 2, 2**31 - 1],
        "QueryString": [
            "fields @message | sort @message | limit 5",
            "filter @message like /(?i)S/ | stats count(*), pct(strlen(@message), 90) by bin(1h)",
            'parse @message "*e*" as a, b | dedup a | display a, jsonParse(b)',
            "filter @message like /(?=x)/",
            "stats",
        ],
        "QueryLanguage": ["CWLI", "SQL"],
        "LogRecordPointer": POINTERS,
        "StartLiveTailLogGroupIdentifiers": [[GROUP_ARN], [GROUP_ARN] * 10, [f"{GROUP_ARN}:*"], ["f"]],
        # A function does not subscribe to the group that it writes to.
        "PutSubscriptionFilterRequest.logGroupName": ["plain", "plain", "/aws/lambda/f", "missing"],
        "FilterName": ["new", "kept", "kept", "a:b"],
        "DeleteSubscriptionFilterRequest.logGroupName": ["plain", "/aws/lambda/f"],
        "FilterPattern": ["", "ERROR -x", "{ $.a = 1 }", "[a, b = 1*]", "%x+%", "{"],
        **{
            f"Put{kind}FilterRequest.applyOnTransformedLogs": [False, False, False, True]
            for kind in ("Metric", "Subscription")
        },
        "FieldSelectionCriteria": [None],
        "EmitSystemFields": [None],
        "RoleArn": [None],
        "MetricTransformations": [
            [{"metricName": "m", "metricNamespace": "N", "metricValue": "1"}],
            [{"metricName": "m", "metricNamespace": "N", "metricValue": "$.a", "dimensions": {"d": "$.b"}}],
            [{"metricName": "m", "metricNamespace": "AWS/N", "metricValue": "x", "defaultValue": 0}],
        ],
        "DestinationArn": [ARN, ARN, f"{ARN}:live", "arn:aws:kinesis:us-east-1:000000000000:stream/s", "x"],
        "CreateLogGroupRequest.logGroupName": ["new", "/aws/lambda/f", "aws/x"],
        "CreateLogStreamRequest.logStreamName": ["new", "stream", "a:b"],
        "PolicyName": ["kept", "new", ""],
        "PolicyDocument": POLICIES,
        **{
            f"{operation}Request.resourceArn": [GROUP_ARN, GROUP_ARN, f"{GROUP_ARN}x", "arn:aws:s3:::b", "x"]
            for operation in ("TagResource", "UntagResource", "ListTagsForResource")
        },
        **{f"{operation}ResourcePolicyRequest.resourceArn": [""] for operation in ("Put", "Delete")},
        "ResourceIdentifier": [GROUP_ARN, f"{GROUP_ARN}:*", "x", "arn:aws:logs:us-east-1:000000000000:query-result:*"],
        "EventMessage": ["x", "ERROR\n", "\N{COLLISION SYMBOL}", '{"a": 1}'],
        "TagKey": ["k", "aws:x", "k2"],
    },
}

WORDS["cloudwatch"] = {
    "Namespace": ["N", "AWS/Lambda", "a b"],
    "MetricName": ["m", "n", "\N{SNOWMAN}"],
    "DimensionName": ["d", "e", ":x"],
    "DimensionValue": ["1", "2", " "],
    "Dimensions": [[], [{"Name": "d", "Value": "1"}]],
    "Timestamp": [1_795_000_000, 1_794_999_000.5, 1_700_000_000, 0, 2**40],
    **{
        f"{holder}.StartTime": [1_794_990_000, 1_794_000_000, 0]
        for holder in ("GetMetricDataInput", "GetMetricStatisticsInput")
    },
    **{
        f"{holder}.EndTime": [1_795_000_100, 1_794_990_000, 2**40]
        for holder in ("GetMetricDataInput", "GetMetricStatisticsInput")
    },
    "DatapointValue": [0, 1, 2.5, -1, 1e300, "NaN"],
    "StorageResolution": [1, 60, 5],
    "MetricId": ["a", "b", "A"],
    "MetricExpression": [
        "m",
        "a + 1",
        "METRICS() * 2",
        "FILL(a, 0)",
        "SEARCH('{N} m', 'Sum', 60)",
        "TIME_SERIES(1)",
        "1 +",
        "((",
        "SELECT 1",
        "SORT(METRICS(), SUM, DESC)",
        "b / a ^ 1e308",
    ],
    "MetricLabel": ["x", "${LABEL} ${MAX}", "${PROP('Stat')}"],
    "Stat": ["Sum", "p99", "TM(1%:99%)", "PR(1:2)", "x"],
    "ExtendedStatistic": ["p50", "IQM", "x"],
    "Period": [60, 300, 3_600, 1, 45, 2**31 - 1],
    "GetMetricDataMaxDatapoints": [1, 100, 100_800, 0],
    "GetMetricDataLabelTimezone": ["+0000", "-0130", "x"],
    "AccountId": ["000000000000", "111122223333"],
    "NextToken": [marker("d"), marker("[]"), "x", "\x00"],
    "DashboardName": ["d", "e", "a b", ""],
    "DashboardNamePrefix": ["d", ""],
    "DashboardBody": ['{"widgets":[]}', '{"widgets":[{}]}', "{", "[" * 1_000],
    "TagList": [[], [{"Key": "k", "Value": "v"}]],
    "AlarmName": ["a", "c", "free", "new", "nobody", "\x00"],
    "PutCompositeAlarmInput.AlarmName": ["c", "new", "a"],
    "PutMetricAlarmInput.AlarmName": ["a", "new", "c"],
    "AlarmNames": [["free"], ["a"], ["c"], ["nobody"], []],
    "AlarmRule": ["ALARM(a)", "NOT (OK(free) OR TRUE)", "ALARM(c)", "ALARM(nobody)", "(" * 2_000, "x"],
    "StateReasonData": ['{"a":1}', "{", "[" * 2_000],
    "ResourceName": [ARN, f"{ARN}:1", "arn:aws:sns:us-east-1:000000000000:t", "x"],
    "TreatMissingData": ["ignore", "breaching", "x"],
    "EvaluateLowSampleCountPercentile": ["ignore", "evaluate", "x"],
    "EvaluationPeriods": [1, 3, 2**31 - 1],
    "DatapointsToAlarm": [1, 2, 2**31 - 1],
    "Threshold": [1, -1.5, 1e308, "NaN"],
    "PutMetricAlarmInput.ComparisonOperator": ["GreaterThanThreshold", "GreaterThanUpperThreshold"],
    "PutMetricAlarmInput.Metrics": [[], [{"Id": "e", "Expression": "TIME_SERIES(1)", "Period": 60}]],
    "AmazonResourceName": [f"{ALARM_ARN}a", f"{ALARM_ARN}c", f"{ALARM_ARN}nobody", ALARM_ARN, "x"],
    **{f"DescribeAlarmHistoryInput.{member}": [1_795_000_000, 0, 2**40] for member in ("StartDate", "EndDate")},
}

WORDS["sqs"] = {
    **{f"{operation}Request.QueueUrl": QUEUES for operation in ServiceModel("sqs").operations},
    "CreateQueueRequest.QueueName": ["q", "new", "new.fifo", *QUEUES],
    "GetQueueUrlRequest.QueueName": QUEUES,
    "GetQueueUrlRequest.QueueOwnerAWSAccountId": ["000000000000", "111122223333", "x"],
    "StartMessageMoveTaskRequest.SourceArn": [QUEUE_ARN + "q", QUEUE_ARN + "dead", "arn:aws:sqs:x"],
    "StartMessageMoveTaskRequest.DestinationArn": [QUEUE_ARN + "q", QUEUE_ARN + "f.fifo", "x"],
    "ListMessageMoveTasksRequest.SourceArn": [QUEUE_ARN + "dead", QUEUE_ARN + "missing", "x"],
    "CancelMessageMoveTaskRequest.TaskHandle": TASKS,
    **{
        f"{holder}.ReceiptHandle": HANDLES
        for operation in ("ChangeMessageVisibility", "DeleteMessage")
        for holder in (f"{operation}Request", f"{operation}BatchRequestEntry")
    },
    "AddPermissionRequest.Label": ["new", "s", ""],
    "AddPermissionRequest.AWSAccountIds": [["111122223333"], [], ["x"]],
    "AddPermissionRequest.Actions": [["SendMessage"], [], ["x"] * 8],
    "RemovePermissionRequest.Label": ["s", "new"],
    "QueueAttributeName": ["DelaySeconds", "Policy", "RedrivePolicy", "FifoQueue", "All", "QueueArn", "X"],
    "TagKey": ["k", "aws:x", ""],
    "Token": [marker("q"), "", "x"],
    "NullableInteger": [1, 0, 10, -1, 43200, 2**31 - 1],
    "BoxedInteger": [1, 1000, 0, -1],
    "MessageAttributeName": ["All", "k.*", "..", ""],
    "MessageSystemAttributeName": ["All", "SenderId", "X"],
    "String": ["1", "a-b", "", "\x00", "String", "Number.x", "Binary", "{}", POLICIES[0], "x" * 300],
}

_NAMES = ["free", "busy", "FREE", "missing", "a b", "n" * 64, "n" * 129, "ä"]
_BUSY = ["busy", *_NAMES]

WORDS["iam"] = {
    **dict.fromkeys(("roleNameType", "userNameType", "existingUserNameType", "groupNameType"), _NAMES),
    "instanceProfileNameType": _NAMES,
    "policyNameType": ["in", "out", "a b", "n" * 129],
    **{
        f"Create{kind}Request.{member}Name": ["new", *_NAMES]
        for kind, member in (
            *(("User", "User"), ("Group", "Group"), ("Role", "Role"), ("Policy", "Policy")),
            ("InstanceProfile", "InstanceProfile"),
        )
    },
    **{
        f"{operation}{kind}PolicyRequest.{kind}Name": _BUSY
        for operation in ("Get", "Delete", "Detach")
        for kind in ("User", "Group", "Role")
    },
    **{f"Delete{kind}PermissionsBoundaryRequest.{kind}Name": _BUSY for kind in ("User", "Role")},
    **{f"{operation}AccessKeyRequest.UserName": _BUSY for operation in ("Create", "Update", "Delete")},
    **{f"RemoveRoleFromInstanceProfileRequest.{member}Name": _BUSY for member in ("InstanceProfile", "Role")},
    "DeleteServiceLinkedRoleRequest.RoleName": ["AWSServiceRoleForBatch", *_NAMES],
    "CreateServiceLinkedRoleRequest.AWSServiceName": ["ecs.amazonaws.com", "batch.amazonaws.com", "x", "a b"],
    "CreateServiceLinkedRoleRequest.CustomSuffix": ["s", "s" * 64, ""],
    "DeletionTaskIdType": [
        "task/aws-service-role/x.amazonaws.com/gone/00000000-0000-4000-8000-000000000000",
        "task/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch/00000000-0000-4000-8000-000000000000",
        "x",
    ],
    "pathType": ["/", "/a/b/", "/aws-service-role/x/", "a", "//", "/" + "a" * 511],
    "policyPathType": ["/", "/a/b/", "a", "/" + "a" * 511],
    "arnType": [
        *[f"{POLICY_ARN}/busy", f"{POLICY_ARN}/free", f"{POLICY_ARN}/missing", f"{POLICY_ARN}/x/busy"],
        "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        "arn:aws:iam::aws:policy/NobodyKnowsIt",
        "arn:aws-cn:iam::aws:policy/AdministratorAccess",
        *[
            "arn:aws:iam::111122223333:policy/busy",
            ROLE,
            "x" * 20,
            "arn:aws:iam::aws:policy//x",
            "arn:::::::::::::::::",
        ],
    ],
    "DeletePolicyRequest.PolicyArn": [f"{POLICY_ARN}/free", f"{POLICY_ARN}/busy"],
    **{
        f"{operation}PrincipalPolicyRequest.PolicySourceArn": [
            *(f"arn:aws:iam::000000000000:{kind}/{name}" for name in ("busy", "free") for kind in ("user", "role")),
            *("arn:aws:iam::000000000000:group/busy", f"{POLICY_ARN}/busy", "x" * 20),
        ]
        for operation in ("Simulate", "GetContextKeysFor")
    },
    "policyVersionIdType": ["v1", "v2", "v3", "v" + "9" * 100, "v0", "x"],
    "DeletePolicyVersionRequest.VersionId": ["v2", "v1", "v3"],
    "policyDocumentType": IDENTITY_DOCUMENTS,
    "CreateRoleRequest.AssumeRolePolicyDocument": TRUST_DOCUMENTS,
    "UpdateAssumeRolePolicyRequest.PolicyDocument": TRUST_DOCUMENTS,
    **{
        f"Simulate{kind}PolicyRequest.ResourcePolicy": [POLICIES[0], *TRUST_DOCUMENTS]
        for kind in ("Custom", "Principal")
    },
    "accessKeyIdType": KEYS,
    "statusType": ["Active", "Inactive", "Expired"],
    "accountAliasType": ["alias", "other", "-", "a" * 64],
    "markerType": [marker("b"), marker("busy"), marker("2/busy"), marker("0/"), marker("ä"), "x", "=", "\x00"],
    "maxItemsType": [1, 2, 1_000, 0, 1_001],
    "tagKeyType": ["k", "K", "a", "aws:x", " ", ""],
    "ActionNameType": ["s3:GetObject", "iam:CreateUser", "s3:*", "x:y:z", "xyz"],
    "ResourceNameType": ["arn:aws:s3:::b/k", "*", "x", ""],
    **{
        f"Simulate{kind}PolicyRequest.{member}": ["arn:aws:iam::000000000000:user/u", "000000000000", "x"]
        for kind in ("Custom", "Principal")
        for member in ("CallerArn", "ResourceOwner")
    },
    "ContextKeyNameType": ["aws:SourceIp", "aws:TagKeys", "aws:CurrentTime"],
    "ContextKeyValueType": ["10.0.0.1", "a", "", "true", "9" * 100],
    "booleanType": [True, False],
}
WORDS["iam"]["SimulateCustomPolicyRequest.PolicyInputList"] = [[IDENTITY_DOCUMENTS[0]], IDENTITY_DOCUMENTS, []]

DEFINITIONS = [
    json.dumps(
        {
            "openapi": "3.0.1",
            "info": {"title": "t"},
            "paths": {
                "/a": {
                    "get": {
                        "x-amazon-apigateway-integration": {
                            "type": "aws_proxy",
                            "uri": ARN,
                            "payloadFormatVersion": "2.0",
                        }
                    }
                }
            },
        }
    ),
    "openapi: 3.0.1\ninfo: {title: t}\npaths: {}",
    '{"openapi":' * 3_000,
    "- " * 3_000,
    "{}",
    "a: &a [*a]",
    "\x00",
]

WORDS["apigatewayv2"] = {
    **{
        f"{shape}.{member}": APIS[member]
        for shape, described in ServiceModel("apigatewayv2").raw_shapes.items()
        if shape.endswith("Request")
        for member in APIS
        if member in described.get("members", {})
    },
    "CreateApiRequest.Name": ["new", "", "n" * 129],
    "CreateApiRequest.ProtocolType": ["HTTP", "WEBSOCKET", "x"],
    "CreateApiRequest.Target": [ARN, "https://a.example", "x"],
    **{f"{operation}ApiRequest.Body": DEFINITIONS for operation in ("Import", "Reimport")},
    **{f"{operation}ApiRequest.Basepath": ["ignore", "prepend", "split", "x"] for operation in ("Import", "Reimport")},
    "ExportApiRequest.Specification": ["OAS30", "x"],
    "ExportApiRequest.OutputType": ["JSON", "YAML", "x"],
    "ExportApiRequest.ExportVersion": ["1.0", "x"],
    "ExportApiRequest.StageName": ["s", "auto", "none"],
    "CreateRouteRequest.RouteKey": ["GET /new", "$default", "GET /items/{x}", "ANY /{proxy+}", "GET new", "GET /é", ""],
    "UpdateRouteRequest.RouteKey": ["GET /other", "$default", "GET /items/{x}", "x"],
    "DeleteRouteSettingsRequest.RouteKey": ["GET /items/{id}", "x"],
    "AuthorizationType": ["NONE", "CUSTOM", "JWT", "AWS_IAM"],
    "AuthorizerType": ["REQUEST", "JWT"],
    "IdentitySourceList": [["$request.header.a"], [], ["$request.querystring.b", "$context.routeKey"], ["x"]],
    "CreateAuthorizerRequest.Name": ["new", "used", ""],
    "AuthorizerPayloadFormatVersion": ["2.0", "1.0"],
    "CreateAuthorizerRequest.AuthorizerPayloadFormatVersion": ["2.0", "1.0", "x"],
    "CreateIntegrationRequest.PayloadFormatVersion": ["2.0", "1.0", "x"],
    "IntegrationType": ["AWS_PROXY", "HTTP_PROXY", "MOCK"],
    "UriWithLengthBetween1And2048": [ARN, f"{ARN}:${{stageVariables.x}}", "https://a.example/{proxy}", "x", ""],
    "CreateIntegrationRequest.IntegrationMethod": ["POST", "ANY", "x"],
    "IntegrationParameters": [{}, {"append:header.a": "$request.path"}, {"append:header.te": "x"}, {"x": ""}],
    "ResponseParameters": [{}, {"200": {"overwrite:header.a": "b"}}, {"x": {}}, {"200": {"x": "y"}}],
    "CreateStageRequest.StageName": ["new", "s", "$default", "a b"],
    **{
        f"{operation}Request.StageName": ["free", "s", "auto", "none"]
        for operation in (
            "CreateDeployment",
            "DeleteAccessLogSettings",
            "DeleteRouteSettings",
            "DeleteStage",
            "GetStage",
            "ResetAuthorizersCache",
            "UpdateStage",
        )
    },
    "DeleteRouteSettingsRequest.StageName": ["s", "free", "none"],
    "StageVariablesMap": [{}, {"a": "b"}, {"a": ""}, {"a b": "c"}],
    "RouteSettingsMap": [{}, {"GET /items/{id}": {"ThrottlingRateLimit": 1.5}}, {"x": {}}],
    "LoggingLevel": ["OFF", "INFO"],
    "CreateDomainNameRequest.DomainName": ["new.example", "*.new.example", "a.example", "127.0.0.1", "x"],
    **{
        f"{operation}Request.DomainName": ["a.example", "A.example", "none.example"]
        for operation in (
            "CreateApiMapping",
            "DeleteApiMapping",
            "DeleteDomainName",
            "GetApiMapping",
            "GetApiMappings",
            "GetDomainName",
            "UpdateApiMapping",
            "UpdateDomainName",
        )
    },
    **{f"{operation}ApiMappingRequest.Stage": ["auto", "s", "none"] for operation in ("Create", "Update")},
    "CreateApiMappingRequest.ApiMappingKey": ["v1", "", "v1/a", "/", "a b"],
    "SelectionKey": ["v1", "GET /x", ""],
    "Tags": [{}, {"k": "w"}, {"aws:a": "b"}, {"": ""}],
    "__listOf__string": [["k"], [], ["x"]],
    "__string": ["1", "", "x", "\x00", marker("a")],
    "NextToken": ["", marker("a"), "x"],
    "Arn": ["arn:aws:iam::000000000000:role/r", "x", ""],
    "SelectionExpression": ["$request.method $request.path", "$request.header.x-api-key", "x"],
    "CorsOriginList": [["*"], ["https://a.example"], [""], ["\r\n"]],
    "CorsMethodList": [["GET"], ["*"], ["x"]],
}

OFFERED = [
    (service, operation)
    for service, not_offered in (
        ("lambda", NOT_OFFERED),
        ("logs", LOGS_NOT_OFFERED),
        ("sqs", {}),
        # Documented: of dashboards to delete, those that there are go, though there are not all.
        ("cloudwatch", {**CLOUDWATCH_NOT_OFFERED, "DeleteDashboards": ""}),
        ("apigatewayv2", HTTP_APIS_NOT_OFFERED),
        # Nobody has a password policy: it succeeds never.
        ("iam", {**IAM_NOT_OFFERED, "GetAccountPasswordPolicy": ""}),
    )
    for operation in sorted(ServiceModel(service).operations)
    if operation not in not_offered
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("fuzz"), set_up)
    yield made
    made.close()


@cache
def requests_of(service: str) -> Requests:
    return Requests(service, WORDS[service], USUAL[service])


def examples() -> settings:
    """Return the settings of a property: the same examples in every run, many more and new ones in `deep`."""
    is_deep = settings.get_current_profile_name() == "deep"
    return settings(
        # Fifty operations times the profile's own number would take most of an hour.
        max_examples=800 if is_deep else 20,
        derandomize=not is_deep,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def is_error(headers: Mapping[bytes, bytes], body: bytes) -> bool:
    """Whether a refusal has its protocol's form: JSON, or XML where the request is for a service that speaks it."""
    if headers.get(b"content-type") == b"text/xml":
        # A request that names no action gets its error's name as the root and nothing else.
        return b"<Code>" in body or body == b"<UnknownOperationException/>"
    if not is_json(body):
        return False
    problem = json.loads(body)
    has_code = b"x-amzn-errortype" in headers or "__type" in problem
    if problem.get("__type", "").endswith("#ResourceNotFound"):
        # CloudWatch says no more.
        return True
    return has_code and isinstance(problem.get("message", problem.get("Message")), str)


def is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def check(stage: Stage, request: WireRequest) -> int:
    """Send a request to the state as it was made; hold the answer against what every answer is; return its status."""
    stage.restore()
    return check_next(stage, request)


def check_next(stage: Stage, request: WireRequest) -> int:
    """The same, to the state as it is."""
    sent = f"{request.method} {request.path}?{request.query} {dict(request.headers)} {request.body[:2000]!r}"

    def give_up(signum: int, frame: FrameType | None) -> None:
        raise AssertionError(f"more than {CPU_MAX_S} s of a processor for: {sent[:3000]}")

    # Of a processor, not on the wall: the machine may have other things to do.
    previous = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_MAX_S)
    try:
        answer = stage.send(request)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
    story = f"{sent}\n-> {answer.status} {answer.headers} {answer.body[:1000]!r}"
    assert answer.status < 500 or answer.status == 501, story
    for name, value in answer.headers.items():
        assert name == name.lower(), story
        assert not {0, 10, 13} & set(value), story
    assert b"x-amzn-requestid" in answer.headers, story
    if answer.status >= 400:
        assert not answer.has_committed, f"refused, and yet something was committed: {story}"
        assert is_error(answer.headers, answer.body), story
    elif answer.headers.get(b"content-type") == b"application/json" and b"x-amz-executed-version" not in answer.headers:
        assert is_json(answer.body), story
    return answer.status


@pytest.mark.parametrize(("service", "operation"), OFFERED, ids=[operation for _, operation in OFFERED])
def test_no_input_is_our_fault(stage: Stage, service: str, operation: str) -> None:
    """Whatever an operation is sent: an answer below 500, soon, in its protocol's form; refused means unchanged."""

    @examples()
    @given(requests_of(service).of(operation))
    def property_holds(request: WireRequest) -> None:
        check(stage, request)

    property_holds()


# Queries are in memory, and gone once the state was put back: their ids are good for nothing then.
GOOD = [pair for pair in OFFERED if pair != ("logs", "GetQueryResults")]


@pytest.mark.parametrize(("service", "operation"), GOOD, ids=[operation for _, operation in GOOD])
def test_the_good_words_are_good(stage: Stage, service: str, operation: str) -> None:
    """Unbroken requests get through, now and then: what is fuzzed is the operation and not its first check."""

    def succeeds(request: WireRequest) -> bool:
        return check(stage, request) < 300

    # Without shrinking: any will do.
    quick = settings(max_examples=2_000, database=None, derandomize=True, phases=[Phase.generate])
    find(requests_of(service).of(operation), succeeds, settings=quick)


def test_no_sequence_is_our_fault(stage: Stage) -> None:
    """One request after another on what the ones before have left behind."""
    one = st.sampled_from(OFFERED).flatmap(lambda pair: requests_of(pair[0]).of(pair[1]))

    @examples()
    @given(st.lists(one, min_size=2, max_size=12))
    def property_holds(sequence: list[WireRequest]) -> None:
        stage.restore()
        for request in sequence:
            if check_next(stage, request) < 300:
                stage.settle("f")

    property_holds()


def splice(package: bytes, at: int, size: int, junk: bytes) -> bytes:
    at %= len(package)
    return package[:at] + junk + package[at + size :]


@pytest.mark.parametrize("path", ["/2015-03-31/functions", "/2018-10-31/layers/l/versions"])
def test_no_package_is_our_fault(stage: Stage, path: str) -> None:
    """A zip that is broken anywhere is taken or refused."""
    position = st.integers(0, 10_000)
    broken = st.builds(splice, st.sampled_from(PACKAGES), position, st.integers(0, 40), st.binary(max_size=12))

    @examples()
    @given(st.builds(splice, broken, position, st.integers(0, 4), st.binary(max_size=4)))
    def property_holds(package: bytes) -> None:
        content = {"ZipFile": base64.b64encode(package).decode()}
        body = {"FunctionName": "new", "Code": content, "Content": content, **RUNTIME}
        headers = {"authorization": authorization("lambda")}
        assert check(stage, WireRequest("POST", path, "", headers, json.dumps(body).encode())) in {201, 400, 413}

    property_holds()


def test_what_is_not_offered_says_so(stage: Stage) -> None:
    """An operation that is not offered answers 501, whatever it is sent, and does not look at it."""
    not_offered = [("lambda", name) for name in sorted(NOT_OFFERED)] + [
        ("logs", name) for name in sorted(LOGS_NOT_OFFERED)
    ]

    @examples()
    @given(st.sampled_from(not_offered).flatmap(lambda pair: requests_of(pair[0]).of(pair[1])))
    def property_holds(request: WireRequest) -> None:
        check(stage, request)

    property_holds()


# What has been found -------------------------------------------------------------------------------------------------


def invocation(client_context: bytes) -> WireRequest:
    return WireRequest(
        "POST",
        "/2015-03-31/functions/f/invocations",
        "",
        {"x-amz-client-context": client_context.decode("latin-1")},
        b"{}",
    )


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"FileSystemConfigs": [{}] * 100_000}, b"101 validation errors detected"),
        ({"FileSystemConfigs": [{}] * 100_001}, b"more than 100000 items"),
        ({"Layers": ["x"] * 100_000}, b"1 validation error detected"),
        ({"Tags": {f"k{number}": "v" for number in range(100_001)}}, b"more than 100000 items"),
        ({"Handler": "h " * 5_000_000, "Role": "r" * 10_000_000}, b"2 validation errors detected"),
        (
            {"Environment": {"Variables": {f"{number}": "v" for number in range(100_000)}}},
            b"1 validation error detected",
        ),
    ],
    ids=["structures", "too many structures", "texts", "too many tags", "long texts", "keys"],
)
def test_a_large_mistake_gets_a_small_answer(stage: Stage, members: dict[str, Any], says: bytes) -> None:
    """Each of millions of broken constraints was told, with the whole value: gigabytes, and minutes for nobody else."""
    body = json.dumps({"FunctionName": "new", "Role": ROLE, "Code": {"ZipFile": ""}, **members}).encode()
    request = WireRequest("POST", "/2015-03-31/functions", "", {"authorization": authorization("lambda")}, body)
    assert check(stage, request) == 400
    answer = stage.send(request)
    assert says in answer.body
    assert len(answer.body) < 100_000


@pytest.mark.parametrize("context", [b"\xe9", b"\xc3\xa9===", "\N{COLLISION SYMBOL}".encode()])
def test_a_client_context_beyond_ascii_is_refused(stage: Stage, context: bytes) -> None:
    """Base64 has no such letters, and the decoder raises another error for them than for wrong ones."""
    assert check(stage, invocation(context)) == 400


def test_a_client_context_of_any_depth_is_taken_or_refused(stage: Stage) -> None:
    """What can just be read may be nested too deeply to be written again."""
    statuses = {
        check(stage, invocation(base64.b64encode(b'{"a":' + b"[" * depth + b"]" * depth + b"}")))
        for depth in range(850, 1010)
    }
    assert statuses <= {200, 400}


@pytest.mark.parametrize(
    "settings_of_function",
    [{"Environment": {"Variables": {"AB": "a\x00b"}}}, {"Handler": "app.handler\x00"}],
    ids=["variable", "handler"],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "functions"), ("PUT", "functions/f/configuration")])
def test_what_no_process_can_be_told_is_refused(
    stage: Stage, method: str, path: str, settings_of_function: dict[str, Any]
) -> None:
    """The model lets null characters pass; no environment of such a function would start."""
    members = {"FunctionName": "new", "Code": {"ZipFile": base64.b64encode(CODE).decode()}, **RUNTIME}
    body = json.dumps({**(members if method == "POST" else {}), **settings_of_function}).encode()
    headers = {"authorization": authorization("lambda")}
    assert check(stage, WireRequest(method, f"/2015-03-31/{path}", "", headers, body)) == 400


@pytest.mark.parametrize(
    "policy",
    [
        {"Version": []},
        {"Id": []},
        {"Statement": [{"Sid": [], "Effect": "Allow", "Principal": "*", "Action": "*"}]},
        {"Statement": [{"Sid": 1, "Effect": "Allow", "Principal": "*", "Action": "*"}]},
        {"Statement": [{"Effect": {}, "Principal": "*", "Action": "*"}]},
        {"Statement": [{"Effect": "Allow", "Principal": {"AWS": {}}, "Action": "*"}]},
    ],
    ids=str,
)
def test_a_policy_of_wrong_types_is_refused(stage: Stage, policy: dict[str, Any]) -> None:
    """A document inside a text is no business of the model: what it holds may be of any type."""
    text = json.dumps({**json.loads(POLICIES[0]), **policy})
    headers = {"authorization": authorization("lambda")}
    body = json.dumps({"Policy": text}).encode()
    assert check(stage, WireRequest("PUT", f"/2026-07-09/resource-policy/{ARN}", "", headers, body)) == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("tail", ["1$LATEST", "$LATEST$LATEST", "$LATEST.PUBLISHEDa"])
def test_an_arn_that_only_one_pattern_takes_is_refused(stage: Stage, method: str, tail: str) -> None:
    """The model's pattern for resources of policies is wider than the one for names of functions."""
    body = json.dumps({"Policy": POLICIES[0]}).encode() if method == "PUT" else b""
    assert (
        check(
            stage,
            WireRequest(
                method,
                f"/2026-07-09/resource-policy/{ARN}:{tail}",
                "",
                {"authorization": authorization("lambda")},
                body,
            ),
        )
        == 400
    )
