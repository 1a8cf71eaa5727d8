"""`lambent doctor`: what this machine can do, what is missing, how to add it. `host_facts.py` holds the probes."""

from typing import TYPE_CHECKING, Any

import typer

from lambent.cli.runtimes import RUNTIME_SETTINGS
from lambent.cli.setting_options import settings_from, with_settings
from lambent.cli.terminal import AsJson, print_json, print_table

if TYPE_CHECKING:
    from lambent.cli.host_facts import Fact


@with_settings("host", "port", "insecure", "sandbox", "egress", "neighbour", "neighbour_credentials", *RUNTIME_SETTINGS)
def doctor(json: AsJson = False, **given: Any) -> None:
    """
    Probe this machine: what it can do, what is missing, how to add it.

    Exit code 1 says that a server with these settings could not run a function here.
    """
    from lambent.cli.host_facts import State, probe_host

    facts = probe_host(settings_from(given))
    if json:
        print_json([_plain(fact) for fact in facts])
    else:
        rows = [(fact.what, fact.state.value, _with_remedy(fact)) for fact in facts]
        print_table(("what", "here", "found, and what changes it"), rows)
    if any(fact.is_needed and fact.state is State.NO for fact in facts):
        raise typer.Exit(1)


def _with_remedy(fact: "Fact") -> str:
    return f"{fact.detail}\n  -> {fact.remedy}" if fact.remedy else fact.detail


def _plain(fact: "Fact") -> dict[str, Any]:
    return {
        "what": fact.what,
        "state": fact.state.value,
        "detail": fact.detail,
        "remedy": fact.remedy,
        "needed": fact.is_needed,
    }
