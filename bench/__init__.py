"""
How fast the program is, each figure beside a yardstick measured in the same run.

`python -m bench` prints one table; `python -m bench.peers` prints the one that compares another emulator.
In: a checkout with its `.venv`. Out: Markdown on standard output. Never: a figure without its yardstick or its command.
"""
