"""
What usage means: in money, as a forecast, as advice, and as rows for other tools.

In: sums of the store, and a list of prices. Out: structs, or bytes of a table. Never: HTTP, and no counting of its own.
"""
