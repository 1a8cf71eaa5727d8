"""A Kinesis server that is not ours, kinesis-local from npm; `tools/setup.py kinesis-local` installs it."""

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from wire.support import ROOT

FOLDER = ROOT / ".cache" / "kinesis-local" / "node_modules" / "kinesis-local"


class KinesisServer:
    """One process on a port of its own. What it holds is in its memory, unless it has a folder."""

    def __init__(self, folder=None):
        if shutil.which("node") is None or not (FOLDER / "main.js").is_file():
            pytest.skip("needs:kinesis-local:apt install nodejs npm, then make test where npm reaches a package index")
        self.folder = folder
        self.process = None
        with socket.socket() as plain, socket.socket() as tls:
            for one in (plain, tls):
                one.bind(("127.0.0.1", 0))
            self.port, self._tls_port = plain.getsockname()[1], tls.getsockname()[1]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        environ = {
            **os.environ,
            "KINESIS_MOCK_PLAIN_PORT": str(self.port),
            "KINESIS_MOCK_TLS_PORT": str(self._tls_port),
            "LOG_LEVEL": "ERROR",
            **{
                f"{what}_DURATION": "10ms" for what in ("CREATE_STREAM", "DELETE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS")
            },
        }
        if self.folder is not None:
            environ |= {"SHOULD_PERSIST_DATA": "true", "PERSIST_PATH": str(self.folder), "PERSIST_INTERVAL": "100ms"}
        self.process = subprocess.Popen(
            ["node", ROOT / "tools" / "kinesis_local.js"],
            cwd=FOLDER,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
                return self
            except urllib.error.HTTPError as answer:
                answer.close()
                return self
            except OSError:
                assert time.monotonic() < deadline and self.process.poll() is None, "kinesis-local did not start"
                time.sleep(0.05)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            # It would wait for its clients to leave.
            self.process.kill()
            self.process.wait(30)
