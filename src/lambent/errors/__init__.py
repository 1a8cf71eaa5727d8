"""
What can go wrong, by who is at fault. `families.py` draws the tree; `api/` holds
one generated class per error shape of each service model. Imports nothing of Lambent.
"""
