"""
HTTP arrives here.

In: raw ASGI from uvicorn. Out: the answer of one operation, or an error in its protocol's own form.
`pipeline.py` is the sequence of steps. Never: what an operation means.
"""
