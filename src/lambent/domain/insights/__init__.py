"""
The query language of CloudWatch Logs Insights: text to a query, events to rows.

In: a query's text and log events, in any order. Out: rows of text. Never: a store, a clock, a pattern of a user's
on an engine that backtracks.

Source: CloudWatch Logs user guide, Logs Insights QL, unless a line says otherwise.
"""
