"""
What this version does with everything that the service models hold: the report behind `lambent conformance`.

In: the service models, the judgements beside each service (`services/<service>/conformance.py`), and the evidence that
tests with real clients left (`lambda.json`, `logs.json`). Out: a report, as data or Markdown. Never: a running server.
"""
