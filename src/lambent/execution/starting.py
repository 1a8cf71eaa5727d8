"""What an environment starts with: package, runtime command, kind of parked environment, and the assignment."""

import functools
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lambent.access.function_credentials import EnvironmentCredentials
from lambent.domain.caller import Scope
from lambent.domain.function import Deployment, FunctionName
from lambent.domain.layer import layers_key
from lambent.errors.families import DependencyError
from lambent.execution.variables import credential_variables, function_variables
from lambent.runtimes.contract import LayersAt, RuntimeCommand, Runtimes
from lambent.sandbox.contract import Ahead, Assignment, Environment, ParkedKind, Sandbox, Zygote
from lambent.store.contract import Packages

_log = logging.getLogger("lambent.execution")

_NAMES_MAX = 10
"""Documented: Lambda quotas, extensions; more than that AWS does not start either."""


class StartPlan(msgspec.Struct, frozen=True):
    """All that a start needs and that is known before there is an environment."""

    kind: ParkedKind
    command: RuntimeCommand
    package: Path
    task_root: str
    layers: Path | None = None
    file_systems: tuple[tuple[str, str], ...] = ()


async def plan_start(
    deployment: Deployment,
    sandbox: Sandbox,
    runtimes: Runtimes,
    packages: Packages,
    file_systems: Mapping[str, str],
) -> StartPlan:
    """
    Fetch package, layers and runtime. Suspends only where one is not unpacked or the runtime not known yet.

    Args:
        file_systems: ARN to the directory that the operator offers for it.

    Raises:
        KeyError: there is no such package.
        InvalidEntrypoint: the package has nothing to start.
        RuntimeUnavailable: this machine cannot run the runtime.
        DependencyError: the package or a file system cannot be had.
    """
    configuration = deployment.configuration
    package = packages.folder_nowait(deployment.code.sha256)
    if package is None:
        try:
            package = await packages.folder(deployment.code.sha256)
        except KeyError:
            raise DependencyError("it is not stored any more", retryable=False) from None
    layers = None
    if configuration.layers:
        sha256s = layers_key(configuration.layers)
        try:
            layers = packages.layers_nowait(sha256s) or await packages.layers(sha256s)
        except KeyError:
            raise DependencyError("a layer is not stored any more", retryable=False) from None
        _warn_of_extensions(deployment.scope, deployment.name, layers)
    task_root = sandbox.task_root(package)
    command = await runtimes.command(
        configuration.runtime,
        configuration.handler,
        package,
        task_root,
        configuration.environment or {},
        None if layers is None else LayersAt(layers, sandbox.layers_root(layers)),
        memory_mib=configuration.memory_mib,
    )
    mounts = tuple((one.mount_path, _directory(one.arn, file_systems)) for one in configuration.file_systems)
    return StartPlan(_kind(deployment, command), command, package, task_root, layers, mounts)


@functools.lru_cache(maxsize=1024)
def _warn_of_extensions(scope: Scope, name: FunctionName, layers: Path) -> None:
    """Say once for a function and its layers what of them does nothing here: soon after they were attached."""
    try:
        with os.scandir(layers / "extensions") as listing:
            # Documented: Lambda developer guide, extensions API: each file there is started, folders are not.
            names = sorted(entry.name for entry in listing if not entry.is_dir())
    except OSError:
        return
    if names:
        more = "" if len(names) <= _NAMES_MAX else f" more={len(names) - _NAMES_MAX}"
        _log.warning("layer.extensions_not_started function=%s names=%r%s", name, names[:_NAMES_MAX], more)


def _directory(arn: str, file_systems: Mapping[str, str]) -> str:
    directory = file_systems.get(arn)
    if directory is None:
        raise DependencyError(f"file system {arn} is not offered any more: see --file-system", retryable=False)
    return directory


def _kind(deployment: Deployment, command: RuntimeCommand) -> ParkedKind:
    zygote, ahead = command.zygote, command.ahead
    return ParkedKind(
        owner=f"{deployment.scope.account}/{deployment.scope.region}",
        folders=command.folders,
        # Sandboxes and runtimes do not know each other; here the one's word becomes the other's.
        zygote=None if zygote is None else Zygote(zygote.argv, zygote.environ, zygote.preload),
        ahead=None if ahead is None else Ahead(ahead.argv, ahead.environ),
        egress=deployment.egress,
    )


def assignment(
    plan: StartPlan,
    deployment: Deployment,
    environment: Environment,
    credentials: EnvironmentCredentials,
    *,
    log_stream: str,
    endpoint: str,
    initialization_type: str,
) -> Assignment:
    """Return what makes a parked environment one of `deployment`."""
    configuration = deployment.configuration
    environ = function_variables(
        deployment,
        runtime_variables=plan.command.environ,
        runtime_reserved=plan.command.reserved,
        task_root=plan.task_root,
        runtime_api_address=environment.runtime_api_address,
        trace_address=environment.trace_address,
        log_stream=log_stream,
        endpoint=endpoint,
        credentials=credential_variables(credentials, environment.runtime_api_address, initialization_type),
        initialization_type=initialization_type,
    )
    return Assignment(
        argv=plan.command.argv,
        environ=environ,
        working_directory=plan.task_root,
        package=plan.package,
        layers=plan.layers,
        file_systems=plan.file_systems,
        memory_mib=configuration.memory_mib,
        tmp_mib=configuration.tmp_mib,
        in_zygote=plan.command.in_zygote and plan.kind.zygote is not None,
    )
