"""Functions and their versions."""

import enum
from collections.abc import Mapping
from typing import Any, NewType

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.layer import AttachedLayer

FunctionName = NewType("FunctionName", str)
"""A bare function name: 1 to 64 characters of `[a-zA-Z0-9-_]`. Made by `arn.parse_function_reference`."""

LATEST = "$LATEST"


class State(enum.StrEnum):
    """Where a function version stands in its life. Source: Lambda developer guide, function states."""

    PENDING = "Pending"
    """Being prepared: the runtime's client is installed, the package unpacked. Not invocable."""
    ACTIVE = "Active"
    """Invocable."""
    FAILED = "Failed"
    """Preparation failed; `state_reason` says why. Not invocable."""


class UpdateStatus(enum.StrEnum):
    """How the last update of code or configuration went."""

    IN_PROGRESS = "InProgress"
    """The new code is being prepared; the old one keeps serving."""
    SUCCESSFUL = "Successful"
    """The stored configuration serves."""
    FAILED = "Failed"
    """Preparation failed; the old one keeps serving."""


class Code(msgspec.Struct, frozen=True):
    """A deployment package by content."""

    sha256: str
    """64 hexadecimal digits of the zip exactly as uploaded; the key of the blob."""
    size_bytes: int


class Logging(msgspec.Struct, frozen=True):
    """How a version logs. The levels are None with the format Text, and set with JSON."""

    is_json: bool = False
    application_level: str | None = None
    """TRACE, DEBUG, INFO, WARN, ERROR or FATAL: what the function may log at least."""
    system_level: str | None = None
    """DEBUG, INFO or WARN: which of the platform's own lines are kept."""


class Vpc(msgspec.Struct, frozen=True):
    """What a version was told of a VPC. Echoed: where functions may go, the server's settings say."""

    subnet_ids: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    ipv6_allowed: bool = False


class FileSystem(msgspec.Struct, frozen=True):
    """A directory of this machine that a version sees under a path."""

    arn: str
    """By which the operator offers the directory."""
    mount_path: str
    """`/mnt/<name>`."""


class Configuration(msgspec.Struct, frozen=True):
    """What a version is configured with. Only settings that act; `inert` holds what `--accept-inert` let in."""

    runtime: str
    handler: str
    role: str
    description: str = ""
    timeout_s: int = 3
    memory_mib: int = 128
    tmp_mib: int = 512
    """The size of /tmp, EphemeralStorage."""
    environment: Mapping[str, str] | None = None
    """None when the request never had an Environment; an empty mapping when it was given empty."""
    architectures: tuple[str, ...] = ("x86_64",)
    log_group: str = ""
    """Name of the CloudWatch log group that the version writes to."""
    snap_start: bool = False
    """SnapStart for published versions: their init runs when they are published, and is kept."""
    layers: tuple[AttachedLayer, ...] = ()
    """In the order of merging: later ones overwrite."""
    logging: Logging = Logging()
    kms_key_arn: str = ""
    """Echoed: a key that lies beside the data protects nothing."""
    vpc: Vpc | None = None
    """None when the request never had a VpcConfig; one without members when it was taken away again."""
    file_systems: tuple[FileSystem, ...] = ()
    is_tenant_isolated: bool = False
    """Whether each tenant gets environments of its own, and every invocation must say for which it is."""
    dead_letter_arn: str = ""
    """The queue that gets asynchronous events which were given up; empty without one."""
    tracing: str = "PassThrough"
    """`Active`: of what nobody has decided about a part is traced. `PassThrough`: only what the caller wants traced."""
    inert: Mapping[str, Any] = {}
    """Wire members that were stored without acting, by wire name."""

    @property
    def is_traced(self) -> bool:
        """Whether the version decides by itself what of it is traced."""
        # Of a function that an earlier version stored it for without acting.
        return self.tracing == "Active" or bool(self.inert and self.inert.get("TracingConfig"))


class Deployment(msgspec.Struct, frozen=True):
    """
    What an execution environment is made of: one version's code and configuration at one moment.

    Two deployments with the same `deployment_id` are the same in every respect.
    """

    scope: Scope
    name: FunctionName
    version: str
    """`$LATEST` or decimal digits."""
    deployment_id: str
    """UUID, new whenever code, configuration or egress change: environments of an older one retire."""
    configuration: Configuration
    code: Code
    egress: bool = True
    """Whether the function may reach the internet, where the server lets functions do so at all."""
    tenant: str | None = None
    """For whom alone environments of this deployment run; None where the function does not tell tenants apart."""

    @property
    def is_snap_started(self) -> bool:
        """Whether it is of a published version whose init is kept."""
        return self.configuration.snap_start and self.version != LATEST

    @property
    def of_all_tenants(self) -> str:
        """The `deployment_id` that it has without a tenant."""
        return self.deployment_id.partition("/")[0]

    def for_tenant(self, tenant: str) -> "Deployment":
        """Return the same for one tenant: another deployment, so that none of its environments is shared."""
        return msgspec.structs.replace(self, tenant=tenant, deployment_id=f"{self.deployment_id}/{tenant}")


class FunctionVersion(msgspec.Struct, frozen=True):
    """
    One version of a function: `$LATEST` or a published, immutable one.

    While `last_update_status` is InProgress, `configuration` and `code` are what was asked for and
    `serving` is what still answers invocations.
    """

    scope: Scope
    name: FunctionName
    version: str
    """`$LATEST` or decimal digits."""
    function_id: str
    """A UUID that a function keeps from creation to deletion; a recreated function has another."""
    configuration: Configuration
    code: Code
    revision_id: str
    """UUID, new at every change."""
    last_modified: float
    """Seconds since the epoch."""
    state: State = State.PENDING
    state_reason: str | None = None
    state_reason_code: str | None = None
    last_update_status: UpdateStatus | None = None
    """None while the first preparation runs."""
    last_update_status_reason: str | None = None
    last_update_status_reason_code: str | None = None
    deployment_id: str = ""
    """UUID, new whenever code, configuration or egress change."""
    egress: bool = True
    """False when the function's tags close the internet for it. All versions of a function agree."""
    update_runtime_on: str = "Auto"
    """Runtime management: Auto, FunctionUpdate or Manual."""
    runtime_version_arn: str | None = None
    """The runtime version that Manual asked for."""
    serving: Deployment | None = None
    """What answers invocations instead, while an update is in progress or after it failed."""
    is_weighted: bool = False
    """Whether an alias's weights led here. Said of the answer to one question, and never stored."""

    @property
    def is_snap_started(self) -> bool:
        """Whether it is a published version whose init is kept."""
        return self.configuration.snap_start and self.version != LATEST

    def deployment(self) -> Deployment:
        """Return what answers invocations now."""
        return self.serving or Deployment(
            scope=self.scope,
            name=self.name,
            version=self.version,
            deployment_id=self.deployment_id,
            configuration=self.configuration,
            code=self.code,
            egress=self.egress,
        )


class PublishedContent(msgspec.Struct, frozen=True):
    """A published version's number, and `$LATEST` as it stood when it was published."""

    version: str
    configuration: Configuration
    code_sha256: str


class Function(msgspec.Struct, frozen=True):
    """What belongs to a function as a whole, over all its versions."""

    scope: Scope
    name: FunctionName
    function_id: str
    next_version: int = 1
    """The number that the next published version gets; never reused."""
    tags: Mapping[str, str] = {}
    reserved_executions: int | None = None
    """Reserved concurrency, shared by all versions: at least 0; None when nothing is reserved."""
    may_recurse: bool = False
    """Whether a chain of invocations may come back to it without end."""
    last_published: PublishedContent | None = None
    """What the newest published version was made of: publishing the same again makes no new one."""
