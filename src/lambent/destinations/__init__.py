"""
The way out of asynchronous invocations: where their records, and dead letters, go.

In: a target and a message, claimed from the outbox. Out: the message, where it belongs. Never: what the message says.
"""
