"""
The languages: which runtimes this machine can run, and how.

In: a runtime id such as `python3.13`. Out: the command and the variables that start it. `catalogue.py`
holds the data, one module per provider the rules. Never: processes of functions (that is `sandbox`).
"""
