"""
What a sandbox driver has to show for every attack that it says it holds off (`Sandbox.holds`).

Subclass `WallConformance`, name the driver, and let pytest collect it: the tests of attacks that the driver does not
claim to hold off are not there. Each test runs one attack of `attacks.py` inside an environment, and the same attack
without the wall as a control, which must succeed: a test whose attack is broken fails.

One table in the form of a class, so it stays whole: the rows of `Wall`, by what they attack.
"""

import asyncio
import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from lambent.sandbox.contract import Assignment, Environment, Exit, ParkedKind
from lambent.sandbox.walls import Wall
from lambent.testing.conformance.sandbox import (
    Stage,
    driver_from_path,
    new_marker,
    read_line,
    read_some,
    until,
    within_patience,
)

_PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin") or "/usr/bin/python3"
"""The machine's own interpreter: also users other than the tests' can run it, and drivers show it to functions."""

_ATTACKS = Path(__file__).with_name("attacks.py")
_NOBODY = 65534
_TMP_MIB = 512
_CLOSED = {"EPERM", "ENOSYS"}
_UNREACHABLE = {"ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "ETIMEDOUT", "EACCES", "EPERM"}
_VARIABLES = {"PATH": "/usr/bin:/bin", "GREETING": "hello"}
_ADDED_VARIABLES = {"_LAMBDA_TELEMETRY_LOG_FD", "LC_CTYPE", "PWD", "OLDPWD", "SHLVL", "_"}

_SERVER_AT_A_TERMINAL = """
import asyncio, fcntl, json, sys, termios
from lambent.testing.conformance.walls import attacked, control, on_stage

async def play(stage):
    print(json.dumps(await control(stage, "use_terminal", apart=False)), flush=True)
    print(json.dumps(await attacked(stage, "use_terminal")), flush=True)

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
on_stage(sys.argv[1], play)
"""


# Running attacks -----------------------------------------------------------------------------------------------------


def on_stage(driver_path: str, play: Callable[[Stage], Awaitable[None]]) -> None:
    """Run one story with a fresh driver, and end whatever it leaves."""

    async def perform() -> None:
        async with _stage(driver_path) as stage:
            await play(stage)

    asyncio.run(perform())


@contextlib.asynccontextmanager
async def _stage(driver_path: str) -> AsyncIterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="lambent-walls-"))
    try:
        stage = Stage(driver_from_path(driver_path, folder / "run"), folder)
        stage.script(_ATTACKS.read_text(), "attack.py")
        try:
            yield stage
        finally:
            await within_patience(stage.driver.close())
    finally:
        shutil.rmtree(folder)


async def start(stage: Stage, attack: str, memory_mib: int = 128, tmp_mib: int = _TMP_MIB, **given: Any) -> Environment:
    """Begin an attack in an environment of its own."""
    environment = await within_patience(stage.driver.park(ParkedKind()))
    await assign(stage, environment, attack, memory_mib, tmp_mib, **given)
    return environment


async def assign(
    stage: Stage,
    environment: Environment,
    attack: str,
    memory_mib: int = 128,
    tmp_mib: int = _TMP_MIB,
    layers: Path | None = None,
    file_systems: tuple[tuple[str, str], ...] = (),
    **given: Any,
) -> None:
    """Begin an attack in an environment that is there already."""
    root = stage.driver.task_root(stage.package)
    assignment = Assignment(
        argv=[_PYTHON, f"{root}/attack.py", attack, json.dumps(given)],
        environ=_VARIABLES,
        working_directory=root,
        package=stage.package,
        layers=layers,
        file_systems=file_systems,
        memory_mib=memory_mib,
        tmp_mib=tmp_mib,
    )
    await within_patience(stage.driver.assign(environment, assignment))
    stage.driver.watch(environment, busy=True)


async def attacked(stage: Stage, attack: str, memory_mib: int = 128, tmp_mib: int = _TMP_MIB, **given: Any) -> Any:
    """Run an attack to its end in an environment of its own; return what became of it."""
    environment = await start(stage, attack, memory_mib, tmp_mib, **given)
    said = await outcome(environment)
    await end(stage, environment)
    return said


async def outcome(environment: Environment) -> Any:
    """Read the output of an attack to its end; return what it says became of it."""
    text = b""
    while some := await read_some(environment):
        text += some
    lines = text.decode(errors="replace").splitlines()
    assert lines and lines[-1].startswith('{"result"'), f"the attack did not come to its end: {text[-2000:]!r}"
    return json.loads(lines[-1])["result"]


async def end(stage: Stage, environment: Environment) -> Exit:
    """Kill an environment and wait for its end."""
    stage.driver.kill(environment)
    how = await within_patience(stage.driver.wait(environment))
    stage.driver.release(environment)
    return how


async def control(stage: Stage, attack: str, user: int | None = None, apart: bool = True, **given: Any) -> Any:
    """
    Run an attack on this machine without any wall; return what became of it.

    Args:
        user: who runs it, where the tests run as root.
        apart: in a session of its own.
    """

    def run() -> Any:
        done = subprocess.run(
            _command(stage, attack, given),
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
            start_new_session=apart,
            stdin=None if not apart else subprocess.DEVNULL,
            **_as_user(user),
        )
        return json.loads(done.stdout.splitlines()[-1])["result"]

    return await asyncio.to_thread(run)


@contextlib.contextmanager
def running_control(stage: Stage, attack: str, **given: Any) -> "Iterator[subprocess.Popen[str]]":
    """Begin an attack on this machine without any wall; kill its first process in the end."""
    with subprocess.Popen(
        _command(stage, attack, given), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _command(stage: Stage, attack: str, given: dict[str, Any]) -> list[str]:
    return [_PYTHON, str(stage.package / "attack.py"), attack, json.dumps(given)]


def _as_user(user: int | None) -> dict[str, Any]:
    return {} if user is None or os.geteuid() else {"user": user, "group": user, "extra_groups": []}


def _errors(said: dict[str, str], expected: set[str]) -> dict[str, str]:
    """Return what became of other attempts than expected."""
    return {what: how for what, how in said.items() if how not in expected}


@contextlib.contextmanager
def _bystander(marker: str, user: int | None = _NOBODY) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a process on this machine that nobody has asked functions to touch."""
    with subprocess.Popen(["sleep", marker], start_new_session=True, **_as_user(user)) as process:
        try:
            yield process
        finally:
            process.kill()


def _marked(marker: str) -> list[int]:
    """Return the machine's processes whose command line holds a marker."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if marker.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def _kill_marked(marker: str) -> None:
    for pid in _marked(marker):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _own_addresses() -> list[str]:
    """Return the IPv4 addresses of this machine, loopback among them, and its global IPv6 ones."""
    found = set(import_module("lambent.testing.conformance.attacks").own_addresses())
    for line in Path("/proc/net/if_inet6").read_text().splitlines() if Path("/proc/net/if_inet6").exists() else []:
        number, _, _, scope, _, _ = line.split()
        if int(scope, 16) in {0x00, 0x10}:
            found.add(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(number)))
    return sorted(found)


def _listener(host: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    if ":" in host:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((host, 0))
    listener.listen(64)
    listener.setblocking(False)
    return listener


def _took(listener: socket.socket) -> list[bytes]:
    """Return what those said who connected to a listener meanwhile."""
    said: list[bytes] = []
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return said
        with connection:
            connection.settimeout(5)
            said.append(connection.recv(64))


def _folder_in_memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None


def _process_namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


def _resident_mib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20


class WallConformance:
    """The suite. `driver_path` names the class; its constructor takes the driver settings and a clock."""

    driver_path = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        module, _, name = cls.driver_path.partition(":")
        holds = getattr(import_module(module), name).holds
        for wall in Wall:
            if wall not in holds:
                # pytest collects functions only.
                setattr(cls, f"test_{wall.name.lower()}", None)

    def on_stage(self, play: Callable[[Stage], Awaitable[None]]) -> None:
        on_stage(self.driver_path, play)

    # -- using up -----------------------------------------------------------------------------------------------

    def test_fork_bomb(self) -> None:
        """Processes end with EAGAIN at Lambda's 1,024; without the wall there are more."""

        async def play(stage: Stage) -> None:
            said = await attacked(stage, "fork_bomb", memory_mib=3008, processes_max=1500)
            assert said["error"] == "EAGAIN"
            assert 900 < said["processes"] <= 1024
            without = await control(stage, "fork_bomb", processes_max=said["processes"] + 30)
            assert without == {"error": "ok", "processes": said["processes"] + 30}

        self.on_stage(play)

    def test_tmp_space(self) -> None:
        """/tmp is full at its size and costs no memory; without the wall there is room for more."""

        async def play(stage: Stage) -> None:
            # Not the default, which may have been made before the function was known.
            said = await attacked(stage, "fill_space", tmp_mib=600, folder="/tmp", mib_max=700)
            assert said["error"] == "ENOSPC"
            assert 600 <= said["mib"] <= 606
            without = await control(stage, "fill_space", folder=str(stage.folder), mib_max=said["mib"] + 20)
            assert without == {"error": "ok", "mib": said["mib"] + 20}

        self.on_stage(play)

    def test_tmp_files(self) -> None:
        """The number of files in /tmp has an end, too."""

        async def play(stage: Stage) -> None:
            said = await attacked(stage, "fill_files", memory_mib=1024, folder="/tmp", files_max=200_000)
            assert said["error"] == "ENOSPC"
            assert said["files"] > 10_000
            # In memory, where there is such a folder: on a disk it takes a while.
            with tempfile.TemporaryDirectory(dir=_folder_in_memory()) as folder:
                without = await control(stage, "fill_files", folder=folder, files_max=said["files"] + 1000)
            assert without == {"error": "ok", "files": said["files"] + 1000}

        self.on_stage(play)

    def test_memory(self) -> None:
        """Who uses more than MemorySize ends, is reported so, and ends alone; the kernel's buffers are limited, too."""

        async def play(stage: Stage) -> None:
            neighbour = await start(stage, "use_processor")
            await read_line(neighbour, '{"up"')
            environment = await start(stage, "fill_memory", mib_max=400)
            touched = 0
            while some := await read_some(environment):
                touched = max([touched, *(json.loads(line)["mib"] for line in some.decode().splitlines())])
            how = await within_patience(stage.driver.wait(environment))
            assert how.out_of_memory
            assert how.signal == signal.SIGKILL
            assert touched <= 128
            assert stage.driver.stats(environment).memory_peak_mib <= 130
            still_there = asyncio.ensure_future(stage.driver.wait(neighbour))
            await asyncio.sleep(0)
            assert not still_there.done()
            await end(stage, neighbour)
            assert not (await still_there).out_of_memory
            assert await control(stage, "fill_memory", mib_max=160) == {"mib": 160}
            # Buffers do not grow beyond the limit: nobody ends for them.
            assert (await attacked(stage, "fill_buffers", mib_max=160))["mib"] < 128
            assert await control(stage, "fill_buffers", mib_max=160) == {"mib": 160}

        self.on_stage(play)

    def test_processor(self) -> None:
        """After init a function has its share: 128 MB are 7 % of a core, however busy it is."""

        async def play(stage: Stage) -> None:
            async def share(environment: Environment, window_s: float) -> float:
                loop = asyncio.get_running_loop()
                began, used = loop.time(), stage.driver.stats(environment).cpu_us
                await asyncio.sleep(window_s)
                return (stage.driver.stats(environment).cpu_us - used) / 1e6 / (loop.time() - began)

            limited, free = await start(stage, "use_processor"), await start(stage, "use_processor")
            for environment in (limited, free):
                await read_line(environment, '{"up"')
            stage.driver.end_init(limited)
            # The first period may still be the one before.
            await asyncio.sleep(0.1)
            assert 0.0 < await share(limited, 1.0) < 0.25
            # More than the limited one may ever have. A busy machine gives little on the whole, and now and then a lot.
            shares = [await share(free, 0.1)]
            while max(shares) <= 0.25 and len(shares) < 300:
                shares.append(await share(free, 0.1))
            assert max(shares) > 0.25

        self.on_stage(play)

    def test_log_flood(self) -> None:
        """A function whose output nobody reads waits, and the server's memory stays as it is."""

        async def play(stage: Stage) -> None:
            await control(stage, "flood_output", mib=1)
            resident_mib = _resident_mib()
            environment = await start(stage, "flood_output", mib=50)
            ended = asyncio.ensure_future(stage.driver.wait(environment))
            # Without the wall it takes some 50 ms.
            done, _ = await asyncio.wait([ended], timeout=1.0)
            assert not done
            assert _resident_mib() - resident_mib < 20
            total = 0
            while some := await read_some(environment):
                total += len(some)
            assert total > 50 << 20
            assert (await within_patience(ended)).status == 0

            def without() -> int:
                with (stage.folder / "flood").open("wb") as file:
                    command = _command(stage, "flood_output", {"mib": 50})
                    subprocess.run(command, stdout=file, check=True, timeout=60)
                    return file.tell()

            assert await asyncio.to_thread(without) > 50 << 20

        self.on_stage(play)

    # -- files --------------------------------------------------------------------------------------------------

    def test_host_files(self) -> None:
        """Neither the machine's files nor the server's nor another function's are there, wherever one looks."""

        async def play(stage: Stage) -> None:
            secret = stage.folder / f"secret-{new_marker()}"
            secret.write_text("of another function")
            paths = [str(secret), str(stage.folder), str(Path.home()), __file__, "/etc/shadow", "/root", "/var/lib"]
            without = await control(stage, "read_files", paths=paths, name=secret.name)
            assert without["opened"][str(secret)] == "ok"
            assert without["found"] == [str(stage.folder)]
            said = await attacked(stage, "read_files", paths=paths, name=secret.name)
            assert _errors(said["opened"], {"ENOENT"}) == {}
            assert said["found"] == []

        self.on_stage(play)

    def test_read_only_code(self) -> None:
        """Code, layers, runtime and root are read-only, also where permissions would allow it."""

        async def play(stage: Stage) -> None:
            # As generous as a package can be.
            stage.package.chmod(0o777)
            script = stage.script("#!/bin/sh\n", "code", mode=0o666)
            root = stage.driver.task_root(stage.package)
            layers = stage.folder / "layers"
            layers.mkdir()
            layers.chmod(0o777)
            shutil.copy(script, layers / "code")
            (layers / "code").chmod(0o666)
            folders = ["/", "/usr", "/usr/bin", "/opt", "/var/runtime", "/var/task", "/etc", "/run", "/mnt", root]
            files = [f"{root}/code", f"{stage.driver.layers_root(layers)}/code"]
            # Of the folder beside which there is nothing but what may be written to.
            mounted = (("/mnt/data", str(stage.folder)),)
            for file_systems in ((), mounted):
                given: dict[str, Any] = {"layers": layers, "file_systems": file_systems}
                said = await attacked(stage, "change_files", folders=folders, files=files, **given)
                assert _errors(said, {"EROFS"}) == {}
                assert script.read_text() == (layers / "code").read_text() == "#!/bin/sh\n"
            without = await control(stage, "change_files", folders=[str(stage.package)], files=[str(script)])
            assert set(without.values()) == {"ok"}
            assert script.read_text() == ""

        self.on_stage(play)

    def test_leftover_files(self) -> None:
        """The next environment finds nothing of the one before in /tmp or in shared memory."""

        async def play(stage: Stage) -> None:
            name, key = f"left-{new_marker()}", int.from_bytes(os.urandom(3), "big") + 1
            left = await attacked(stage, "leave_files", folder="/tmp", name=name, key=key)
            assert left["/tmp"] == "ok"
            assert left["shmget"] == "ok"
            found = await attacked(stage, "find_files", folder="/tmp", name=name, key=key)
            assert found["found"] == []
            assert [one for one in found["listed"] if one != "lost+found"] == []
            folder = str(stage.folder)
            assert (await control(stage, "leave_files", folder=folder, name=name, key=key))[folder] == "ok"
            found = await control(stage, "find_files", folder=folder, name=name, key=key)
            assert {folder, "shmget"} <= set(found["found"])

        self.on_stage(play)

    def test_devices(self) -> None:
        """Only the devices that every program takes for granted are there, none can be made, and no shared folder."""

        async def play(stage: Stage) -> None:
            allowed = {"null", "zero", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr"}
            said = await attacked(stage, "use_devices", folder="/tmp")
            assert set(said["listed"]) <= allowed
            assert _errors(said["opened"], {"ENOENT"}) == {}
            assert said["made"] == "EPERM"
            assert said["shared_memory"] != "ok"
            without = await control(stage, "use_devices", folder=str(stage.folder))
            assert set(without["listed"]) - allowed
            assert os.geteuid() or without["made"] == "ok"

        self.on_stage(play)

    def test_descriptors(self) -> None:
        """Only input, which is empty, and the pipe of the output are open."""

        async def play(stage: Stage) -> None:
            with (stage.folder / "held").open("w") as held:
                os.set_inheritable(held.fileno(), True)
                said = await attacked(stage, "read_descriptors")

                def without() -> str:
                    command = _command(stage, "read_descriptors", {})
                    done = subprocess.run(command, check=True, capture_output=True, text=True, close_fds=False)
                    return done.stdout

                assert held.name in await asyncio.to_thread(without)
            assert said.pop("0") == "/dev/null"
            assert set(said) == {"1", "2", "3"}
            assert len(set(said.values())) == 1
            assert said["1"].startswith("pipe:")

        self.on_stage(play)

    def test_variables(self) -> None:
        """A function has the variables that it was given; the server's are nowhere to be found."""

        async def play(stage: Stage) -> None:
            secret = f"of the server {new_marker()}"
            os.environ["LAMBENT_CONFORMANCE_SECRET"] = secret
            try:
                # /proc shows what a process was started with; this one stands in for a server that was so started.
                with _bystander(new_marker(), user=None) as bystander:
                    said = await attacked(stage, "read_variables", secret=secret)
                    without = await control(stage, "read_variables", secret=secret)
            finally:
                del os.environ["LAMBENT_CONFORMANCE_SECRET"]
            assert str(bystander.pid) in without["elsewhere"]
            assert {name: said["environ"].get(name) for name in _VARIABLES} == _VARIABLES
            assert set(said["environ"]) - set(_VARIABLES) <= _ADDED_VARIABLES
            assert said["elsewhere"] == []
            assert without["environ"]["LAMBENT_CONFORMANCE_SECRET"] == secret

        self.on_stage(play)

    def test_core_dumps(self) -> None:
        """A crash leaves no core, and no one can ask for one; behind walls, it runs no program for cores either."""

        async def play(stage: Stage) -> None:
            said = await attacked(stage, "dump_core")
            assert (said["dumped"], said["signal"]) == (False, signal.SIGABRT)
            # With anything but 1 the kernel runs what core_pattern names, if it names a program. Less than a page is no
            # core file. Where the tests' own limit is 0 and they are not root's, nobody can raise it.
            is_free = os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_CORE)[1] != 0
            limit = 1 if stage.driver.has_own_root and is_free else 0
            assert (said["raised_to"], said["lowered_to"]) == (limit, limit)

            def without() -> Any:
                done = subprocess.run(
                    ["/bin/sh", "-c", 'ulimit -c unlimited; exec "$@"', "sh", *_command(stage, "dump_core", {})],
                    check=True,
                    capture_output=True,
                    text=True,
                    cwd=stage.folder,
                )
                return json.loads(done.stdout)["result"]

            # Root may raise it again, others may not have it: what counts is that a crash can dump at all.
            assert (await asyncio.to_thread(without))["dumped"]

        self.on_stage(play)

    def test_host_names(self) -> None:
        """No text that a function may read tells where it runs or whose code lies beside it."""

        async def play(stage: Stage) -> None:
            said = (await attacked(stage, "read_names"))["text"]
            without = (await control(stage, "read_names"))["text"]
            assert stage.folder.name in without
            assert stage.folder.name not in said
            name = re.compile(rf"\b{re.escape(socket.gethostname())}\b")
            assert name.search(without)
            assert not name.search(said) or socket.gethostname() == "localhost"

        self.on_stage(play)

    # -- processes ----------------------------------------------------------------------------------------------

    def test_other_processes(self) -> None:
        """Functions see their own processes and the first one, and nothing private of that."""

        async def play(stage: Stage) -> None:
            marker = new_marker()
            with _bystander(marker) as bystander:
                said = await attacked(stage, "read_processes", marker=marker)
                without = await control(stage, "read_processes", marker=marker)
            assert said["marked"] == []
            assert len(said["pids"]) == 2
            assert _errors(said["private"], {"EACCES", "EPERM"}) == {}
            assert bystander.pid in without["marked"]
            assert without["private"][f"/proc/{bystander.pid}/environ"] == "ok"

        self.on_stage(play)

    def test_ptrace(self) -> None:
        """No process may be traced or read, not even one of its own."""

        async def play(stage: Stage) -> None:
            assert _errors(await attacked(stage, "trace_processes", process_1=True), {"EPERM"}) == {}
            assert _errors(await control(stage, "trace_processes", process_1=False), {"ok"}) == {}

        self.on_stage(play)

    def test_kill_others(self) -> None:
        """Signals reach no process of another environment or of the machine, not even those to everybody."""

        async def play(stage: Stage) -> None:
            marker, outside = new_marker(), _process_namespace()
            neighbour = await start(stage, "use_processor")
            await read_line(neighbour, '{"up"')
            with _bystander(marker) as bystander:
                attacker = await start(stage, "kill_others", pid=bystander.pid, outside=outside)
                said = await outcome(attacker)
                # It came to its own end: nothing that it sent to process 1 ended that, which would be our failure.
                assert await within_patience(stage.driver.wait(attacker)) == Exit(status=0)
                await end(stage, attacker)
                assert said["it"] in {"ESRCH", "EPERM"}
                # The first process is another user's, or takes no signal from inside; all others are none.
                assert said["process 1"] in {"EPERM", "ok"}
                assert said["all"] in {"ESRCH", "EPERM", "ok"}
                assert bystander.poll() is None
                still_there = asyncio.ensure_future(stage.driver.wait(neighbour))
                await asyncio.sleep(0)
                assert not still_there.done()
                await end(stage, neighbour)
                await still_there
                without = await control(stage, "kill_others", _NOBODY, pid=bystander.pid, outside=outside)
                assert without == {"it": "ok"}
                assert await asyncio.to_thread(bystander.wait, 10) == -signal.SIGKILL

        self.on_stage(play)

    def test_left_running(self) -> None:
        """What a function started in a session of its own ends with its environment."""

        async def play(stage: Stage) -> None:
            marker = new_marker()
            left = f"sleep\0{marker}"
            try:
                environment = await start(stage, "leave_running", marker=marker, heartbeat=False)
                await until(lambda: _marked(left))
                await end(stage, environment)
                assert _marked(left) == []

                with running_control(stage, "leave_running", marker=marker, heartbeat=False) as process:
                    await until(lambda: _marked(left))
                    os.killpg(process.pid, signal.SIGKILL)
                    await asyncio.to_thread(process.wait)
                    assert len(_marked(left)) == 1
            finally:
                _kill_marked(marker)

        self.on_stage(play)

    def test_frozen(self) -> None:
        """What a function left running stops between invocations, and goes on afterwards."""

        async def play(stage: Stage) -> None:
            environment = await start(stage, "leave_running", marker=new_marker(), heartbeat=True)

            async def beats(wait_s: float) -> bool:
                try:
                    return bool(await asyncio.wait_for(read_some(environment), wait_s))
                except TimeoutError:
                    return False

            assert await beats(10)
            stage.driver.freeze(environment)
            # What it had printed before is still in the pipe.
            while await beats(0.2):
                pass
            # A hundred beats and more, were it not frozen.
            assert not await beats(0.3)
            stage.driver.thaw(environment)
            assert await beats(10)
            await end(stage, environment)

        self.on_stage(play)

    def test_fork_race(self) -> None:
        """A function that forks all the time is gone when `wait` says so."""

        async def play(stage: Stage) -> None:
            stop = stage.folder / "stop"
            try:
                environment = await start(stage, "fork_for_ever", stop=str(stop), chains=8)
                await read_line(environment, '{"up"')
                stage.driver.kill(environment)
                await within_patience(stage.driver.wait(environment))
                # The end of the stream: no process holds its other end any more.
                assert os.read(environment.output, 1) == b""

                with running_control(stage, "fork_for_ever", stop=str(stop), chains=8) as process:
                    assert process.stdout is not None
                    assert await asyncio.to_thread(process.stdout.readline) == '{"up": true}\n'
                    os.killpg(process.pid, signal.SIGKILL)
                    await asyncio.to_thread(process.wait)
                    os.set_blocking(process.stdout.fileno(), False)
                    goes_on = False
                    try:
                        goes_on = os.read(process.stdout.fileno(), 1) != b""
                    except BlockingIOError:
                        goes_on = True
                    assert goes_on
            finally:
                stop.touch()

        self.on_stage(play)

    def test_setuid_programs(self) -> None:
        """No program makes a function another user."""

        async def play(stage: Stage) -> None:
            inside, program = None, None
            if os.geteuid() == 0:
                program = stage.package / "id"
                shutil.copyfile("/usr/bin/id", program)
                program.chmod(0o4755)
                inside = f"{stage.driver.task_root(stage.package)}/id"
                without = await control(stage, "run_set_user_id", _NOBODY, program=str(program))
                assert (without["mine"], without["effective"]) == (_NOBODY, 0)
            said = await attacked(stage, "run_set_user_id", program=inside)
            assert said.get("effective", said["mine"]) == said["mine"] != 0
            assert said["no_new_privileges"] == 1
            assert said["may_change_user"] == []
            without = await control(stage, "run_set_user_id", program=None)
            assert without["no_new_privileges"] == 0
            assert without["may_change_user"]

        self.on_stage(play)

    def test_terminal(self) -> None:
        """A function of a server that sits at a terminal has none, and cannot type into it."""

        async def play(stage: Stage) -> None:
            master, slave = os.openpty()
            environ = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}

            def at_a_terminal() -> list[Any]:
                command = [sys.executable, "-W", "ignore", "-c", _SERVER_AT_A_TERMINAL, self.driver_path]
                done = subprocess.run(
                    command,
                    stdin=slave,
                    capture_output=True,
                    text=True,
                    check=False,
                    start_new_session=True,
                    env=environ,
                    timeout=60,
                )
                assert done.returncode == 0, done.stderr
                return [json.loads(line) for line in done.stdout.splitlines()]

            try:
                without, said = await asyncio.to_thread(at_a_terminal)
            finally:
                os.close(master)
                os.close(slave)
            assert without["opened"] == "ok"
            assert without["terminals"] == [0]
            assert said["opened"] in {"ENXIO", "ENOENT"}
            assert said["terminals"] == []
            assert "ok" not in said["typed"]

        self.on_stage(play)

    def test_reuse(self) -> None:
        """An environment is assigned once; a second time is refused and changes nothing."""

        async def play(stage: Stage) -> None:
            environment = await start(stage, "use_processor")
            await read_line(environment, '{"up"')
            refused = False
            try:
                await assign(stage, environment, "read_descriptors")
            except AssertionError:
                refused = True
            assert refused
            stage.driver.kill(environment)
            await within_patience(stage.driver.wait(environment))
            # What was ordered second has not said anything.
            assert os.read(environment.output, 65536) == b""
            stage.driver.release(environment)

        self.on_stage(play)

    # -- the kernel ---------------------------------------------------------------------------------------------

    def test_keyring(self) -> None:
        """The kernel's keyrings, which are not divided between environments, are closed."""

        async def play(stage: Stage) -> None:
            assert _errors(await attacked(stage, "use_keyring"), {"EPERM"}) == {}
            without = await control(stage, "use_keyring")
            assert without == {"add_key": "ok", "keyctl": "ok", "request_key": "ENOKEY"}

        self.on_stage(play)

    def test_mounts(self) -> None:
        """Nothing can be mounted, unmounted or made the root."""

        async def play(stage: Stage) -> None:
            said = await attacked(stage, "mount_something", folder="/tmp", alone=False)
            assert _errors(said, {"EPERM"}) == {}
            without = await control(stage, "mount_something", folder=str(stage.package), alone=True)
            assert {name: without[name] for name in ("mount", "umount", "fsopen", "open_tree", "chroot")} == {
                "mount": "ok", "umount": "ok", "fsopen": "ok", "open_tree": "ok", "chroot": "ok",
            }  # fmt: skip

        self.on_stage(play)

    def test_nested_namespaces(self) -> None:
        """No namespace can be made or entered; clone3, whose flags no filter sees, is not there."""

        async def play(stage: Stage) -> None:
            said = await attacked(stage, "make_namespaces")
            assert said.pop("clone3") == "ENOSYS"
            assert _errors(said, {"EPERM"}) == {}
            without = await control(stage, "make_namespaces")
            assert {without["unshare user"], without["clone"], without["clone3"]} == {"ok"}

        self.on_stage(play)

    def test_socket_families(self) -> None:
        """TCP and the list of routes work; raw, packet and all other netlink sockets do not."""

        async def play(stage: Stage) -> None:
            said = await attacked(stage, "open_rare_sockets")
            assert (said.pop("tcp"), said.pop("routes")) == ("ok", "ok")
            assert "ok" not in said.values()
            without = await control(stage, "open_rare_sockets")
            assert (without["netlink events"], without["netlink generic"]) == ("ok", "ok")
            assert os.geteuid() or (without["raw"], without["packet"]) == ("ok", "ok")

        self.on_stage(play)

    def test_rare_system_calls(self) -> None:
        """io_uring, bpf, perf, userfaultfd, files by handle, kernels and modules are closed."""

        async def play(stage: Stage) -> None:
            assert _errors(await attacked(stage, "make_rare_calls"), _CLOSED) == {}
            without = await control(stage, "make_rare_calls")
            # Some may be switched off, not built in, or not for everybody.
            assert set(without.values()) - _CLOSED
            assert os.geteuid() or {without["bpf"], without["userfaultfd"]}.isdisjoint(_CLOSED)

        self.on_stage(play)

    def test_kernel_settings(self) -> None:
        """Settings cannot be written, and what tells about the machine is empty or not there."""

        async def play(stage: Stage) -> None:
            said = await attacked(stage, "use_kernel_settings")
            assert _errors(said["written"], {"EROFS", "EACCES", "EPERM", "ENOENT"}) == {}
            assert said["spared"] == "EACCES"
            assert "ok" not in said["read"].values()
            without = await control(stage, "use_kernel_settings")
            assert (without["read"]["cmdline"], without["read"]["diskstats"]) == ("ok", "ok")
            assert os.geteuid() or without["written"]["/proc/sys/kernel/core_pattern"] == "ok"

        self.on_stage(play)

    def test_cgroups(self) -> None:
        """No control group is in sight, nor which one this is."""

        async def play(stage: Stage) -> None:
            said = await attacked(stage, "find_control_groups")
            assert set(said["groups"]) == {"/"}
            assert (said["mounted"], said["exists"]) == ([], False)
            without = await control(stage, "find_control_groups")
            assert without["mounted"]
            assert without["exists"]

        self.on_stage(play)

    # -- the network --------------------------------------------------------------------------------------------

    def test_host_ports(self) -> None:
        """No port of the machine is reached by any of its addresses, nor the one that clouds keep for themselves."""

        async def play(stage: Stage) -> None:
            with _listener("0.0.0.0") as listener, _listener("::") as listener_6:
                ports = {False: listener.getsockname()[1], True: listener_6.getsockname()[1]}
                addresses = [(host, ports[":" in host]) for host in _own_addresses()]
                without = await control(stage, "reach_ports", addresses=[(*one, "control") for one in addresses])
                assert _errors(without, {"ok"}) == {}
                assert _took(listener) + _took(listener_6) == [b"control"] * len(addresses)
                said = await attacked(
                    stage,
                    "reach_ports",
                    # Nothing is said at the last one: it is not ours.
                    addresses=[*((*one, "attack") for one in addresses), ("169.254.169.254", 80, "")],
                    gateway_port=ports[False],
                )
                assert _errors(said, _UNREACHABLE) == {}
                assert _took(listener) + _took(listener_6) == []

        self.on_stage(play)

    def test_other_environments_network(self) -> None:
        """What a function listens on is reached by no other environment."""

        async def play(stage: Stage) -> None:
            environment = await start(stage, "listen")
            there = json.loads(await read_line(environment, '{"port"'))
            addresses = [(host, there["port"], "attack") for host in there["addresses"]]
            assert addresses
            said = await attacked(stage, "reach_ports", addresses=addresses)
            assert _errors(said, _UNREACHABLE) == {}
            await end(stage, environment)
            with running_control(stage, "listen") as process:
                assert process.stdout is not None
                there = json.loads(process.stdout.readline())
                addresses = [("127.0.0.1", there["port"], "control")]
                without = await control(stage, "reach_ports", addresses=addresses)
                assert _errors(without, {"ok"}) == {}

        self.on_stage(play)

    def test_other_runtime_apis(self) -> None:
        """Whoever calls another environment's Runtime API reaches its own, or nothing."""

        async def play(stage: Stage) -> None:
            def address_of(environment: Environment) -> tuple[str, int]:
                host, _, port = environment.runtime_api_address.rpartition(":")
                return host, int(port)

            victim, attacker = await start(stage, "listen"), await stage.driver.park(ParkedKind())
            there = json.loads(await read_line(victim, '{"port"'))
            host, port = address_of(victim)
            addresses = [(one, port, "attack") for one in dict.fromkeys([host, *there["addresses"]])]
            await assign(stage, attacker, "reach_ports", addresses=addresses)
            await outcome(attacker)
            assert _took(victim.runtime_listener) == []
            if address_of(attacker) == (host, port):
                assert b"attack" in _took(attacker.runtime_listener)
            with _listener("127.0.0.1") as decoy:
                addresses = [(*decoy.getsockname(), "control")]
                without = await control(stage, "reach_ports", addresses=addresses)
                assert _errors(without, {"ok"}) == {}
                assert _took(decoy) == [b"control"]

        self.on_stage(play)

    def test_abstract_sockets(self) -> None:
        """The machine's Unix sockets without a file are not there."""

        async def play(stage: Stage) -> None:
            name = f"lambent-conformance-{new_marker()}"
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind("\0" + name)
                listener.listen(4)
                assert await attacked(stage, "reach_abstract", name=name) == {"reached": "ECONNREFUSED"}
                assert await control(stage, "reach_abstract", _NOBODY, name=name) == {"reached": "ok"}

        self.on_stage(play)
