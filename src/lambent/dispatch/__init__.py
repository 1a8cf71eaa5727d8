"""
Which version an invocation means, whether it may run now, and what follows.

In: a function as addressed, an invocation. Out: its outcome. Never: whether an environment is on this machine.
"""
