"""What the suites in Ruby are written with: how a handler is written down, and how it is run."""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from conformance.machine import RuntimesHome

from lambent.runtimes.contract import Runtimes, RuntimeUnavailable
from lambent.testing.conformance.runtime import Answered, FunctionRunner


def rb(body: str, before: str = "") -> dict[str, str]:
    """Return a package whose handler has this body."""
    return {"app.rb": f"{before}\ndef handler(event:, context:)\n{body}\nend\n"}


def gem(root: str, name: str, text: str) -> dict[str, str]:
    """Return the files of an installed gem, whose one library holds a text."""
    specification = (
        f"Gem::Specification.new {{ |s| s.name = '{name}'; s.version = '9.0'; s.summary = 's'; s.authors = ['a'];"
        f" s.files = ['lib/{name}.rb'] }}\n"
    )
    return {f"{root}/specifications/{name}-9.0.gemspec": specification, f"{root}/gems/{name}-9.0/lib/{name}.rb": text}


class RubyFunctions(FunctionRunner):
    """Runs functions in some Ruby of this machine with our client: the version may be one that is not here."""

    home: ClassVar[RuntimesHome]
    runtime = "ruby3.4"

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _home(cls, runtimes_home: RuntimesHome) -> None:
        cls.home = runtimes_home
        try:
            asyncio.run(runtimes_home.runtimes("nearest", True).prepare(cls.runtime))
        except RuntimeUnavailable:
            pytest.skip("needs:ruby:apt install ruby")

    def make_runtimes(self, has_own_root: bool) -> Runtimes:
        return self.home.runtimes("nearest", has_own_root)

    def answer(self, files: Mapping[str, str], event: object = None, **given: Any) -> Answered:
        """Return what a function of these files answers."""
        (answer,) = self.run_files(files, {} if event is None else event, **given)
        return answer
