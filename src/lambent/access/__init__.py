"""
Who may do what.

In: a caller, an action, a resource. Out: silence, or an AccessDeniedException. Never: HTTP.
"""
