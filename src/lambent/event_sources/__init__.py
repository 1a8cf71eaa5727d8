"""
The other way in: pollers read queues, and feed what they read to functions.

In: event source mappings, as the store has them; what waits in queues. Out: invocations through dispatch, deletions of
what was dealt with. Never: an invocation that does not count as all others do, a look at a queue that nobody filled.
"""
