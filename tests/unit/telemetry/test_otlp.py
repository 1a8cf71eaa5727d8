"""What settings say of a collector."""

import sys
from pathlib import Path

import pytest

from lambent.errors.families import SettingsError
from lambent.telemetry import otlp
from lambent.telemetry.otlp import collector


def headers(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "headers"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_no_endpoint_is_no_collector() -> None:
    """The usual case: nothing is asked for, and nothing need be installed."""
    assert collector("", None) is None


def test_signals_have_paths_of_their_own(tmp_path: Path) -> None:
    """Below the endpoint's; headers come from a file, a line each."""
    found = collector("http://127.0.0.1:4318/", headers(tmp_path, "x-key: a:b\n\nAuthorization:  Basic c2VjcmV0 \n"))
    assert found is not None
    assert found.url("metrics") == "http://127.0.0.1:4318/v1/metrics"
    assert found.headers == {"x-key": "a:b", "Authorization": "Basic c2VjcmV0"}


@pytest.mark.parametrize("text", ["no colon\n", "two words: x\n", ": x\n", "a: b\x00c\n"])
def test_what_is_no_header_is_refused(tmp_path: Path, text: str) -> None:
    """Naming the line, and not what it says."""
    with pytest.raises(SettingsError, match="line 1 is not of the form") as refused:
        collector("http://127.0.0.1:4318", headers(tmp_path, text))
    assert "b\x00c" not in str(refused.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """It may hold a secret."""
    with pytest.raises(SettingsError, match="is open to others"):
        collector("http://127.0.0.1:4318", headers(tmp_path, "a: b", 0o644))
    with pytest.raises(SettingsError, match="otlp-headers-file"):
        collector("http://127.0.0.1:4318", tmp_path / "none")


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that adds it."""
    monkeypatch.setattr(otlp, "_PACKAGE", "opentelemetry.nowhere")
    with pytest.raises(SettingsError, match=r"pip install 'lambent\[otlp\]'"):
        collector("http://127.0.0.1:4318", None)


def test_an_exporter_that_is_missing_beside_the_api_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many packages bring OpenTelemetry's API, and not what speaks to a collector."""
    package = "opentelemetry.exporter.otlp.proto.http"
    monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setitem(sys.modules, package.rpartition(".")[0], None)
    with pytest.raises(SettingsError, match="pip install 'lambent\\[otlp\\]'"):
        collector("http://127.0.0.1:4318", None)
