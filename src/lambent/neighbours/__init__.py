"""
The other AWS services that an application needs: reached by endpoint, never written anew.

In: a request for one of them. Out: its answer, as it comes. Never: what an operation means.
"""
