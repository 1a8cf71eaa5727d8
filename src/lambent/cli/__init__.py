"""
The command line: `lambent serve`, and clients of a server that speak to it like anyone else.

In: arguments. Out: text for people, or JSON with `--json`. `main.py` names the commands, one module
holds each. Only `serve` imports the server; `demo`, `doctor` and `runtimes` probe this machine through the runtimes;
`conformance` reports what the services do with their models; all others are HTTP clients. Nothing
outside this package prints.
"""
