"""
The languages that `lambent deploy` builds, one module each; `table.py` lists them.

A folder comes in, folders that make a deployment package go out. Never here: a server, or a word of the Lambda API.
"""
