"""
AWS managed policies that are shipped: a table. Others may be attached as well, and allow nothing.

Documented: AWS managed policy reference, as of October 2026: names, default versions, and what each allows.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec


class AwsPolicy(msgspec.Struct, frozen=True):
    """A policy that AWS wrote."""

    version: int
    """Number of its default version."""
    document: str


def _allow(actions: str, resource: str = "*", **members: Any) -> dict[str, Any]:
    """Return a statement. Actions are named as in `sqs:SendMessage,ReceiveMessage logs:*`."""
    named = [
        f"{service}:{name}"
        for service, _, names in (part.partition(":") for part in actions.split())
        for name in names.split(",")
    ]
    return {"Effect": "Allow", "Action": named, "Resource": resource, **members}


def _policy(version: int, *statements: Mapping[str, Any]) -> AwsPolicy:
    document = {"Version": "2012-10-17", "Statement": statements}
    return AwsPolicy(version, json.dumps(document, separators=(",", ":")))


_LOGS = "logs:CreateLogGroup,CreateLogStream,PutLogEvents"
_DYNAMODB = "dynamodb:DescribeStream,GetRecords,GetShardIterator,ListStreams"
_INTERFACES = "ec2:CreateNetworkInterface,DescribeNetworkInterfaces,DeleteNetworkInterface"
_ADDRESSES = "AssignPrivateIpAddresses,UnassignPrivateIpAddresses"
_TRACES = "xray:PutTraceSegments,PutTelemetryRecords,GetSamplingRules,GetSamplingTargets,GetSamplingStatisticSummaries"
_OF_FUNCTIONS = "arn:aws:logs:*:*:log-group:/aws/lambda/*"
_QUERIES = "cloudwatch:GenerateQuery,GenerateQueryResultsSummary"
_TELEMETRY = "observabilityadmin:GetS3TableIntegration,ListS3TableIntegrations,ListTelemetryPipelines"
_READS = (
    "cloudwatch:ListMetrics,GetMetricData ec2:DescribeSecurityGroups,DescribeSubnets,DescribeVpcs kms:ListAliases "
    "iam:GetPolicy,GetPolicyVersion,GetRole,GetRolePolicy,ListAttachedRolePolicies,ListRolePolicies,ListRoles "
    "logs:DescribeLogGroups states:DescribeStateMachine,ListStateMachines tag:GetResources "
    "xray:GetTraceSummaries,BatchGetTraces"
)
_DEPLOYMENTS = "cloudwatch:DescribeAlarms lambda:UpdateAlias,GetAlias,GetProvisionedConcurrencyConfig"
_REVISIONS = (
    _allow("s3:GetObject,GetObjectVersion", "arn:aws:s3:::*/CodeDeploy/*"),
    _allow(
        "s3:GetObject,GetObjectVersion",
        Condition={"StringEquals": {"s3:ExistingObjectTag/UseWithCodeDeploy": "true"}},
    ),
    _allow("lambda:InvokeFunction", "arn:aws:lambda:*:*:function:CodeDeployHook_*"),
)
_EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}

_NAMED: Mapping[str, AwsPolicy] = {
    "AWSCloudFormationFullAccess": _policy(1, _allow("cloudformation:*")),
    "AWSDenyAll": _policy(2, {"Sid": "DenyAll", **_EVERYTHING, "Effect": "Deny"}),
    "AWSLambdaExecute": _policy(
        1,
        _allow("logs:*", "arn:aws:logs:*:*:*"),
        _allow("s3:GetObject,PutObject", "arn:aws:s3:::*"),
    ),
    "AWSLambdaInvocation-DynamoDB": _policy(1, _allow("lambda:InvokeFunction"), _allow(_DYNAMODB)),
    "AWSLambda_FullAccess": _policy(
        7,
        _allow(f"cloudformation:DescribeStacks,ListStackResources kms:DescribeKey lambda:* {_READS}"),
        _allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}),
        _allow("logs:DescribeLogStreams,GetLogEvents,FilterLogEvents,StartLiveTail,StopLiveTail", _OF_FUNCTIONS),
        _allow(
            "iam:CreateServiceLinkedRole",
            "arn:aws:iam::*:role/aws-service-role/lambda.amazonaws.com/AWSServiceRoleForLambda",
            Condition={"StringEquals": {"iam:AWSServiceName": "lambda.amazonaws.com"}},
        ),
    ),
    "AWSLambda_ReadOnlyAccess": _policy(
        5,
        _allow(f"cloudformation:DescribeStacks,ListStacks,ListStackResources lambda:Get*,List* {_READS}"),
        _allow(
            "logs:DescribeLogStreams,GetLogEvents,FilterLogEvents,StartQuery,StopQuery,DescribeQueries,"
            "GetLogGroupFields,GetLogRecord,GetQueryResults,StartLiveTail,StopLiveTail",
            _OF_FUNCTIONS,
        ),
    ),
    "AWSStepFunctionsFullAccess": _policy(1, _allow("states:*")),
    "AWSXRayDaemonWriteAccess": _policy(2, _allow(_TRACES, Sid="AWSXRayDaemonWriteAccess")),
    "AWSXrayFullAccess": _policy(2, _allow("xray:*", Sid="AWSXrayFullAccess")),
    "AWSXrayWriteOnlyAccess": _policy(2, _allow(_TRACES)),
    "AdministratorAccess": _policy(1, _EVERYTHING),
    "AmazonAPIGatewayAdministrator": _policy(1, _allow("apigateway:*", "arn:aws:apigateway:*::/*")),
    "AmazonAPIGatewayInvokeFullAccess": _policy(
        2, _allow("execute-api:Invoke,ManageConnections", "arn:aws:execute-api:*:*:*")
    ),
    "AmazonEventBridgeSchedulerFullAccess": _policy(
        4,
        _allow("scheduler:*"),
        _allow(
            "iam:PassRole",
            "arn:aws:iam::*:role/*",
            Condition={"StringLike": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        ),
    ),
    "AmazonKinesisFullAccess": _policy(1, _allow("kinesis:*")),
    "AmazonS3FullAccess": _policy(2, _allow("s3:* s3-object-lambda:*")),
    "AmazonS3ReadOnlyAccess": _policy(3, _allow("s3:Get*,List*,Describe* s3-object-lambda:Get*,List*")),
    "AmazonSNSFullAccess": _policy(
        2,
        _allow("sns:*", Sid="SNSFullAccess"),
        _allow(
            "sms-voice:DescribeVerifiedDestinationNumbers,CreateVerifiedDestinationNumber,"
            "SendDestinationNumberVerificationCode,SendTextMessage,DeleteVerifiedDestinationNumber,"
            "VerifyDestinationNumber,DescribeAccountAttributes,DescribeSpendLimits,DescribePhoneNumbers,"
            "SetTextMessageSpendLimitOverride,DescribeOptedOutNumbers,DeleteOptedOutNumber",
            Sid="SMSAccessViaSNS",
            Condition={"StringEquals": {"aws:CalledViaLast": "sns.amazonaws.com"}},
        ),
    ),
    "AmazonSQSFullAccess": _policy(1, _allow("sqs:*")),
    "AmazonSQSReadOnlyAccess": _policy(
        4,
        _allow(
            "sqs:GetQueueAttributes,GetQueueUrl,ListDeadLetterSourceQueues,ListQueues,ListMessageMoveTasks,"
            "ListQueueTags",
            Sid="AmazonSQSReadOnlyAccess",
        ),
    ),
    "AmazonSSMReadOnlyAccess": _policy(1, _allow("ssm:Describe*,Get*,List*")),
    "CloudWatchLambdaInsightsExecutionRolePolicy": _policy(
        1,
        _allow("logs:CreateLogGroup"),
        _allow("logs:CreateLogStream,PutLogEvents", "arn:aws:logs:*:*:log-group:/aws/lambda-insights:*"),
    ),
    "CloudWatchLogsFullAccess": _policy(8, _allow(f"logs:* {_QUERIES} {_TELEMETRY}", Sid="CloudWatchLogsFullAccess")),
    "CloudWatchLogsReadOnlyAccess": _policy(
        12,
        _allow(
            "logs:Describe*,Get*,List*,StartQuery,StopQuery,TestMetricFilter,FilterLogEvents,StartLiveTail,"
            f"StopLiveTail {_QUERIES} {_TELEMETRY}",
            Sid="CloudWatchLogsReadOnlyAccess",
        ),
    ),
    "IAMFullAccess": _policy(
        2,
        _allow(
            "iam:* organizations:DescribeAccount,DescribeOrganization,DescribeOrganizationalUnit,DescribePolicy,"
            "ListChildren,ListParents,ListPoliciesForTarget,ListRoots,ListPolicies,ListTargetsForPolicy"
        ),
    ),
    "IAMReadOnlyAccess": _policy(
        4,
        _allow(
            "iam:GenerateCredentialReport,GenerateServiceLastAccessedDetails,Get*,List*,SimulateCustomPolicy,"
            "SimulatePrincipalPolicy"
        ),
    ),
    "PowerUserAccess": _policy(
        12,
        {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
        _allow(
            "account:GetAccountInformation,GetGovCloudAccountInformation,GetPrimaryEmail,ListRegions "
            "iam:CreateServiceLinkedRole,DeleteServiceLinkedRole,ListRoles "
            "organizations:DescribeEffectivePolicy,DescribeOrganization"
        ),
    ),
    "service-role/AWSCodeDeployRoleForLambda": _policy(3, _allow(f"{_DEPLOYMENTS} sns:Publish"), *_REVISIONS),
    "service-role/AWSCodeDeployRoleForLambdaLimited": _policy(1, _allow(_DEPLOYMENTS), *_REVISIONS),
    "service-role/AWSLambdaBasicDurableExecutionRolePolicy": _policy(
        3, _allow(f"{_LOGS} lambda:CheckpointDurableExecution,GetDurableExecutionState")
    ),
    "service-role/AWSLambdaBasicExecutionRole": _policy(1, _allow(_LOGS)),
    "service-role/AWSLambdaDynamoDBExecutionRole": _policy(1, _allow(f"{_DYNAMODB} {_LOGS}")),
    "service-role/AWSLambdaENIManagementAccess": _policy(2, _allow(f"{_INTERFACES},{_ADDRESSES}")),
    "service-role/AWSLambdaKinesisExecutionRole": _policy(
        2,
        _allow(
            "kinesis:DescribeStream,DescribeStreamSummary,GetRecords,GetShardIterator,ListShards,ListStreams,"
            f"SubscribeToShard {_LOGS}"
        ),
    ),
    "service-role/AWSLambdaMSKExecutionRole": _policy(
        2,
        _allow(
            "kafka:DescribeCluster,DescribeClusterV2,GetBootstrapBrokers "
            f"{_INTERFACES},DescribeVpcs,DescribeSubnets,DescribeSecurityGroups {_LOGS}"
        ),
    ),
    "service-role/AWSLambdaRole": _policy(1, _allow("lambda:InvokeFunction")),
    "service-role/AWSLambdaSQSQueueExecutionRole": _policy(
        1, _allow(f"sqs:ReceiveMessage,DeleteMessage,GetQueueAttributes {_LOGS}")
    ),
    "service-role/AWSLambdaVPCAccessExecutionRole": _policy(
        3, _allow(f"{_LOGS} {_INTERFACES},DescribeSubnets,{_ADDRESSES}", Sid="AWSLambdaVPCAccessExecutionPermissions")
    ),
    "service-role/AmazonAPIGatewayPushToCloudWatchLogs": _policy(
        1, _allow(f"{_LOGS},DescribeLogGroups,DescribeLogStreams,GetLogEvents,FilterLogEvents")
    ),
}

MANAGED: Mapping[str, AwsPolicy] = {f"arn:aws:iam::aws:policy/{name}": policy for name, policy in _NAMED.items()}
"""By ARN, with the path in it."""


def aws_document(arn: str) -> str | None:
    """Return the document of a policy that is shipped; None for any other one."""
    found = MANAGED.get(arn)
    return None if found is None else found.document
