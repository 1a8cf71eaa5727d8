"""An SQS server that is not ours: ElasticMQ, which `tools/setup.py elasticmq` fetches once."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from wire.support import REGION, ROOT

JARS = ROOT / ".cache" / "elasticmq" / "jars"
CONFIGURATION = """
include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1", sqs-limits = strict }}
rest-stats {{ enabled = false }}
queues-storage {{ enabled = true, path = "{folder}/queues.conf" }}
messages-storage {{ enabled = true, uri = "jdbc:h2:{folder}/messages", username = "", password = "" }}
"""


class ElasticMq:
    """One server on loopback, which may go and come again with what it kept."""

    def __init__(self):
        if not (JARS.parent / ".complete").is_file() or shutil.which("java") is None:
            pytest.skip("needs:elasticmq:apt install maven, then make test where Maven reaches a repository")
        self.folder = Path(tempfile.mkdtemp(prefix="lambent-elasticmq-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        (self.folder / "server.conf").write_text(CONFIGURATION.format(port=self.port, folder=self.folder))
        self.process = None

    def start(self):
        options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        command = ["java", *options, f"-Dconfig.file={self.folder}/server.conf", "-cp", f"{JARS}/*"]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [*command, "org.elasticmq.server.Main"], stdout=log, stderr=log, cwd=self.folder, env=os.environ
            )
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def kill(self):
        """End it at once, as a crash does."""
        self.process.kill()
        self.process.wait(30)

    def discard(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder)

    def client(self):
        """Return a boto3 client of it. It is not one of ours: nothing of it counts as observed."""
        return boto3.client(
            "sqs",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
