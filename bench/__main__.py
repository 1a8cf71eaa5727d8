"""`python -m bench`: measure, and print one table."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.load import BadAnswer
from bench.processes import NotReady, shown
from bench.rows import ROWS, Plan
from bench.table import HEADING, Line, file_system, machine, render
from bench.targets import TargetFailed, lambent_command, runtime_facts
from bench.yardsticks import PAIRS_MIN


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Run the rows asked for. Progress goes to standard error, the result to standard output."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="measure Lambent, each figure beside its yardstick"
    )
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that it works, not how fast")
    parser.add_argument(
        "--only", action="append", choices=list(ROWS), metavar="ROW", help=f"one of {', '.join(ROWS)}; repeatable"
    )
    parser.add_argument(
        "--runtime", default=f"python{sys.version_info.major}.{sys.version_info.minor}", help="the functions' runtime"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 when a required figure is missed")
    options = parser.parse_args()

    _say(f"starting Lambent with {options.runtime} (the first run installs its client)")
    try:
        facts = runtime_facts(options.runtime)
    except (NotReady, TargetFailed, BadAnswer) as error:
        _say(f"bench: {error}")
        return 1
    plan = Plan(
        runtime=options.runtime,
        facts=facts,
        rounds=5 if options.quick else PAIRS_MIN,
        heavy_rounds=2 if options.quick else 6,
        rest_s=3 if options.quick else 10,
        stored_functions=1_000 if options.quick else 10_000,
        waiting_events=50_000 if options.quick else 1_000_000,
        log_lines=100_000 if options.quick else 1_000_000,
        dense=100 if options.quick else 1_000,
        say=_say,
    )
    heading = [
        f"machine: {machine()}",
        f"functions: {options.runtime} by {facts.interpreter}",
        f"data folders: below {tempfile.gettempdir()}, {file_system(Path(tempfile.gettempdir()))}",
        f"server: {shown(lambent_command('<new folder>'))}",
        f"medians of {plan.rounds} alternating rounds ({plan.heavy_rounds} for burst and start)"
        + (": too few to quote" if options.quick else ""),
    ]
    lines: list[Line] = []
    failed: list[str] = []
    for name in options.only or ROWS:
        _say(f"{name} ...")
        try:
            lines += ROWS[name](plan)
        except (NotReady, TargetFailed, BadAnswer, subprocess.CalledProcessError) as error:
            _say(f"  {name}: {error}")
            failed.append(name)
    print("\n".join(heading) + "\n")
    print(render(HEADING, [line.cells() for line in lines]))
    for name in failed:
        print(f"\nnot measured: {name} (see standard error)")
    return 1 if failed or (options.check and any(line.is_missed for line in lines)) else 0


if __name__ == "__main__":
    sys.exit(main())
