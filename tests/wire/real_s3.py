"""An S3 server in Go that checks every signature: versitygw, which `tools/setup.py versitygw` builds."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from wire.support import ROOT

PROGRAM = ROOT / ".cache" / "versitygw" / "versitygw"


class RealS3:
    """One such server, on a port and a folder of its own; it can go away and come back."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="lambent-versitygw-"))
        for name in ("data", "versions"):
            (self.folder / name).mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.credentials = self.folder / "credentials"
        self.credentials.write_text("[s3]\naws_access_key_id = REALKEY\naws_secret_access_key = real-secret\n")
        self.credentials.chmod(0o600)
        self.process = None

    def start(self):
        environ = {**os.environ, "ROOT_ACCESS_KEY": "REALKEY", "ROOT_SECRET_KEY": "real-secret"}
        self.process = subprocess.Popen(
            [PROGRAM, "--port", f"127.0.0.1:{self.port}", "--quiet", "posix", "--versioning-dir",
             self.folder / "versions", self.folder / "data"],
            env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert time.monotonic() < deadline, "versitygw did not start"
            time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


@contextlib.contextmanager
def real_s3():
    """Run one; a test without the program is skipped."""
    if not os.access(PROGRAM, os.X_OK):
        pytest.skip("needs:versitygw:apt install golang-go, then make test where go reaches its module proxy")
    made = RealS3()
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(made.folder)
