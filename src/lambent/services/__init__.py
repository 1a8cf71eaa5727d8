"""
What each operation means, one folder per service model, named as botocore names it.

In: a `Caller` and parameters that passed shape validation. Out: the output shape as a plain mapping, or
an `ApiError`. Never: HTTP.
"""
