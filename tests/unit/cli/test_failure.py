"""How a command ends when what it writes to is full."""

import errno
import io
import os
import sys

import pytest

from lambent.cli.failure import exit_code_of


class Full(io.StringIO):
    """Takes nothing, at once or when it is flushed."""

    def __init__(self, *, is_buffered: bool) -> None:
        super().__init__()
        self.is_buffered = is_buffered

    def write(self, text: str) -> int:
        if self.is_buffered:
            return len(text)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("is_buffered", [False, True])
def test_a_disk_that_is_full_is_said_in_one_line(
    is_buffered: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether the text fails as it is written, or stays behind until the end."""
    monkeypatch.setattr(sys, "stdout", Full(is_buffered=is_buffered))
    assert exit_code_of(lambda: print("x")) == 1
    assert capsys.readouterr().err == "lambent: there is no room to write to: No space left on device\n"


def test_what_else_fails_is_a_defect() -> None:
    def act() -> None:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        exit_code_of(act)
