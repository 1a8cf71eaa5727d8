"""
The walls around one execution environment.

In: what to run. Out: a listener for its Runtime API, its output, its end. Above this package, code
imports `contract.py`; `DRIVERS` names the implementations. Never: what an invocation is.
"""

DRIVERS: dict[str, str] = {
    "namespace": "lambent.sandbox.namespace:NamespaceSandbox",
    "rootless": "lambent.sandbox.rootless:RootlessSandbox",
    "process": "lambent.sandbox.process:ProcessSandbox",
}
"""Driver name, as in `--sandbox`, to the import path of its class."""
