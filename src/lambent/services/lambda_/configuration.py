"""From the members of create and update requests to a Configuration, with every check that the model cannot say."""

import platform
from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.environment_variables import check_environment
from lambent.domain.function import Configuration, FunctionName
from lambent.domain.function_limits import check_ephemeral_storage, check_memory, check_timeout
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.runtimes.contract import Runtimes
from lambent.services.lambda_.inert import merge_inert, take_inert

_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}

_SNAP_START_TMP_MIB = 512


def machine_architecture() -> str:
    """Return this machine's architecture in AWS's words."""
    return _MACHINES.get(platform.machine().lower(), "x86_64")


class ConfigurationRules(msgspec.Struct, frozen=True):
    """
    Checks requests and builds configurations.

    Args:
        accept_inert: store settings that do not act instead of refusing them.
    """

    quotas: Quotas
    runtimes: Runtimes
    accept_inert: bool

    def create(self, name: FunctionName, request: Mapping[str, Any]) -> Configuration:
        """
        Build a new function's configuration.

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
        )
        return self.update(name, base, request)

    def update(self, name: FunctionName, before: Configuration, request: Mapping[str, Any]) -> Configuration:
        """
        Return `before` with the members that the request holds. Absent members stay.

        Raises:
            InvalidParameterValueException, ValidationException: a setting cannot be used.
        """
        changes: dict[str, Any] = {}
        if "Runtime" in request:
            self._check_runtime(request["Runtime"])
            changes["runtime"] = request["Runtime"]
        for member, attribute in (("Handler", "handler"), ("Role", "role"), ("Description", "description")):
            if member in request:
                changes[attribute] = request[member]
        if "Timeout" in request:
            check_timeout(request["Timeout"], self.quotas)
            changes["timeout_s"] = request["Timeout"]
        if "MemorySize" in request:
            check_memory(request["MemorySize"], self.quotas)
            changes["memory_mib"] = request["MemorySize"]
        if "EphemeralStorage" in request:
            check_ephemeral_storage(request["EphemeralStorage"]["Size"], self.quotas)
            changes["tmp_mib"] = request["EphemeralStorage"]["Size"]
        if "Environment" in request:
            variables = dict(request["Environment"].get("Variables") or {})
            check_environment(variables, self.quotas)
            changes["environment"] = variables
        if "SnapStart" in request:
            changes["snap_start"] = request["SnapStart"].get("ApplyOn", "None") == "PublishedVersions"
        taken = take_inert(request, accept=self.accept_inert, function_name=name)
        changes["inert"] = merge_inert(before.inert, taken)
        group = (request.get("LoggingConfig") or {}).get("LogGroup")
        if group:
            changes["log_group"] = group
        after = msgspec.structs.replace(before, **changes)
        if after.snap_start and after.tmp_mib > _SNAP_START_TMP_MIB:
            # Documented: Lambda developer guide, SnapStart limitations. Assumed: no recorded text.
            raise InvalidParameterValueException(
                f"SnapStart is not supported with ephemeral storage greater than {_SNAP_START_TMP_MIB} MB."
            )
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
