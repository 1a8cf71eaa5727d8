"""Evidence as it is kept: a small file that changes only where tests did."""

from pathlib import Path

import pytest

from lambent.services.conformance import evidence
from lambent.services.conformance.evidence import OperationEvidence, load, path_of, write


def test_there_and_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was written is read again, and is sorted, so that a comparison shows what changed."""
    monkeypatch.setattr(evidence, "FOLDER", tmp_path)
    found = {
        "Put": OperationEvidence({"Name": "wire/test_b.py", "Code": "wire/test_a.py"}, {"Refused": "wire/test_a.py"}),
        "Get": OperationEvidence(),
    }
    text = write(found)
    path_of("s").write_text(text)
    assert load("s") == found
    assert text.index('"Get"') < text.index('"Put"') and text.index('"Code"') < text.index('"Name"')
    assert text.endswith("}\n")


def test_no_file_is_no_evidence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service that no test has called yet has none."""
    monkeypatch.setattr(evidence, "FOLDER", tmp_path)
    assert load("s") == {}
