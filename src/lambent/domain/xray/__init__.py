"""
X-Ray: segment documents, the traces that they make, and what can be asked of those. Pure.

In: documents as clients sent them, and expressions. Out: merged traces, summaries, graphs. Never: a database, a clock.
"""
