"""
The vocabulary: frozen values and pure rules.

In: parsed values. Out: values and decisions. Never: I/O, asyncio, botocore, the clock.
"""
