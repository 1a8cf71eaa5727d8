"""What the suites in Node.js are written with: how a handler is written down, and how it is run."""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from conformance.machine import RuntimesHome

from lambent.runtimes.contract import Runtimes, RuntimeUnavailable
from lambent.testing.conformance.runtime import Answered, FunctionRunner


def js(body: str, before: str = "") -> dict[str, str]:
    """Return a package whose handler, a function that may await, has this body."""
    return {"app.js": f"{before}\nexports.handler = async (event, context) => {{ {body} }};\n"}


def js_stream(body: str, before: str = "") -> dict[str, str]:
    """Return a file whose handler streams."""
    handler = f"awslambda.streamifyResponse(async (event, stream, context) => {{ {body} }})"
    return {"app.js": f"{before} exports.handler = {handler};"}


class NodejsFunctions(FunctionRunner):
    """Runs functions in some Node.js of this machine with our client: the version may be one that is not here."""

    home: ClassVar[RuntimesHome]
    runtime = "nodejs22.x"

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _home(cls, runtimes_home: RuntimesHome) -> None:
        cls.home = runtimes_home
        try:
            asyncio.run(runtimes_home.runtimes("nearest", True).prepare(cls.runtime))
        except RuntimeUnavailable:
            pytest.skip("needs:nodejs:apt install nodejs")

    def make_runtimes(self, has_own_root: bool) -> Runtimes:
        return self.home.runtimes("nearest", has_own_root)

    def answer(
        self,
        files: Mapping[str, str],
        event: object = None,
        runtime: str = "",
        handler: str | None = None,
        **given: Any,
    ) -> Answered:
        """Return what a function of these files answers; `runtime` asks for another version."""
        self.runtime = runtime or self.runtime
        (answer,) = self.run_files(files, {} if event is None else event, handler=handler, **given)
        return answer
