"""
How the tables came to be, one file per schema number, run by Alembic in a child process (`lambent.store.migrate`).

A file of `versions/` spells its tables out: it never imports `tables.py`, which moves on.
"""
