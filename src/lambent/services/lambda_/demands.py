"""
What each operation of Lambda asks leave for.

Documented: service authorization reference, AWS Lambda: actions, resources and condition keys.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.access.authorize import PASS_ROLE, Demand
from lambent.access.conditions import of_tag_keys, of_tags
from lambent.domain.arn import function_arn, parse_function_reference
from lambent.domain.caller import Caller, Scope
from lambent.domain.event_source_mapping import mapping_arn
from lambent.domain.layer import layer_arn, parse_layer_reference
from lambent.domain.policy import Value
from lambent.services.operation import Demands

INVOKE = "lambda:InvokeFunction"
SERVICE = "lambda.amazonaws.com"

_FUNCTION = (
    "CreateAlias DeleteAlias DeleteFunction DeleteFunctionConcurrency DeleteFunctionEventInvokeConfig "
    "DeleteProvisionedConcurrencyConfig GetAlias GetFunction GetFunctionCodeSigningConfig GetFunctionConcurrency "
    "GetFunctionConfiguration GetFunctionEventInvokeConfig GetFunctionRecursionConfig GetPolicy "
    "GetProvisionedConcurrencyConfig GetRuntimeManagementConfig ListAliases ListFunctionEventInvokeConfigs "
    "ListProvisionedConcurrencyConfigs ListVersionsByFunction PublishVersion PutFunctionConcurrency "
    "PutFunctionEventInvokeConfig PutFunctionRecursionConfig PutProvisionedConcurrencyConfig "
    "PutRuntimeManagementConfig UpdateAlias UpdateFunctionEventInvokeConfig"
)
"""Operations on the function that FunctionName and Qualifier name. Their action has the operation's name."""

_PERMISSIONS = "AddPermission RemovePermission"
_URLS = (
    "CreateFunctionUrlConfig DeleteFunctionUrlConfig GetFunctionUrlConfig ListFunctionUrlConfigs "
    "UpdateFunctionUrlConfig"
)
_POLICIES = "DeleteResourcePolicy GetResourcePolicy PutResourcePolicy"
_LAYER_VERSION = (
    "AddLayerVersionPermission DeleteLayerVersion GetLayerVersion GetLayerVersionPolicy RemoveLayerVersionPermission"
)
_ANYWHERE = "GetAccountSettings ListFunctions ListLayerVersions ListLayers"
"""Operations of which policies can name no resource."""


def function_demand(caller: Caller, action: str, request: Mapping[str, Any], **context: Value | None) -> Demand:
    """
    Return the demand of an action on the function that a request names, as it is qualified there.

    Args:
        context: condition keys without `lambda:`; those without a value are left out.
    """
    arn = requested_arn(caller.scope, request["FunctionName"], request.get("Qualifier"))
    return Demand(action, arn, context=_keys(context)) if context else Demand(action, arn)


def requested_arn(scope: Scope, name: str, qualifier: str | None = None) -> str:
    """Return the ARN of the function that a request names, in the account and region that it names, if it does."""
    # Nearly every request has a bare name.
    if ":" in name:
        try:
            reference = parse_function_reference(name)
        except ValueError:
            # The operation says what it thinks of it; no policy but one for `*` allows it.
            return "*"
        scope = Scope(reference.account or scope.account, reference.region or scope.region)
        name, qualifier = reference.name, reference.qualifier or qualifier
    return function_arn(scope, name, qualifier)


def pass_role(role: str, service: str, resource: str) -> Demand:
    """
    Return what hands a role to a service.

    Args:
        resource: what the role is for.

    Documented: IAM user guide, granting a user permissions to pass a role to an AWS service.
    """
    return Demand(PASS_ROLE, role, context={"iam:passedtoservice": service, "iam:associatedresourcearn": resource})


def _on_function(action: str) -> Demands:
    return lambda caller, request: (function_demand(caller, action, request),)


def _invoke(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    # Assumed: lambda:InvokedViaFunctionUrl is absent, not false, where it is not so (test_demands).
    return (Demand(INVOKE, requested_arn(caller.scope, request["FunctionName"], request.get("Qualifier"))),)


def _settings(request: Mapping[str, Any]) -> dict[str, Value]:
    """
    Return the keys of what a function is to be like. `lambda:VpcIds` is not known: there is no VPC to look subnets up
    in.
    """
    vpc = request.get("VpcConfig") or {}
    return _keys(
        {
            "Layer": tuple(request.get("Layers") or ()),
            "SubnetIds": tuple(vpc.get("SubnetIds") or ()),
            "SecurityGroupIds": tuple(vpc.get("SecurityGroupIds") or ()),
            "CodeSigningConfigArn": request.get("CodeSigningConfigArn"),
        }
    )


def _configure(action: str) -> Demands:
    def demands(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
        arn = requested_arn(caller.scope, request["FunctionName"])
        tags = of_tags(request.get("Tags") or {})
        found = [Demand(action, arn, context={**_settings(request), **tags})]
        if tags:
            # Assumed: as with other services, tags at creation need leave of their own (test_demands).
            found.append(Demand("lambda:TagResource", arn, context=tags))
        found += _of_code(request.get("Code"))
        if role := request.get("Role"):
            found.append(pass_role(role, SERVICE, arn))
        # Documented: Lambda developer guide, layers: whoever configures a function needs leave for each.
        found += [Demand("lambda:GetLayerVersion", layer) for layer in dict.fromkeys(request.get("Layers") or ())]
        return found

    return demands


def _of_code(code: Mapping[str, Any] | None) -> Sequence[Demand]:
    """
    Return what code that lies in a bucket asks for, whose text nobody gets this way who may not read it.

    Observed: field reports: "please make sure your request credentials have permission to GetObject".
    """
    bucket, key = (code or {}).get("S3Bucket"), (code or {}).get("S3Key")
    if code is None or not bucket or not key:
        return ()
    action = "s3:GetObjectVersion" if code.get("S3ObjectVersion") else "s3:GetObject"
    return (Demand(action, f"arn:aws:s3:::{bucket}/{key}"),)


def _update_code(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    return (function_demand(caller, "lambda:UpdateFunctionCode", request), *_of_code(request))


def _publish_layer(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    return *_layer("lambda:PublishLayerVersion")(caller, request), *_of_code(request.get("Content"))


def _permission(action: str) -> Demands:
    return lambda caller, request: (
        function_demand(
            caller,
            action,
            request,
            Principal=request.get("Principal"),
            FunctionUrlAuthType=request.get("FunctionUrlAuthType"),
        ),
    )


def _url(action: str) -> Demands:
    def demands(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
        arn = requested_arn(caller.scope, request["FunctionName"], request.get("Qualifier"))
        return (
            Demand(action, arn, context=_keys({"FunctionArn": arn, "FunctionUrlAuthType": request.get("AuthType")})),
        )

    return demands


def _mappings(action: str) -> Demands:
    def demands(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
        name, tags = request.get("FunctionName"), of_tags(request.get("Tags") or {})
        arn = requested_arn(caller.scope, name) if name else None
        found = [Demand(action, context={**_keys({"FunctionArn": arn}), **tags})]
        if tags:
            found.append(Demand("lambda:TagResource", mapping_arn(caller.scope, "*"), context=tags))
        return found

    return demands


def _mapping(action: str) -> Demands:
    def demands(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
        mapping = Demand(action, mapping_arn(caller.scope, request["UUID"]))
        if not request.get("FunctionName"):
            return (mapping,)
        # It needs leave for the mapping as it is, and as it is to be.
        arn = requested_arn(caller.scope, request["FunctionName"])
        return mapping, Demand(action, mapping.resource, context=_keys({"FunctionArn": arn}))

    return demands


def _policy(action: str) -> Demands:
    return lambda caller, request: (Demand(action, _as_arn(request["ResourceArn"])),)


def _tagged(action: str) -> Demands:
    def demands(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
        context = of_tags(request["Tags"]) if request.get("Tags") else of_tag_keys(request.get("TagKeys") or ())
        return (Demand(action, _as_arn(request["Resource"]), context=context),)

    return demands


def _layer(action: str) -> Demands:
    def demands(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
        number = request.get("VersionNumber")
        try:
            reference = parse_layer_reference(request["LayerName"])
        except ValueError:
            return (Demand(action),)
        scope = Scope(reference.account or caller.scope.account, reference.region or caller.scope.region)
        arn = layer_arn(scope, reference.name)
        return (Demand(action, arn if number is None else f"{arn}:{number}"),)

    return demands


def _layer_by_arn(_: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    return (Demand("lambda:GetLayerVersion", _as_arn(request["Arn"])),)


def _anywhere(action: str) -> Demands:
    return lambda _caller, _request: (Demand(action),)


def _as_arn(text: str) -> str:
    return text if text.startswith("arn:") else "*"


def _keys(context: Mapping[str, Value | None]) -> dict[str, Value]:
    return {f"lambda:{key.lower()}": value for key, value in context.items() if value}


def _each(operations: str, make: Callable[[str], Demands]) -> dict[str, Demands]:
    return {operation: make(f"lambda:{operation}") for operation in operations.split()}


DEMANDS: Mapping[str, Demands] = {
    **_each(_FUNCTION, _on_function),
    **_each("CreateFunction UpdateFunctionConfiguration", _configure),
    **_each(_PERMISSIONS, _permission),
    **_each(_URLS, _url),
    **_each(_POLICIES, _policy),
    **_each(_LAYER_VERSION, _layer),
    **_each("CreateEventSourceMapping ListEventSourceMappings", _mappings),
    **_each("DeleteEventSourceMapping GetEventSourceMapping UpdateEventSourceMapping", _mapping),
    **_each("ListTags TagResource UntagResource", _tagged),
    **_each(_ANYWHERE, _anywhere),
    "PublishLayerVersion": _publish_layer,
    "UpdateFunctionCode": _update_code,
    # Documented: service authorization reference: InvokeFunction is the action of both; GetLayerVersion of that by ARN.
    "Invoke": _invoke,
    "InvokeWithResponseStream": _invoke,
    # Observed: field reports of denials.
    "InvokeAsync": _invoke,
    "GetLayerVersionByArn": _layer_by_arn,
}
"""What each operation that is offered asks leave for."""
