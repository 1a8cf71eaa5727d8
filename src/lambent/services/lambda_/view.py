"""How a function version looks on the wire."""

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec

from lambent.domain.arn import function_arn, runtime_version_arn
from lambent.domain.function import Configuration, FunctionVersion, State
from lambent.services.lambda_.inert import inert_view


def function_configuration(version: FunctionVersion, qualifier: str | None) -> dict[str, Any]:
    """
    Return a version as FunctionConfiguration, with every member that an unconfigured function shows.

    Args:
        version: what is shown.
        qualifier: how the ARN is to be qualified; None leaves it unqualified.

    Source: Lambda API reference, FunctionConfiguration; recorded answers for which members are absent when.
    """
    shown = list_item(version, qualifier)
    shown["State"] = version.state.value
    if version.state_reason is not None:
        shown["StateReason"] = version.state_reason
        shown["StateReasonCode"] = version.state_reason_code
    if version.last_update_status is not None:
        shown["LastUpdateStatus"] = version.last_update_status.value
    if version.last_update_status_reason is not None:
        shown["LastUpdateStatusReason"] = version.last_update_status_reason
        shown["LastUpdateStatusReasonCode"] = version.last_update_status_reason_code
    arn = runtime_version_arn(version.scope.region, version.configuration.runtime)
    shown["RuntimeVersionConfig"] = {"RuntimeVersionArn": arn}
    return shown


def list_item(version: FunctionVersion, qualifier: str | None) -> dict[str, Any]:
    """Return a version as lists show it: without states and runtime version. Observed: recorded list answers."""
    configuration = version.configuration
    shown: dict[str, Any] = {
        "FunctionName": version.name,
        "FunctionArn": function_arn(version.scope, version.name, qualifier),
        "Runtime": configuration.runtime,
        "Role": configuration.role,
        "Handler": configuration.handler,
        "CodeSize": version.code.size_bytes,
        "Description": configuration.description,
        "Timeout": configuration.timeout_s,
        "MemorySize": configuration.memory_mib,
        "LastModified": format_date(version.last_modified),
        "CodeSha256": base64.b64encode(bytes.fromhex(version.code.sha256)).decode(),
        "Version": version.version,
        "TracingConfig": {"Mode": "Active" if configuration.is_traced else "PassThrough"},
        "RevisionId": version.revision_id,
        "PackageType": "Zip",
        "Architectures": list(configuration.architectures),
        "EphemeralStorage": {"Size": configuration.tmp_mib},
        "SnapStart": {
            "ApplyOn": "PublishedVersions" if configuration.snap_start else "None",
            "OptimizationStatus": "On" if version.is_snap_started and version.state is State.ACTIVE else "Off",
        },
        "LoggingConfig": _logging(configuration),
        "ConfigSha256": _configuration_sha256(configuration),
    }
    if configuration.environment is not None:
        shown["Environment"] = {"Variables": dict(configuration.environment)}
    if configuration.layers:
        shown["Layers"] = [{"Arn": layer.arn, "CodeSize": layer.size_bytes} for layer in configuration.layers]
    if configuration.kms_key_arn:
        shown["KMSKeyArn"] = configuration.kms_key_arn
    if configuration.vpc is not None:
        shown["VpcConfig"] = {
            "SubnetIds": list(configuration.vpc.subnet_ids),
            "SecurityGroupIds": list(configuration.vpc.security_group_ids),
            # Observed: empty when a VPC was taken away again. There is none to name here.
            "VpcId": "",
            "Ipv6AllowedForDualStack": configuration.vpc.ipv6_allowed,
        }
    if configuration.file_systems:
        shown["FileSystemConfigs"] = [
            {"Arn": file_system.arn, "LocalMountPath": file_system.mount_path}
            for file_system in configuration.file_systems
        ]
    if configuration.is_tenant_isolated:
        shown["TenancyConfig"] = {"TenantIsolationMode": "PER_TENANT"}
    if configuration.dead_letter_arn:
        shown["DeadLetterConfig"] = {"TargetArn": configuration.dead_letter_arn}
    shown.update(inert_view(configuration.inert))
    return shown


def _logging(configuration: Configuration) -> dict[str, Any]:
    logging = configuration.logging
    if not logging.is_json:
        return {"LogFormat": "Text", "LogGroup": configuration.log_group}
    return {
        "LogFormat": "JSON",
        "ApplicationLogLevel": logging.application_level,
        "SystemLogLevel": logging.system_level,
        "LogGroup": configuration.log_group,
    }


def format_date(seconds: float) -> str:
    """Return the date form of FunctionConfiguration.LastModified. Observed: `2026-11-25T02:10:19.123+0000`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def _configuration_sha256(configuration: Configuration) -> str:
    # Assumed: the model says only that it is a hash of the configuration; ours is stable and changes with it.
    return base64.b64encode(hashlib.sha256(msgspec.json.encode(configuration, order="deterministic")).digest()).decode()
