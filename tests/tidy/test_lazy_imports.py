"""What a server does not need at rest it does not import: that keeps its start quick and its memory small."""

import subprocess
import sys

import pytest

HEAVY = (
    "alembic",
    "aiobotocore",
    "aiohttp",
    "opentelemetry",
    "moto",
    "boto3",
    "rich",
    "typer",
    "pydantic",
    "asyncpg",
    "psycopg",
    "sqlalchemy.dialects.postgresql",
    "nats",
    "http.client",
    "urllib.request",
    "xml.etree.ElementTree",
)


def _imported_by(statement: str, candidates: tuple[str, ...]) -> list[str]:
    code = f"import sys\n{statement}\nprint(*[name for name in {candidates!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_server_imports_nothing_heavy() -> None:
    """Migrations run in a child, neighbours and tracing come when they are used, terminals are the command line's."""
    assert _imported_by("import lambent.__main__, lambent.cli.serving, lambent.app", HEAVY) == []


@pytest.mark.parametrize("candidate", ["botocore", "sqlalchemy", "uvicorn", "asyncio", "http.client", "lambent.app"])
def test_the_command_line_starts_light(candidate: str) -> None:
    """`lambent --help` waits for no library that only a command uses."""
    assert _imported_by("import lambent.cli.main", (candidate,)) == []


@pytest.mark.parametrize("candidate", ["lambent.services.xray.handlers", "lambent.domain.xray.merge"])
def test_what_answers_for_traces_comes_when_it_is_asked(candidate: str) -> None:
    """A server that nobody asks for traces, sampling or groups does without."""
    assert _imported_by("import lambent.app", (candidate,)) == []
