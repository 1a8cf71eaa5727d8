"""
Programs that run inside the walls, before and beside the customer's code.

They are copied into every environment's root and run alone, on any Python from 3.8 on: the standard library only, and
nothing of the rest of Lambent. In: orders over a socket. Out: processes of execution environments. Never: customer
code before privileges have been dropped.
"""
