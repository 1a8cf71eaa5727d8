"""
What clients ask of a server, and how it answers: written down where LAMBENT_TEST_OBSERVED names a file.

One JSON object a line, each kind of call once a process. tools/observed.py makes the evidence of it that
`lambent conformance` shows; CONTRIBUTING.md says how.
"""

import json
import os
from pathlib import Path

DEPTH = 2
"""Levels of members that are written down, as the report judges them."""

_KEY = "lambent-members"

_written = set()


def observed(client):
    """Return the client, whose calls are written down from now on if anybody asked for that."""
    if os.environ.get("LAMBENT_TEST_OBSERVED"):
        client.meta.events.register("before-parameter-build", _note_members)
        client.meta.events.register("after-call", _write_call)
    return client


def members_in_use(parameters, shape, depth=DEPTH):
    """
    Return the members of a structure that parameters give a value, members of members as `Code.ZipFile`.

    Members of the structures in a list are `FileSystemConfigs[].Arn`; keys of maps are data, no members.
    """
    found = set()
    for name, value in parameters.items():
        if value is None or name not in shape.members:
            continue
        found.add(name)
        member, items, step = shape.members[name], [value], "."
        while member.type_name == "list":
            # What is no list gets there only where a test has turned the client's own checks off.
            items = [inner for item in items if isinstance(item, list | tuple) for inner in item]
            member, step = member.member, "[]" + step
        if member.type_name == "structure" and depth > 1:
            for item in items:
                if isinstance(item, dict):
                    found |= {name + step + inner for inner in members_in_use(item, member, depth - 1)}
    return found


def _note_members(params, model, context, **_):
    if model.input_shape is not None and isinstance(params, dict):
        context[_KEY] = sorted(members_in_use(params, model.input_shape))


def _write_call(http_response, parsed, model, context, **_):
    line = json.dumps(
        {
            "service": model.service_model.service_name,
            "operation": model.name,
            "members": context.get(_KEY, []),
            "status": http_response.status_code,
            "error": _error_of(parsed, model.service_model),
            "test": _running_test(),
        }
    )
    if line not in _written:
        _written.add(line)
        with Path(os.environ["LAMBENT_TEST_OBSERVED"]).open("a") as file:
            file.write(line + "\n")


def _error_of(parsed, service_model):
    """Return the name of an error's shape, by which the report knows it; the code of one that the model has not."""
    error = parsed.get("Error", {})
    if error.get("QueryErrorCode"):
        # Of a service that kept the codes of the query protocol: the shape's name.
        return error["QueryErrorCode"]
    shape = service_model.shape_for_error_code(error["Code"]) if "Code" in error else None
    return error.get("Code") if shape is None else shape.name


def _running_test():
    """Return the file of the test that runs now, from `tests/`."""
    return os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0].removeprefix("tests/")
