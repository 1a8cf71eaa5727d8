"""
Lambent: AWS Lambda that you run yourself.

An invocation crosses these packages in order:

    gateway/       1  HTTP arrives
    protocol/      2  bytes <-> shapes, driven by botocore's service models
    services/      3  what each operation means
    dispatch/      4  which version, may it run now, and what follows
    fleet/         5  where: placement of invocations on execution environments
    execution/     6  execution environments: their states, and the pool of them
    sandbox/       7a the walls around one environment
    runtime_api/   7b the door inside: the Runtime API that a runtime speaks
    runtimes/      7c the languages
    telemetry/     8  what is told: logs, metrics, traces
    store/         9  what is remembered: functions, versions, packages, logs

Beside them: `domain` (the vocabulary, no I/O), `errors`, `clock` and `settings`
at the bottom; `event_sources` (the other way in: pollers of queues);
`destinations` (where the news of asynchronous invocations goes); `access` (who
may); `cli` (a client like any other); `testing` (fakes and suites that are
shipped). Start reading at `app.py`, which joins the parts in `assembly`.
"""

__version__ = "0.1.0"
