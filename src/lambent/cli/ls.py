"""`lambent ls`: the functions of an account in a region."""

from typing import Any

from lambent.cli.client import DEFAULT_ENDPOINT, Endpoint, answers, connect
from lambent.cli.terminal import AsJson, print_json, print_table


def ls(json: AsJson = False, endpoint: Endpoint = DEFAULT_ENDPOINT) -> None:
    """List the functions."""
    with answers(endpoint):
        pages = connect("lambda", endpoint).get_paginator("list_functions").paginate()
        functions = [function for page in pages for function in page["Functions"]]
    if json:
        print_json(functions)
    elif functions:
        headings = ("name", "runtime", "handler", "memory", "timeout", "package", "changed")
        rows = [_row(function) for function in functions]
        print_table(headings, rows, right=("memory", "timeout", "package"))
    else:
        print("no functions")


def _row(function: dict[str, Any]) -> tuple[str, ...]:
    return (
        function["FunctionName"],
        function.get("Runtime", "-"),
        function.get("Handler", "-"),
        f"{function['MemorySize']} MiB",
        f"{function['Timeout']} s",
        f"{function['CodeSize'] / 1024:.1f} KiB",
        function["LastModified"].partition(".")[0].replace("T", " "),
    )
