"""
The door inside: the Runtime API (2018-06-01), one listener per execution environment.

In: HTTP/1.1 from a runtime's client. Out: calls on `contract.RuntimeEvents`. The listener that accepted
is the environment's identity. Never: what an invocation means.
"""
