"""
What Lambent itself knows of S3: where a request points, the notifications of buckets, and how code is read from there.

In: requests that the gateway passes on, and what came of them. Out: events for functions and queues. Never: objects,
which are the neighbour's.
"""
