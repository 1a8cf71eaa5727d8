"""
What is remembered: functions, versions, packages, log events.

In: frozen domain values. Out: the same, after the commit is on disk. Above this
package, code imports `contract.py` and nothing else of it. Never: meaning of an operation.
"""
