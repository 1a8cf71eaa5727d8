"""
Where an invocation runs. `contract.py` holds the two protocols that a fleet of machines will implement
as well; `local.py` is the adapter for one machine. Never: what follows an outcome (that is `dispatch`).
"""
