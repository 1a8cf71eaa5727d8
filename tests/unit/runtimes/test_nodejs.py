"""How a Node.js runtime is made ready, and what is said when it cannot be."""

import asyncio
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.function_user import FunctionUser, find_function_user
from lambent.runtimes.additions import sdk_folder
from lambent.runtimes.catalogue import CATALOGUE
from lambent.runtimes.contract import LayersAt, RuntimeUnavailable
from lambent.runtimes.interpreters import Interpreter, newest_reachable
from lambent.runtimes.nodejs import NodejsRuntimes

HERE = Interpreter(Path("/usr/bin/node"), (20, 20, 2), True, prefix=Path("/usr"))
OF_NPM = Interpreter(Path("/r/nodejs22/bin/node"), (22, 23, 5), True, prefix=Path("/r/nodejs22"))
CLOSED = Interpreter(Path("/home/me/bin/node"), (24, 1, 1), False, "/home/me is closed to user nobody")


class FoundInterpreters:
    """A machine with given interpreters."""

    def __init__(self, *found: Interpreter) -> None:
        self._found = found

    async def find(self, *, fresh: bool = False) -> tuple[Interpreter, ...]:
        return self._found

    async def best(self, version: str) -> Interpreter | None:
        return newest_reachable(self._found, version)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that the functions' user can pass."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def runtimes(folder: Path, *found: Interpreter, fallback: str = "none", has_own_root: bool = False) -> NodejsRuntimes:
    user = find_function_user("nobody")
    made = NodejsRuntimes(folder / "runtimes", user, fallback, SystemClock(), has_own_root=has_own_root)
    made._interpreters = FoundInterpreters(*found)  # type: ignore[assignment]
    return made


def refusal(of: NodejsRuntimes, runtime: str) -> str:
    with pytest.raises(RuntimeUnavailable) as refused:
        asyncio.run(of.prepare(runtime))
    return str(refused.value)


def test_the_client_is_copied_once(folder: Path) -> None:
    """Calls at the same time, and other servers, find what the first copied; every user can read it."""

    async def prepare_often() -> None:
        one, other = runtimes(folder, HERE), runtimes(folder, HERE)
        await asyncio.gather(*(of.prepare("nodejs20.x") for of in (one, other, one, other)))

    asyncio.run(prepare_often())
    (client,) = (folder / "runtimes").iterdir()
    assert (client / "index.cjs").is_file()
    for path in [client, *client.iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) in {0o755, 0o644}


def test_a_client_that_has_gone_is_copied_again(folder: Path) -> None:
    """Somebody cleaned the runtimes folder while the server runs."""
    under_test = runtimes(folder, HERE)
    asyncio.run(under_test.prepare("nodejs20.x"))
    shutil.rmtree(folder / "runtimes")
    command = asyncio.run(under_test.command("nodejs20.x", "app.handler", "/task", {}))
    assert Path(command.argv[3]).is_file()


def test_the_command_with_the_machines_paths(folder: Path) -> None:
    """Interpreter and client as they lie on this machine; layers where the driver has them."""
    command = asyncio.run(
        runtimes(folder, HERE).command(
            "nodejs20.x", "app.handler", "/task", {}, LayersAt(folder / "layers", "/data/layers")
        )
    )
    (client,) = (folder / "runtimes").iterdir()
    assert command.argv[0] == "/bin/sh"
    assert list(command.argv)[3:] == [f"{client}/index.cjs", "/usr/bin/node"]
    assert command.environ["NODE_PATH"] == (
        f"/data/layers/nodejs/node20/node_modules:/data/layers/nodejs/node_modules:{client}/node_modules:{client}:/task"
    )
    assert command.environ["PATH"].split(":")[-1] == "/data/layers/bin"
    assert command.reserved["AWS_EXECUTION_ENV"] == "AWS_Lambda_nodejs20.x"
    assert (command.folders, command.zygote, command.in_zygote) == ((), None, False)


def test_the_command_inside(folder: Path) -> None:
    """With a root of its own, the client is at /var/runtime and an interpreter out of /usr at /var/lang."""
    under_test = runtimes(folder, HERE, OF_NPM, has_own_root=True)
    command = asyncio.run(
        under_test.command("nodejs22.x", "app.handler", "/var/task", {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/w"})
    )
    assert list(command.argv)[3:] == ["/var/runtime/index.cjs", "/opt/w", "/var/lang/bin/node"]
    mounted = dict(command.folders)
    assert mounted["/var/lang"] == "/r/nodejs22"
    assert (Path(mounted["/var/runtime"]) / "index.cjs").is_file()
    assert command.environ["NODE_PATH"].startswith("/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:")
    in_usr = asyncio.run(under_test.command("nodejs20.x", "app.handler", "/var/task", {}))
    assert [inside for inside, _ in in_usr.folders] == ["/var/runtime"]
    assert in_usr.argv[-1] == "/usr/bin/node"


def test_a_version_that_is_not_here(folder: Path) -> None:
    """The refusal says what there is, and the command that adds the rest."""
    told = refusal(runtimes(folder, HERE), "nodejs22.x")
    assert told.startswith("nodejs22.x cannot run on this machine: there is no Node.js 22 (there is 20). ")
    assert f"`lambent runtimes install nodejs22.x --runtimes-dir {folder}/runtimes`" in told
    assert "is closed to user nobody" in refusal(runtimes(folder, CLOSED), "nodejs24.x")
    assert "(there is none)" in refusal(runtimes(folder), "nodejs18.x")


def test_the_nearest_stands_in_where_it_may(folder: Path) -> None:
    """With the fallback, another version runs it, under the name of the one that was asked for."""
    command = asyncio.run(runtimes(folder, HERE, fallback="nearest").command("nodejs24.x", "app.handler", "/task", {}))
    assert command.argv[-1] == "/usr/bin/node"
    assert command.reserved["AWS_EXECUTION_ENV"] == "AWS_Lambda_nodejs24.x"
    assert "there is no Node.js 18" in refusal(runtimes(folder, CLOSED, fallback="nearest"), "nodejs18.x")


def test_availability(folder: Path) -> None:
    """A row for each identifier that is offered, with version and path, or what is missing."""
    rows = {row.runtime: row for row in asyncio.run(runtimes(folder, HERE, CLOSED).availability())}
    assert set(rows) == {"nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"}
    assert rows["nodejs20.x"].available
    assert rows["nodejs20.x"].detail == "Node.js 20.20.2 at /usr/bin/node, Lambent's own client"
    assert not rows["nodejs24.x"].available
    assert rows["nodejs24.x"].detail.endswith("but /home/me is closed to user nobody")
    assert all(row.remedy for row in rows.values() if not row.available)
    nearest = asyncio.run(runtimes(folder, HERE, fallback="nearest").availability())
    assert all(row.available for row in nearest)


def test_a_client_that_functions_cannot_reach(folder: Path) -> None:
    """A runtimes folder below a private one is refused with the folder's name, where it is not mounted."""
    (folder / "private").mkdir(mode=0o700)
    user = FunctionUser(name="other", uid=54321, gid=54321, is_other=True)
    for has_own_root in (False, True):
        under_test = NodejsRuntimes(folder / "private/runtimes", user, "none", SystemClock(), has_own_root=has_own_root)
        under_test._interpreters = FoundInterpreters(HERE)  # type: ignore[assignment]
        if has_own_root:
            asyncio.run(under_test.prepare("nodejs20.x"))
        else:
            assert f"{folder}/private is closed to user other" in refusal(under_test, "nodejs20.x")


def test_what_acts_when_nodejs_starts(folder: Path) -> None:
    """Node.js is started before its function is known, unless that has variables which would come too late."""
    under_test = runtimes(folder, HERE)
    assert under_test.may_start_ahead({"TZ": "Asia/Tokyo", "STAGE": "prod", "NO_COLOR": "1"}, folder, None)
    for name in ("NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "UV_THREADPOOL_SIZE", "SSL_CERT_FILE", "OPENSSL_CONF", "HOME"):
        assert not under_test.may_start_ahead({"STAGE": "prod", name: "x"}, folder, None)


def test_the_label_of_init_start(folder: Path) -> None:
    """Family and version."""
    assert runtimes(folder).version_label(CATALOGUE["nodejs22.x"]) == "nodejs:22.v1"


def test_the_sdk_is_beside_the_client_once_it_is_installed(folder: Path) -> None:
    """While the server runs, too; not for versions that it does not run on."""
    old = Interpreter(Path("/usr/bin/nodejs"), (18, 20, 4), True, prefix=Path("/usr"))
    under_test = runtimes(folder, HERE, old)

    def has_sdk(runtime: str) -> bool:
        command = asyncio.run(under_test.command(runtime, "app.handler", "/task", {}))
        return (Path(command.argv[3]).parent / "node_modules/@aws-sdk").is_dir()

    assert not has_sdk("nodejs20.x")
    (sdk_folder(folder / "runtimes") / "node_modules/@aws-sdk").mkdir(parents=True)
    assert has_sdk("nodejs20.x")
    assert not has_sdk("nodejs18.x")
