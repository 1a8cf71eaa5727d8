"""From the members of create and update requests to a Configuration, with every check that the model cannot say."""

import logging
import platform
from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.environment_variables import check_environment
from lambent.domain.function import Configuration, FileSystem, FunctionName, Logging, Vpc
from lambent.domain.function_limits import check_ephemeral_storage, check_memory, check_timeout
from lambent.domain.layer import AttachedLayer
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.runtimes.contract import Runtimes
from lambent.services.lambda_.dead_letters import dead_letter_arn
from lambent.services.lambda_.inert import merge_inert, take_inert

_log = logging.getLogger("lambent.services")

_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}

_SNAP_START_TMP_MIB = 512

_LEVEL = "INFO"
"""Documented: Lambda developer guide, log level filtering: the default of both levels with the format JSON."""


def machine_architecture() -> str:
    """Return this machine's architecture in AWS's words."""
    return _MACHINES.get(platform.machine().lower(), "x86_64")


class ConfigurationRules(msgspec.Struct, frozen=True):
    """
    Checks requests and builds configurations.

    Args:
        accept_inert: store settings that do not act instead of refusing them.
        file_systems: the ARNs of which the operator offers a directory.
    """

    quotas: Quotas
    runtimes: Runtimes
    accept_inert: bool
    file_systems: frozenset[str] = frozenset()

    def create(
        self, name: FunctionName, request: Mapping[str, Any], layers: tuple[AttachedLayer, ...] | None
    ) -> Configuration:
        """
        Build a new function's configuration.

        Args:
            layers: what the request's Layers name; None when it has none.

        Raises:
            InvalidParameterValueException, ValidationException: a setting cannot be used.
        """
        if request.get("PackageType", "Zip") != "Zip":
            raise InvalidParameterValueException("PackageType Image is not offered by this version of Lambent")
        if "Runtime" not in request or "Handler" not in request:
            # Assumed: widely reported text.
            raise InvalidParameterValueException(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages."
            )
        architectures = self.architectures(request.get("Architectures"))
        base = Configuration(
            runtime=request["Runtime"],
            handler=request["Handler"],
            role=request["Role"],
            architectures=architectures or (machine_architecture(),),
            log_group=f"/aws/lambda/{name}",
            # Documented: Lambda developer guide, tenant isolation: at creation only.
            is_tenant_isolated="TenancyConfig" in request,
        )
        made = self.update(name, base, request, layers)
        if made.environment is None and "Environment" in request:
            # Observed: given empty at creation it is shown empty (recorded, localstack test_function_lifecycle).
            return msgspec.structs.replace(made, environment={})
        return made

    def update(
        self,
        name: FunctionName,
        before: Configuration,
        request: Mapping[str, Any],
        layers: tuple[AttachedLayer, ...] | None,
    ) -> Configuration:
        """
        Return `before` with the members that the request holds. Absent members stay.

        Args:
            layers: what the request's Layers name; None when it has none.

        Raises:
            InvalidParameterValueException, ValidationException: a setting cannot be used.
        """
        changes: dict[str, Any] = {}
        if "Runtime" in request:
            self._check_runtime(request["Runtime"])
            changes["runtime"] = request["Runtime"]
        for member, attribute in (
            ("Handler", "handler"),
            ("Role", "role"),
            ("Description", "description"),
            ("KMSKeyArn", "kms_key_arn"),
        ):
            if member in request:
                changes[attribute] = request[member]
        if "\0" in request.get("Handler", ""):
            # Assumed: the model's pattern lets it pass. A process cannot be told: the handler is a variable to it.
            raise InvalidParameterValueException("Handler must not contain a null character.")
        if "Timeout" in request:
            check_timeout(request["Timeout"], self.quotas)
            changes["timeout_s"] = request["Timeout"]
        if "MemorySize" in request:
            check_memory(request["MemorySize"], self.quotas)
            changes["memory_mib"] = request["MemorySize"]
        if "EphemeralStorage" in request:
            check_ephemeral_storage(request["EphemeralStorage"]["Size"], self.quotas)
            changes["tmp_mib"] = request["EphemeralStorage"]["Size"]
        if "Variables" in request.get("Environment", {}):
            # Observed: an Environment without Variables changes nothing (go-to-k/cdkd#1161).
            variables = dict(request["Environment"]["Variables"])
            check_environment(variables, self.quotas)
            # Observed: a function without variables has no such member (floci-io/floci#2834). Assumed: nor has one
            # that lost them, or every plan of Terraform would want to remove an empty block.
            changes["environment"] = variables or None
        if "SnapStart" in request:
            changes["snap_start"] = request["SnapStart"].get("ApplyOn", "None") == "PublishedVersions"
        if layers is not None:
            changes["layers"] = layers
        if "VpcConfig" in request:
            changes["vpc"] = _vpc(name, before.vpc, request["VpcConfig"])
        if "FileSystemConfigs" in request:
            changes["file_systems"] = self._file_systems(request["FileSystemConfigs"])
        logging_config = request.get("LoggingConfig") or {}
        if logging_config:
            changes["logging"] = _logging(before.logging, logging_config)
        if logging_config.get("LogGroup"):
            changes["log_group"] = logging_config["LogGroup"]
        if "DeadLetterConfig" in request:
            changes["dead_letter_arn"] = dead_letter_arn(request["DeadLetterConfig"]) or ""
        taken = take_inert(request, accept=self.accept_inert, function_name=name)
        if "TracingConfig" in request:
            changes["tracing"] = request["TracingConfig"].get("Mode", "PassThrough")
            # What an earlier version stored of it says nothing any more.
            taken["TracingConfig"] = None
        changes["inert"] = merge_inert(before.inert, taken)
        after = msgspec.structs.replace(before, **changes)
        _check_snap_start(after)
        return after

    def architectures(self, wanted: list[str] | None) -> tuple[str, ...] | None:
        """
        Return the architectures asked for, None when none were.

        Raises:
            InvalidParameterValueException: not this machine's.
        """
        if not wanted:
            return None
        machine = machine_architecture()
        if wanted != [machine]:
            raise InvalidParameterValueException(
                f"Architectures {', '.join(wanted)} is not offered by this version of Lambent: "
                f"this machine is {machine}"
            )
        return (machine,)

    def _check_runtime(self, runtime: str) -> None:
        if not self.runtimes.is_known(runtime):
            known = ", ".join(self.runtimes.identifiers())
            # Observed: no quotes round the value, and not a ValidationException (recorded 2025-11).
            raise InvalidParameterValueException(
                f"Value {runtime} at 'runtime' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{known}] or be a valid ARN"
            )
        if not self.runtimes.is_offered(runtime):
            raise InvalidParameterValueException(f"Runtime {runtime} is not offered by this version of Lambent")

    def _file_systems(self, wanted: list[dict[str, Any]]) -> tuple[FileSystem, ...]:
        if any(item.get("S3FilesConfig") for item in wanted):
            raise InvalidParameterValueException("S3FilesConfig is not offered by this version of Lambent")
        found = tuple(FileSystem(item["Arn"], item["LocalMountPath"]) for item in wanted)
        for file_system in found:
            if file_system.arn not in self.file_systems:
                raise InvalidParameterValueException(
                    f"File system {file_system.arn} is not offered here: the operator names a directory for it with "
                    f"--file-system {file_system.arn}=<directory>"
                )
            if file_system.mount_path in {"/mnt/.", "/mnt/.."}:
                raise InvalidParameterValueException(f"LocalMountPath {file_system.mount_path} names no directory")
        return found


def _check_snap_start(configuration: Configuration) -> None:
    # Documented: Lambda developer guide, SnapStart limitations. Assumed: no recorded texts.
    if not configuration.snap_start:
        return
    if configuration.tmp_mib > _SNAP_START_TMP_MIB:
        raise InvalidParameterValueException(
            f"SnapStart is not supported with ephemeral storage greater than {_SNAP_START_TMP_MIB} MB."
        )
    if configuration.file_systems:
        raise InvalidParameterValueException("SnapStart is not supported with file systems.")
    if configuration.is_tenant_isolated:
        raise InvalidParameterValueException("SnapStart is not supported with tenant isolation.")


def _vpc(name: FunctionName, before: Vpc | None, wanted: Mapping[str, Any]) -> Vpc | None:
    old = before or Vpc()
    vpc = Vpc(
        subnet_ids=tuple(wanted.get("SubnetIds", old.subnet_ids)),
        security_group_ids=tuple(wanted.get("SecurityGroupIds", old.security_group_ids)),
        ipv6_allowed=bool(wanted.get("Ipv6AllowedForDualStack", old.ipv6_allowed)),
    )
    if vpc.subnet_ids or vpc.security_group_ids:
        _log.warning("function.vpc_is_echoed function=%s see=--egress", name)
    return None if before is None and vpc == Vpc() else vpc


def _logging(before: Logging, wanted: Mapping[str, Any]) -> Logging:
    """
    Merge a LoggingConfig into what holds.

    Observed: localstack tests/aws/services/lambda_/test_lambda_api.py (recorded): the text, INFO as default, and that
    going back to Text drops the levels.
    """
    log_format = wanted.get("LogFormat")
    is_json = before.is_json if log_format is None else log_format == "JSON"
    application, system = wanted.get("ApplicationLogLevel"), wanted.get("SystemLogLevel")
    if not is_json:
        if application or system:
            raise InvalidParameterValueException(
                'LogLevel is not supported when LogFormat is set to "Text". '
                'Remove LogLevel from your request or change the LogFormat to "JSON" and try again.'
            )
        return Logging()
    return Logging(
        is_json=True,
        application_level=application or before.application_level or _LEVEL,
        system_level=system or before.system_level or _LEVEL,
    )
