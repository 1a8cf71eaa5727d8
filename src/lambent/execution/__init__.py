"""
Execution environments: their states, what drives them, and the pool of them.

In: a deployment and invocations. Out: outcomes, and log records. `environment.py` decides without I/O,
`driver.py` performs. Never: which version a qualifier means, or what follows an outcome.
"""
