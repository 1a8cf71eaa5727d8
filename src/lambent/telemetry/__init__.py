"""
What an invocation leaves behind: its log.

In: bytes from an environment's output pipe, and the moments at which an invocation started and ended. Out: records in
segment files, one write each, folded into the log store later. Never: makes an invocation wait for the
database, or fail because the disk is full.
"""
