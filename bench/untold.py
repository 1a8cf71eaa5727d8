"""
Lambent with everything taken out that is told of invocations: the yardstick for what telling costs.

    python -m bench.untold serve ...

No log line, record, figure or trace is kept; a function's output is read and thrown away. Nothing else differs.
"""

from typing import Any

from lambent.__main__ import main
from lambent.execution.output import EnvironmentOutput
from lambent.telemetry.logs import EnvironmentLog
from lambent.telemetry.metrics import Metrics


def _nothing(*_: Any, **__: Any) -> None:
    pass


for _class, _names in {
    EnvironmentLog: ("output", "started", "ended"),
    EnvironmentOutput: ("write", "start", "end"),
    Metrics: ("add",),
}.items():
    for _name in _names:
        assert callable(getattr(_class, _name)), _name
        setattr(_class, _name, _nothing)

if __name__ == "__main__":
    main()
