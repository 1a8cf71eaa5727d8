"""Which service is where, and what requests to it are signed with."""

from pathlib import Path

import pytest

from lambent.errors.families import SettingsError
from lambent.neighbours.endpoints import Credentials, Neighbour, load

FILE = """
[s3]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = not-a-real=secret
region = eu-west-1
"""


def credentials(tmp_path: Path, text: str = FILE, mode: int = 0o600) -> Path:
    path = tmp_path / "credentials"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_without_settings_the_embedded_server_answers_its_list() -> None:
    """And nothing else: what would start functions or reach queues is not offered."""
    table = load((), None)
    assert table.of("s3") == Neighbour("s3")
    assert table.embedded() == ["dynamodb", "dynamodbstreams", "kinesis", "kms", "s3", "secretsmanager", "ssm"]
    for name in ("sns", "events", "iam", "sts", "states", "cloudformation", "scheduler", "s3control"):
        assert table.of(name) is None


def test_a_url_takes_a_service_away_from_it(tmp_path: Path) -> None:
    """Streams are where the tables are, unless they are said to be elsewhere."""
    table = load(("s3=http://s3:9000/", "dynamodb=http://db:8000", "sns=https://sns"), credentials(tmp_path))
    found = table.of("s3")
    assert found is not None and found.url == "http://s3:9000"
    assert found.credentials == Credentials("AKIAEXAMPLE", "not-a-real=secret", region="eu-west-1")
    assert table.of("dynamodbstreams") == Neighbour("dynamodbstreams", "http://db:8000")
    assert table.of("sns") == Neighbour("sns", "https://sns")
    assert table.embedded() == ["kinesis", "kms", "secretsmanager", "ssm"]


def test_none_offers_nothing() -> None:
    """An operator who wants no stand-in says so."""
    assert load(("s3=none",), None).of("s3") is None
    assert load(("dynamodb=none",), None).of("dynamodbstreams") is None


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        (FILE, 0o640, "is open to others"),
        ("[s3]\naws_access_key_id = a\n", 0o600, "needs aws_access_key_id and aws_secret_access_key"),
        (FILE.replace("[s3]", "[kms]"), 0o600, "there is no --neighbour kms=URL"),
        ("hidden", 0o600, "is not a credentials file"),
        ("\udcff", 0o600, "credentials"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path, text: str, mode: int, why: str) -> None:
    """The text names the setting, and nothing of what may be a secret."""
    path = tmp_path / "credentials"
    path.write_bytes(text.encode(errors="surrogateescape"))
    path.chmod(mode)
    with pytest.raises(SettingsError, match=f"--neighbour-credentials: .*{why}") as refused:
        load(("s3=http://s3:9000",), path)
    assert "hidden" not in str(refused.value)


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    """It was asked for."""
    with pytest.raises(SettingsError, match="No such file"):
        load(("s3=http://s3:9000",), tmp_path / "none")


def test_secrets_are_not_shown() -> None:
    """Whoever prints a table shows no secret."""
    assert "secret" not in repr(Credentials("AKIAEXAMPLE", "secret"))


def test_queues_elsewhere_are_told_of() -> None:
    """Requests for SQS are not passed on: what the URL is for is said, at the start and by doctor."""
    sentence = "event source mappings of queues that this server does not have read them at http://q"
    table = load(["sqs=http://q/", "s3=http://s", "kms=none"], None)
    assert table.elsewhere() == {"s3": "passed on to http://s", "sqs": sentence}
    assert table.about() == [sentence]
    assert load([], None).about() == []
