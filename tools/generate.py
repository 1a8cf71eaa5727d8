"""
Write the modules that follow from botocore's service models: shapes and error classes.

    python tools/generate.py            writes them
    python tools/generate.py --check    writes nothing; ends with 1 where one of them is stale

A service that comes to answer another operation adds its name to the table below.
"""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from lambent.protocol.service_model import ServiceModel, Shape  # noqa: E402

OPERATIONS: dict[str, tuple[str, ...]] = {
    "apigatewayv2": (
        "CreateApi",
        "CreateApiMapping",
        "CreateAuthorizer",
        "CreateDeployment",
        "CreateDomainName",
        "CreateIntegration",
        "CreateRoute",
        "CreateStage",
        "DeleteAccessLogSettings",
        "DeleteApi",
        "DeleteApiMapping",
        "DeleteAuthorizer",
        "DeleteCorsConfiguration",
        "DeleteDeployment",
        "DeleteDomainName",
        "DeleteIntegration",
        "DeleteRoute",
        "DeleteRouteSettings",
        "DeleteStage",
        "ExportApi",
        "GetApi",
        "GetApiMapping",
        "GetApiMappings",
        "GetApis",
        "GetAuthorizer",
        "GetAuthorizers",
        "GetDeployment",
        "GetDeployments",
        "GetDomainName",
        "GetDomainNames",
        "GetIntegration",
        "GetIntegrations",
        "GetRoute",
        "GetRoutes",
        "GetStage",
        "GetStages",
        "GetTags",
        "ImportApi",
        "ReimportApi",
        "ResetAuthorizersCache",
        "TagResource",
        "UntagResource",
        "UpdateApi",
        "UpdateApiMapping",
        "UpdateAuthorizer",
        "UpdateDeployment",
        "UpdateDomainName",
        "UpdateIntegration",
        "UpdateRoute",
        "UpdateStage",
    ),
    "iam": (
        "AddRoleToInstanceProfile",
        "AddUserToGroup",
        "AttachGroupPolicy",
        "AttachRolePolicy",
        "AttachUserPolicy",
        "CreateAccessKey",
        "CreateAccountAlias",
        "CreateGroup",
        "CreateInstanceProfile",
        "CreatePolicy",
        "CreatePolicyVersion",
        "CreateRole",
        "CreateServiceLinkedRole",
        "CreateUser",
        "DeleteAccessKey",
        "DeleteAccountAlias",
        "DeleteGroup",
        "DeleteGroupPolicy",
        "DeleteInstanceProfile",
        "DeletePolicy",
        "DeletePolicyVersion",
        "DeleteRole",
        "DeleteRolePermissionsBoundary",
        "DeleteRolePolicy",
        "DeleteServiceLinkedRole",
        "DeleteUser",
        "DeleteUserPermissionsBoundary",
        "DeleteUserPolicy",
        "DetachGroupPolicy",
        "DetachRolePolicy",
        "DetachUserPolicy",
        "GetAccessKeyLastUsed",
        "GetAccountAuthorizationDetails",
        "GetAccountPasswordPolicy",
        "GetAccountSummary",
        "GetContextKeysForCustomPolicy",
        "GetContextKeysForPrincipalPolicy",
        "GetGroup",
        "GetGroupPolicy",
        "GetInstanceProfile",
        "GetPolicy",
        "GetPolicyVersion",
        "GetRole",
        "GetRolePolicy",
        "GetServiceLinkedRoleDeletionStatus",
        "GetUser",
        "GetUserPolicy",
        "ListAccessKeys",
        "ListAccountAliases",
        "ListAttachedGroupPolicies",
        "ListAttachedRolePolicies",
        "ListAttachedUserPolicies",
        "ListEntitiesForPolicy",
        "ListGroupPolicies",
        "ListGroups",
        "ListGroupsForUser",
        "ListInstanceProfileTags",
        "ListInstanceProfiles",
        "ListInstanceProfilesForRole",
        "ListPolicies",
        "ListPolicyTags",
        "ListPolicyVersions",
        "ListRolePolicies",
        "ListRoleTags",
        "ListRoles",
        "ListUserPolicies",
        "ListUserTags",
        "ListUsers",
        "PutGroupPolicy",
        "PutRolePermissionsBoundary",
        "PutRolePolicy",
        "PutUserPermissionsBoundary",
        "PutUserPolicy",
        "RemoveRoleFromInstanceProfile",
        "RemoveUserFromGroup",
        "SetDefaultPolicyVersion",
        "SimulateCustomPolicy",
        "SimulatePrincipalPolicy",
        "TagInstanceProfile",
        "TagPolicy",
        "TagRole",
        "TagUser",
        "UntagInstanceProfile",
        "UntagPolicy",
        "UntagRole",
        "UntagUser",
        "UpdateAccessKey",
        "UpdateAssumeRolePolicy",
        "UpdateGroup",
        "UpdateRole",
        "UpdateRoleDescription",
        "UpdateUser",
    ),
    "cloudtrail": ("LookupEvents",),
    "cloudwatch": (
        "DeleteAlarms",
        "DeleteDashboards",
        "DescribeAlarmHistory",
        "DescribeAlarms",
        "DescribeAlarmsForMetric",
        "DisableAlarmActions",
        "EnableAlarmActions",
        "GetDashboard",
        "GetMetricData",
        "GetMetricStatistics",
        "ListDashboards",
        "ListMetrics",
        "ListTagsForResource",
        "PutCompositeAlarm",
        "PutDashboard",
        "PutMetricAlarm",
        "PutMetricData",
        "SetAlarmState",
        "TagResource",
        "UntagResource",
    ),
    "lambda": (
        "AddLayerVersionPermission",
        "AddPermission",
        "CreateAlias",
        "CreateEventSourceMapping",
        "CreateFunction",
        "CreateFunctionUrlConfig",
        "DeleteAlias",
        "DeleteEventSourceMapping",
        "DeleteFunction",
        "DeleteFunctionConcurrency",
        "DeleteFunctionEventInvokeConfig",
        "DeleteFunctionUrlConfig",
        "DeleteLayerVersion",
        "DeleteProvisionedConcurrencyConfig",
        "DeleteResourcePolicy",
        "GetAccountSettings",
        "GetAlias",
        "GetEventSourceMapping",
        "GetFunction",
        "GetFunctionCodeSigningConfig",
        "GetFunctionConcurrency",
        "GetFunctionConfiguration",
        "GetFunctionEventInvokeConfig",
        "GetFunctionRecursionConfig",
        "GetFunctionUrlConfig",
        "GetLayerVersion",
        "GetLayerVersionByArn",
        "GetLayerVersionPolicy",
        "GetPolicy",
        "GetProvisionedConcurrencyConfig",
        "GetResourcePolicy",
        "GetRuntimeManagementConfig",
        "Invoke",
        "InvokeAsync",
        "InvokeWithResponseStream",
        "ListAliases",
        "ListEventSourceMappings",
        "ListFunctionEventInvokeConfigs",
        "ListFunctionUrlConfigs",
        "ListFunctions",
        "ListLayerVersions",
        "ListLayers",
        "ListProvisionedConcurrencyConfigs",
        "ListTags",
        "ListVersionsByFunction",
        "PublishLayerVersion",
        "PublishVersion",
        "PutFunctionConcurrency",
        "PutFunctionEventInvokeConfig",
        "PutFunctionRecursionConfig",
        "PutProvisionedConcurrencyConfig",
        "PutResourcePolicy",
        "PutRuntimeManagementConfig",
        "RemoveLayerVersionPermission",
        "RemovePermission",
        "TagResource",
        "UntagResource",
        "UpdateAlias",
        "UpdateEventSourceMapping",
        "UpdateFunctionCode",
        "UpdateFunctionConfiguration",
        "UpdateFunctionEventInvokeConfig",
        "UpdateFunctionUrlConfig",
    ),
    "logs": (
        "AssociateKmsKey",
        "CreateLogGroup",
        "CreateLogStream",
        "DeleteLogGroup",
        "DeleteLogStream",
        "DeleteMetricFilter",
        "DeleteQueryDefinition",
        "DeleteResourcePolicy",
        "DeleteRetentionPolicy",
        "DeleteSubscriptionFilter",
        "DescribeLogGroups",
        "DescribeLogStreams",
        "DescribeMetricFilters",
        "DescribeQueries",
        "DescribeQueryDefinitions",
        "DescribeResourcePolicies",
        "DescribeSubscriptionFilters",
        "DisassociateKmsKey",
        "FilterLogEvents",
        "GetLogEvents",
        "GetLogGroupFields",
        "GetLogRecord",
        "GetQueryResults",
        "ListLogGroups",
        "ListTagsForResource",
        "ListTagsLogGroup",
        "PutLogEvents",
        "PutLogGroupDeletionProtection",
        "PutMetricFilter",
        "PutQueryDefinition",
        "PutResourcePolicy",
        "PutRetentionPolicy",
        "PutSubscriptionFilter",
        "StartLiveTail",
        "StartQuery",
        "StopQuery",
        "TagLogGroup",
        "TagResource",
        "TestMetricFilter",
        "UntagLogGroup",
        "UntagResource",
    ),
    "sqs": (
        "AddPermission",
        "CancelMessageMoveTask",
        "ChangeMessageVisibility",
        "ChangeMessageVisibilityBatch",
        "CreateQueue",
        "DeleteMessage",
        "DeleteMessageBatch",
        "DeleteQueue",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "ListMessageMoveTasks",
        "ListQueueTags",
        "ListQueues",
        "PurgeQueue",
        "ReceiveMessage",
        "RemovePermission",
        "SendMessage",
        "SendMessageBatch",
        "SetQueueAttributes",
        "StartMessageMoveTask",
        "TagQueue",
        "UntagQueue",
    ),
    "sts": ("AssumeRole", "GetAccessKeyInfo", "GetCallerIdentity", "GetSessionToken"),
    "xray": (
        "BatchGetTraces",
        "CreateGroup",
        "CreateSamplingRule",
        "DeleteGroup",
        "DeleteSamplingRule",
        "GetEncryptionConfig",
        "GetGroup",
        "GetGroups",
        "GetInsightSummaries",
        "GetSamplingRules",
        "GetSamplingStatisticSummaries",
        "GetSamplingTargets",
        "GetServiceGraph",
        "GetTimeSeriesServiceStatistics",
        "GetTraceGraph",
        "GetTraceSegmentDestination",
        "GetTraceSummaries",
        "ListTagsForResource",
        "PutEncryptionConfig",
        "PutTelemetryRecords",
        "PutTraceSegments",
        "TagResource",
        "UntagResource",
        "UpdateGroup",
        "UpdateSamplingRule",
    ),
}
"""The operations whose shapes are written, by service model."""

MODULES = {
    "apigatewayv2": "apigatewayv2",
    "cloudtrail": "cloudtrail",
    "cloudwatch": "monitoring",
    "iam": "iam",
    "lambda": "lambda_",
    "logs": "logs",
    "sqs": "sqs",
    "sts": "sts",
    "xray": "xray",
}
"""Service model to the module named after it; `lambda` is a word of Python."""

STATUSES = {("logs", "ServiceUnavailableException"): 503}
"""Statuses that a model of a JSON protocol does not say."""
# Documented: Amazon CloudWatch Logs API reference, common and per-operation errors.

SCALARS = {
    "string": "str",
    "character": "str",
    "integer": "int",
    "long": "int",
    "float": "float",
    "double": "float",
    "boolean": "bool",
    "blob": "bytes",
    "timestamp": "datetime",
}
"""Shape type to the type of its parsed value."""

NOTICE = "Written by tools/generate.py from botocore's service model. Do not edit."


def write_shapes(model: ServiceModel, operations: tuple[str, ...]) -> str:
    """Write a TypedDict for each structure that the operations read or answer."""
    inputs: dict[str, Shape] = {}
    outputs: dict[str, Shape] = {}
    for name in operations:
        operation = model.operations[name]
        for shape, found in ((operation.input, inputs), (operation.output, outputs)):
            if shape is not None:
                _gather(shape, found)
    classes = [
        _typed_dict(shape, is_checked=name in inputs, is_output=name not in inputs)
        for name, shape in sorted({**outputs, **inputs}.items())
    ]
    body = textwrap.indent("\n\n".join(classes), "    ")
    imports = []
    if "AsyncIterator" in body:
        imports.append("    from collections.abc import AsyncIterator")
    if "datetime" in body:
        imports.append("    from datetime import datetime")
    imports.append(f"    from typing import {'Required, ' if 'Required[' in body else ''}TypedDict")
    head = (
        f'"""\nStructures of the `{model.name}` service model that this version reads or answers.\n\n'
        "Members that an input must have are `Required`: the validator has seen them before a handler does.\n"
        "For who checks types: while the server runs each name stands for `dict`, which saves it some MiB.\n"
        f'{NOTICE}\n"""\n\nfrom __future__ import annotations\n\nfrom typing import TYPE_CHECKING\n\n'
        "if TYPE_CHECKING:\n"
    )
    tail = (
        "\n\nelse:\n\n    def __getattr__(name):\n"
        '        if name.startswith("__"):\n            raise AttributeError(name)\n        return dict\n'
    )
    return head + "\n".join(imports) + "\n\n" + body + tail


def _gather(shape: Shape, found: dict[str, Shape]) -> None:
    """Add the structures that `shape` is or holds."""
    if shape.type == "structure":
        if shape.name not in found:
            found[shape.name] = shape
            for member in shape.members.values():
                _gather(member, found)
    elif shape.type == "list":
        _gather(shape.item, found)
    elif shape.type == "map":
        _gather(shape.value, found)


def _typed_dict(shape: Shape, *, is_checked: bool, is_output: bool) -> str:
    lines = [f"class {shape.name}(TypedDict, total=False):"]
    for name, member in shape.members.items():
        written = _annotation(member)
        if is_output and member.traits.get("eventstream"):
            written = f"AsyncIterator[{written}]"
        lines.append(f"    {name}: {f'Required[{written}]' if is_checked and name in shape.required else written}")
    if len(lines) == 1:
        lines.append("    pass")
    return "\n".join(lines)


def _annotation(shape: Shape) -> str:
    if shape.type == "structure":
        return shape.name
    if shape.type == "list":
        return f"list[{_annotation(shape.item)}]"
    if shape.type == "map":
        return f"dict[str, {_annotation(shape.value)}]"
    return SCALARS[shape.type]


def write_errors(model: ServiceModel) -> str:
    """Write a class for each error shape."""
    classes = "\n\n\n".join(_error_class(model, name, shape) for name, shape in sorted(model.errors.items()))
    return (
        f'"""\nOne class per error shape of the `{model.name}` service model.\n\n{NOTICE}\n"""\n\n'
        "from typing import ClassVar, Literal\n\nfrom lambent.errors.families import ApiError\n\n\n"
        f"{classes}\n"
    )


def _error_class(model: ServiceModel, name: str, shape: Shape) -> str:
    trait = shape.traits.get("error", {})
    fault = 500 if shape.traits.get("fault") else 400
    status = STATUSES.get((model.name, name), trait.get("httpStatusCode", fault))
    fields = [member for member in shape.members if member not in ("Message", "message", "Type")]
    named = f"Fields: {', '.join(fields)}." if fields else "No fields."
    return "\n".join(
        (
            f"class {name}(ApiError):",
            f'    """Status {status}. {named}"""',
            "",
            f'    code: ClassVar[str] = "{name}"',
            f"    status: ClassVar[int] = {status}",
            f'    message_key: ClassVar[Literal["message", "Message"]] = "{_message_key(shape)}"',
            f"    has_type: ClassVar[bool] = {'Type' in shape.members}",
        )
    )


def _message_key(shape: Shape) -> str:
    """Return what the text of an error is called on the wire: clients in typed languages read nothing else."""
    member = "Message" if "Message" in shape.members else "message"
    return shape.members[member].wire_name(member) if member in shape.members else member


def generated_files() -> Iterator[tuple[Path, str]]:
    """Yield every generated file with the text that it should have."""
    for service, operations in OPERATIONS.items():
        model = ServiceModel(service)
        module = f"{MODULES[service]}.py"
        yield ROOT / "src/lambent/protocol/shapes" / module, write_shapes(model, operations)
        yield ROOT / "src/lambent/errors/api" / module, write_errors(model)


def stale_files() -> list[Path]:
    """Return the generated files that are missing or differ from what would be written."""
    return [path for path, text in generated_files() if not path.is_file() or path.read_text() != text]


def main(arguments: list[str]) -> int:
    """Write the files or, with `--check`, name those that are stale."""
    if arguments not in ([], ["--check"]):
        print(__doc__)
        return 2
    if arguments:
        stale = stale_files()
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: run python tools/generate.py")
        return 1 if stale else 0
    for path, text in generated_files():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
