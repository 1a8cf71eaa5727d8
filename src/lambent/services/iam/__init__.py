"""
The IAM API, 2010-05-08: users, groups, roles, policies and keys of an account. It is global: regions do not matter.

In: a caller and validated parameters. Out: output shapes as plain mappings. Never: HTTP, SQL, a decision on who may do
what, which is the authorizer's.
"""
