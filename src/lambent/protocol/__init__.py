"""
Bytes <-> shapes, driven by botocore's service models.

In: a `WireRequest`. Out: an operation and its parameters as plain Python values; and the way back to a
`WireResponse`. One engine serves every service; no operation is routed by hand. Never: what an operation means.
"""
