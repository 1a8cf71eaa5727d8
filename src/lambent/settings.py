"""
Every setting: type, unit, default, reason. The only reader of environment variables and TOML.

Precedence: command line, then `LAMBENT_<OPTION>`, then `lambent.toml` in the working directory (or the file
that `LAMBENT_CONFIG` names), then the default. `docs/settings.md` lists the same; a test compares the two.
"""

import dataclasses
import ipaddress
import os
import re
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambent.errors.families import SettingsError

_SERVICE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SERVER_URL = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?")
"""Without a path: what a request's own path is signed with has to be what the server sees."""
_URL_DOMAIN = re.compile(
    r"(?:https?://)?(?=[^:]{1,190}(?::|$))[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
    r"(?::[0-9]{1,5})?"
)
_PUBLIC_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_TABLES = frozenset({"neighbour"})
"""Lists that may be a table in the file."""
_OWN_SERVICES = frozenset({"apigatewayv2", "cloudtrail", "iam", "lambda", "logs", "monitoring", "sts", "xray"})


def _option(default: Any, help_text: str) -> Any:
    if callable(default):
        return field(default_factory=default, metadata={"help": help_text})
    return field(default=default, metadata={"help": help_text})


def default_data_dir() -> Path:
    """Return /var/lib/lambent for root, the XDG data home's `lambent` for others."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/lambent")
    home = os.environ.get("XDG_DATA_HOME")
    try:
        return (Path(home) if home else Path.home() / ".local" / "share") / "lambent"
    except RuntimeError:
        # A user without an entry in the password file and without HOME, as in some containers.
        return Path("lambent-data").absolute()


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """The HTTP edge."""

    host: str = _option(
        "127.0.0.1", "Address to listen on. Beyond loopback every request has to be signed, unless --insecure is given."
    )
    port: int = _option(4566, "Port to listen on; 0 picks a free one.")
    insecure: bool = _option(False, "Take any key beyond loopback, too: whoever reaches the port may then do anything.")
    tls: str = _option(
        "off",
        "off, or self-signed: HTTPS with a certificate that is made in the data folder and names localhost, the domain "
        "of function URLs and --host. For another certificate see --tls-cert.",
    )
    tls_cert: Path | None = _option(
        None, "Certificate in PEM to speak HTTPS with, those between it and its authority behind it."
    )
    tls_key: Path | None = _option(None, "The private key of --tls-cert, in PEM and not encrypted.")
    connections_max: int = _option(4096, "Open connections at once; one more gets 503.")
    requests_max: int = _option(
        2048,
        "Requests in flight at once; one more gets 429. A fourth of them may be for neighbours; one more of those gets "
        "503.",
    )
    client_silence_s: float = _option(
        75.0,
        "Seconds that a client may be silent between two requests, or in the midst of one, before its connection is "
        "closed; a body that comes at less than 1 KiB a second is not waited for longer either.",
    )
    client_head_s: float = _option(
        30.0, "Seconds that a client gets for a TLS handshake, and for line and headers of a request."
    )
    body_bytes_max: int = _option(536_870_912, "Bytes of request bodies in memory at once; beyond it 429.")
    shutdown_grace_s: float = _option(30.0, "Seconds that requests in flight get to finish when the server stops.")


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Where things are kept."""

    data_dir: Path = _option(default_data_dir, "Folder for functions, packages and logs. One server at a time uses it.")
    runtimes_dir: Path | None = _option(
        None, "Folder for the runtimes' clients; by default `runtimes` in the data folder. Servers may share one."
    )
    queue_events_max: int = _option(
        20_000_000, "Events and messages that wait in all queues together; beyond it new ones are refused."
    )


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """The walls, and how many environments stand at once."""

    sandbox: str = _option(
        "auto",
        "Sandbox driver: auto (the best that works here), namespace, rootless or process, which isolates nothing.",
    )
    egress: str = _option(
        "auto",
        "Way from functions, and from HTTP APIs to servers behind them, to the internet: nat, none, or auto (nat where "
        "this machine can do it).",
    )
    preload_boto3: bool = _option(
        False,
        "Load boto3 in zygotes: Python functions that use it start sooner, and all of them take more memory.",
    )
    allow_host: tuple[str, ...] = _option(
        (),
        "Ports of this machine that functions, and HTTP APIs, may reach, at host.lambent.internal; commas between "
        "several. Not the server's own.",
    )
    allow_net: tuple[str, ...] = _option(
        (), "Private networks that functions, and HTTP APIs, may reach, e.g. 10.0.0.0/8; commas between several."
    )
    file_system: tuple[str, ...] = _option(
        (),
        "Directories that functions may mount by FileSystemConfigs, as ARN=/directory; commas between several. "
        "Functions act there as the directory's owner, who must not be root. In a directory of root's, and on NFS, "
        "each environment is a user of its own: what they may write to has to be open to all (mode 1777).",
    )
    function_user: str = _option("nobody", "User that functions run as when the server runs as root.")
    environments_max: int = _option(
        1000,
        "Execution environments at once, as many as an account's concurrency; memory is what bounds them before. "
        "An invocation that needs one more waits a moment, then gets 429.",
    )
    environment_idle_s: float = _option(600.0, "Seconds that an idle execution environment is kept.")
    environment_age_s: float = _option(
        50_400.0, "Seconds after which an execution environment ends once it is free: 14 hours."
    )
    memory_reserve_mib: int = _option(
        256, "MiB of the machine's memory that stay free: an execution environment that would need them is not started."
    )
    parked_memory_mib: int = _option(
        128, "MiB that environments made ahead of cold starts may take together; 0 makes each when it is needed."
    )


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """What the APIs answer."""

    region: str = _option("us-east-1", "Region of requests whose credentials name none.")
    account: str = _option("000000000000", "Account of access keys that are not twelve digits.")
    url_domain: str = _option(
        "localhost",
        "Wildcard DNS name that function URLs are below, e.g. fn.example.com; https:// before it and a port behind it "
        "where clients come by another server. Without either: what this server speaks, and its port.",
    )
    accept_inert: bool = _option(
        False, "Store settings that this version does not act on instead of refusing them; each is logged as a warning."
    )
    sqs_receivers_max: int = _option(
        1024, "ReceiveMessage requests that wait for messages at once; one more is refused. Part of --requests-max."
    )
    sqs_purge_wait_s: float = _option(60.0, "Seconds after PurgeQueue in which the queue cannot be purged again.")
    sqs_recreate_wait_s: float = _option(
        0.0, "Seconds after DeleteQueue in which no queue of the same name can be made; AWS has 60."
    )
    concurrent_executions: int = _option(
        1000, "Invocations at once for each account and region, as in GetAccountSettings; one more gets 429."
    )
    async_invocations_max: int = _option(
        250, "Asynchronous invocations that run at once, over all functions; what is left is for synchronous ones."
    )
    event_source_batches_max: int = _option(
        250,
        "Batches of event source mappings that run at once, so many of queues and so many of streams; a mapping of a "
        "queue fills three fourths of what the others leave.",
    )
    async_time_scale: float = _option(
        1.0,
        "Factor on the times of asynchronous invocations: 1 and 2 minutes before retries, the backoff from 1 second to "
        "5 minutes, MaximumEventAgeInSeconds. 1 is as on AWS; less makes tests short.",
    )
    runtime_fallback: str = _option(
        "none",
        "What to do for a version of a language that is not on this machine: none (the function fails) or nearest.",
    )


@dataclass(frozen=True, kw_only=True)
class AccessSettings:
    """Who may do what."""

    auth: str = _option(
        "auto",
        "required: every request has to be signed with a key of this server; auto: so where it listens beyond "
        "loopback, while on loopback any key is taken.",
    )
    iam: str = _option(
        "auto",
        "What policies do: off (a key may do everything in its account), audit (the same, and the log says what would "
        "have been denied), enforce, or auto (enforce where signatures are verified, else off).",
    )
    public_host: tuple[str, ...] = _option(
        (),
        "Host names, with their port where it is not the scheme's own, by which clients reach a proxy that passes "
        "requests on under another name: signatures are verified with these, too. Where none are, a server on loopback "
        "answers to these besides the names of its machine. Commas between several.",
    )
    metrics_token_file: Path | None = _option(
        None,
        "File with the token, mode 0600, that opens /_lambent/metrics to a scraper which sends it as a bearer token, "
        "where signatures are verified.",
    )
    trail: str = _option(
        "management",
        "What the audit trail records: management (all calls but invocations, messages and the like), all, or off.",
    )
    trail_max_mib: int = _option(256, "MiB that the audit trail may take; its oldest files go first.")


@dataclass(frozen=True, kw_only=True)
class TelemetrySettings:
    """What is told of invocations: logs, metrics, traces."""

    log_retention_days: int = _option(
        0, "Days that events of new log groups are kept, one of PutRetentionPolicy's values; 0: for ever, as on AWS."
    )
    traces_max_mib: int = _option(1024, "MiB that traces may take; the oldest go first. None is kept beyond 30 days.")
    otlp_endpoint: str = _option(
        "",
        "URL of an OpenTelemetry collector (OTLP over HTTP), e.g. http://127.0.0.1:4318, that metrics and sampled "
        "traces are sent to; empty: none.",
    )
    otlp_headers_file: Path | None = _option(
        None, "File, mode 0600, with headers for the collector, a NAME: VALUE a line."
    )


@dataclass(frozen=True, kw_only=True)
class UsageSettings:
    """What functions used, and what that would have cost."""

    usage_records_days: int = _option(
        35, "Days that a record of each invocation is kept; its sums by the minute, hour and day stay longer."
    )
    usage_records_max_mib: int = _option(4096, "MiB that these records may take; the oldest go first.")
    price_file: Path | None = _option(
        None, "TOML file of prices in the place of the built-in list of AWS's; `lambent usage --prices` prints one."
    )
    machine_cost_per_hour: float = _option(
        0.0, "What this machine costs by the hour, in the currency of the prices; 0: nobody asks."
    )


@dataclass(frozen=True, kw_only=True)
class NeighbourSettings:
    """The other AWS services, which requests are passed on to."""

    neighbour: tuple[str, ...] = _option(
        (),
        "Servers of other AWS services, as NAME=URL, e.g. s3=http://127.0.0.1:9000; NAME=none offers none. May be "
        "repeated; a table in lambent.toml. Queues of sqs=URL are read by event source mappings; requests for SQS are "
        "answered here all the same. Without it s3, dynamodb, dynamodbstreams, kinesis, ssm, secretsmanager and "
        "kms are answered by an embedded stand-in for development.",
    )
    neighbour_credentials: Path | None = _option(
        None,
        "File of what requests to neighbours are signed with: a section for each, as in ~/.aws/credentials, mode 0600. "
        "A neighbour without a section gets requests as their callers signed them.",
    )
    s3_events_token_file: Path | None = _option(
        None,
        "File with the token, mode 0600, that opens /_lambent/s3/events to S3 servers that send events of their own; "
        "closed without it.",
    )
    embedded_max_mib: int = _option(
        1024, "MiB that the embedded stand-in keeps in all; beyond it writes get 503 SlowDown."
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, by section. Options are flat: their names are unique over all sections."""

    server: ServerSettings = field(default_factory=ServerSettings)
    data: DataSettings = field(default_factory=DataSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    usage: UsageSettings = field(default_factory=UsageSettings)
    neighbours: NeighbourSettings = field(default_factory=NeighbourSettings)

    @property
    def verifies_signatures(self) -> bool:
        """Whether every request has to be signed with a key of this server."""
        return self.access.auth == "required" or not (self.is_on_loopback or self.server.insecure)

    @property
    def is_on_loopback(self) -> bool:
        """Whether only this machine reaches the server."""
        return _is_loopback(self.server.host)


@dataclass(frozen=True)
class Option:
    """One option as the command line, the environment and the documentation show it."""

    name: str
    """The field's name; `--data-dir` and `LAMBENT_DATA_DIR` follow from it."""
    section: str
    type: Any
    default: Any
    help: str

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "LAMBENT_" + self.name.upper()


def options() -> list[Option]:
    """Return every option in the order of the sections."""
    found = []
    for section in dataclasses.fields(Settings):
        section_class = typing.cast(Any, section.default_factory)
        types = typing.get_type_hints(section_class)
        for item in dataclasses.fields(section_class):
            has_default = item.default is not dataclasses.MISSING
            default = item.default if has_default else typing.cast(Any, item.default_factory)()
            found.append(Option(item.name, section.name, types[item.name], default, item.metadata["help"]))
    return found


def load_settings(given: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """
    Build the settings from the command line, the environment and the TOML file.

    Args:
        given: option name to value, only those given on the command line.
        environ: the process environment.

    Raises:
        SettingsError: a value that does not fit, or an unknown option in the file.
    """
    file_name, file_values = _read_file(environ)
    sections: dict[str, dict[str, Any]] = {}
    known = {option.name: option for option in options()}
    for name in file_values:
        if name not in known:
            raise SettingsError(f"{file_name}: there is no setting {name!r}; `lambent serve --help` lists them")
    for name, option in known.items():
        if name in given:
            value = _convert(option, given[name], option.flag)
        elif option.variable in environ:
            value = _convert(option, environ[option.variable], option.variable)
        elif name in file_values:
            value = _convert(option, file_values[name], f"{file_name}: {name}")
        else:
            value = option.default
        sections.setdefault(option.section, {})[name] = value
    settings = Settings(
        server=ServerSettings(**sections["server"]),
        data=DataSettings(**sections["data"]),
        sandbox=SandboxSettings(**sections["sandbox"]),
        api=ApiSettings(**sections["api"]),
        access=AccessSettings(**sections["access"]),
        telemetry=TelemetrySettings(**sections["telemetry"]),
        usage=UsageSettings(**sections["usage"]),
        neighbours=NeighbourSettings(**sections["neighbours"]),
    )
    _check(settings)
    return settings


def _read_file(environ: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return the TOML file's name and what it holds, by the settings' own names."""
    named = environ.get("LAMBENT_CONFIG")
    path = Path(named) if named else Path("lambent.toml")
    if not path.is_file():
        if named:
            raise SettingsError(f"LAMBENT_CONFIG: {named} is not a file")
        return str(path), {}
    try:
        with path.open("rb") as stream:
            values = tomllib.load(stream)
    except (OSError, ValueError) as error:
        # ValueError: broken TOML, and bytes that are no UTF-8.
        raise SettingsError(f"{path}: {' '.join(str(error).split())}") from error
    return str(path), {name.replace("-", "_"): value for name, value in values.items()}


def _convert(option: Option, value: Any, where: str) -> Any:
    wanted = option.type
    try:
        if wanted is bool:
            return _boolean(value)
        if wanted is int or wanted is float:
            # int() would cut a fraction off, and both take the booleans of TOML for numbers.
            if isinstance(value, bool) or (wanted is int and isinstance(value, float)):
                raise ValueError
            return wanted(value)
        if wanted is str:
            if not isinstance(value, str):
                raise ValueError
            return value
        if wanted == tuple[str, ...]:
            return _texts(value, takes_table=option.name in _TABLES)
        if not value:
            # The path of nothing is the working directory: hardly what an empty variable was meant to say.
            raise ValueError
        return Path(value).expanduser()
    except (TypeError, ValueError, RuntimeError):
        names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
        name = names.get(wanted, "a list" if wanted == tuple[str, ...] else "a path")
        raise SettingsError(f"{where}: {value!r} is not {name}") from None


def _texts(value: Any, *, takes_table: bool) -> tuple[str, ...]:
    """Return the items of a list: of TOML, of an option that is repeated, or of a text with commas; of a table k=v."""
    if takes_table and isinstance(value, dict):
        value = [f"{key}={item}" for key, item in value.items() if isinstance(item, str) or _refuse(item)]
    items = list(value) if isinstance(value, list | tuple) else [value]
    if any(isinstance(item, bool) or not isinstance(item, str | int) for item in items):
        raise ValueError(value)
    return tuple(part.strip() for item in items for part in str(item).split(",") if part.strip())


def _refuse(value: Any) -> bool:
    raise ValueError(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"1", "true", "yes", "on"}:
        return True
    if isinstance(value, str) and value.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # A name may resolve to anything, except this one.
        return host == "localhost"


def _check(settings: Settings) -> None:
    server, sandbox, api = settings.server, settings.sandbox, settings.api
    _check_tls(server)
    _check_access(settings.access)
    _check_telemetry(settings.telemetry)
    _check_usage(settings.usage)
    _check_range("--port", server.port, 0, 65535)
    _check_range("--connections-max", server.connections_max, 1, 1_000_000)
    _check_range("--requests-max", server.requests_max, 1, 1_000_000)
    _check_range("--client-silence-s", server.client_silence_s, 0.1, 3600)
    _check_range("--client-head-s", server.client_head_s, 0.1, 3600)
    _check_range("--body-bytes-max", server.body_bytes_max, 70_167_211, 1 << 40)
    _check_range("--shutdown-grace-s", server.shutdown_grace_s, 0, 3600)
    _check_range("--queue-events-max", settings.data.queue_events_max, 1, 1_000_000_000)
    _check_range("--environments-max", sandbox.environments_max, 1, 100_000)
    _check_range("--environment-idle-s", sandbox.environment_idle_s, 0.1, 86_400)
    # Assumed: AWS documents 14 hours for managed instances only; nobody has seen a longer life (test_pool).
    _check_range("--environment-age-s", sandbox.environment_age_s, 1, 604_800)
    _check_range("--memory-reserve-mib", sandbox.memory_reserve_mib, 0, 1 << 30)
    _check_range("--parked-memory-mib", sandbox.parked_memory_mib, 0, 65_536)
    if sandbox.sandbox not in {"auto", "namespace", "rootless", "process"}:
        raise SettingsError(
            f"--sandbox: {sandbox.sandbox!r} is not offered by this version; use auto, namespace, rootless or process"
        )
    _check_network(sandbox)
    _check_neighbours(settings.neighbours)
    _check_range("--sqs-receivers-max", api.sqs_receivers_max, 1, 1_000_000)
    _check_range("--sqs-purge-wait-s", api.sqs_purge_wait_s, 0, 3600)
    _check_range("--sqs-recreate-wait-s", api.sqs_recreate_wait_s, 0, 3600)
    _check_range("--concurrent-executions", api.concurrent_executions, 1, 1_000_000)
    _check_range("--async-invocations-max", api.async_invocations_max, 1, 1_000_000)
    _check_range("--event-source-batches-max", api.event_source_batches_max, 1, 1_000_000)
    _check_range("--async-time-scale", api.async_time_scale, 0.0001, 1)
    if _URL_DOMAIN.fullmatch(api.url_domain) is None:
        raise SettingsError(f"--url-domain: {api.url_domain!r} is not of the form NAME, NAME:PORT or https://NAME")
    if api.runtime_fallback not in {"none", "nearest"}:
        raise SettingsError(f"--runtime-fallback: {api.runtime_fallback!r} is neither none nor nearest")
    if not (len(api.account) == 12 and api.account.isascii() and api.account.isdigit()):
        raise SettingsError(f"--account: {api.account!r} is not twelve digits")
    if not api.region or not all(part.isalnum() for part in api.region.split("-")):
        raise SettingsError(f"--region: {api.region!r} is not a region name")


def _check_tls(server: ServerSettings) -> None:
    if server.tls not in {"off", "self-signed"}:
        raise SettingsError(f"--tls: {server.tls!r} is neither off nor self-signed; --tls-cert names a certificate")
    if server.tls_cert is not None and server.tls == "self-signed":
        raise SettingsError("--tls: self-signed makes a certificate of its own; leave it or --tls-cert out")
    if server.tls_cert is None and server.tls_key is not None:
        raise SettingsError("--tls-key: needs --tls-cert, the certificate of that key")
    if server.tls_cert is not None and server.tls_key is None:
        raise SettingsError("--tls-cert: needs --tls-key, the private key of that certificate")


def _check_access(access: AccessSettings) -> None:
    for flag, value, offered in (
        ("--auth", access.auth, ("auto", "required")),
        ("--iam", access.iam, ("auto", "off", "audit", "enforce")),
        ("--trail", access.trail, ("management", "all", "off")),
    ):
        if value not in offered:
            raise SettingsError(f"{flag}: {value!r} is not one of {', '.join(offered)}")
    for host in access.public_host:
        if _PUBLIC_HOST.fullmatch(host) is None:
            raise SettingsError(f"--public-host: {host!r} is not of the form NAME or NAME:PORT")
    _check_range("--trail-max-mib", access.trail_max_mib, 1, 1 << 20)


def _check_usage(usage: UsageSettings) -> None:
    _check_range("--usage-records-days", usage.usage_records_days, 1, 3653)
    _check_range("--usage-records-max-mib", usage.usage_records_max_mib, 1, 1 << 20)
    _check_range("--machine-cost-per-hour", usage.machine_cost_per_hour, 0, 1_000_000)


def _check_telemetry(telemetry: TelemetrySettings) -> None:
    _check_range("--log-retention-days", telemetry.log_retention_days, 0, 3653)
    _check_range("--traces-max-mib", telemetry.traces_max_mib, 1, 1 << 20)
    if telemetry.otlp_endpoint and not _SERVER_URL.fullmatch(telemetry.otlp_endpoint):
        raise SettingsError(f"--otlp-endpoint: {telemetry.otlp_endpoint!r} is not of the form http://host:port")
    if telemetry.otlp_headers_file is not None and not telemetry.otlp_endpoint:
        raise SettingsError("--otlp-headers-file: needs --otlp-endpoint")


def _check_neighbours(neighbours: NeighbourSettings) -> None:
    seen = set()
    for item in neighbours.neighbour:
        name, equals, url = item.partition("=")
        if not (_SERVICE_NAME.fullmatch(name) and equals and (url == "none" or _SERVER_URL.fullmatch(url))):
            raise SettingsError(
                f"--neighbour: {item!r} is not of the form NAME=http://host:port, NAME=https://host or NAME=none"
            )
        if name in _OWN_SERVICES:
            raise SettingsError(f"--neighbour: {name} is answered by Lambent itself")
        if name == "sqs" and url == "none":
            raise SettingsError(
                "--neighbour: sqs is answered by Lambent itself; sqs=URL names a server with more queues"
            )
        if name in seen:
            raise SettingsError(f"--neighbour: {name} is named twice")
        seen.add(name)
    _check_range("--embedded-max-mib", neighbours.embedded_max_mib, 1, 1 << 20)


def _check_network(sandbox: SandboxSettings) -> None:
    if sandbox.egress not in {"auto", "nat", "none"}:
        raise SettingsError(f"--egress: {sandbox.egress!r} is neither auto, nat nor none")
    for port in sandbox.allow_host:
        if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535):
            raise SettingsError(f"--allow-host: {port!r} is not a port between 1 and 65535")
    for item in sandbox.file_system:
        arn, equals, directory = item.partition("=")
        if not (arn.startswith("arn:") and equals and directory.startswith("/")):
            raise SettingsError(f"--file-system: {item!r} is not of the form ARN=/directory")
    for network in sandbox.allow_net:
        try:
            ipaddress.IPv4Network(network)
        except ValueError as error:
            raise SettingsError(
                f"--allow-net: {network!r} is not an IPv4 network such as 10.0.0.0/8: {error}"
            ) from None
    if sandbox.sandbox != "auto" and (reason := why_not_obeyed(sandbox, sandbox.sandbox)):
        raise SettingsError(reason)


def why_not_obeyed(sandbox: SandboxSettings, driver: str) -> str:
    """
    Return which setting of the functions' network a driver cannot obey, and why; empty where it obeys all.

    Args:
        driver: what is taken, also where the setting is `auto`.
    """
    if driver == "process" and sandbox.egress == "none":
        return "--egress: `process` cannot keep functions from the machine's own network"
    if driver == "rootless" and sandbox.egress == "nat":
        return "--egress: `rootless` has no way to the internet"
    opened = "--allow-host" if sandbox.allow_host else "--allow-net" if sandbox.allow_net else ""
    if opened and driver == "rootless":
        return f"{opened}: `rootless` has no way out of an environment"
    if opened and driver == "namespace" and sandbox.egress == "none":
        return f"{opened}: --egress none leaves no way out of an environment"
    return ""


def _check_range(flag: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise SettingsError(f"{flag}: {value:.15g} is not between {least:.15g} and {most:.15g}")
