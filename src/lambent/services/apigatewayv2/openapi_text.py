"""OpenAPI definitions as text: JSON, or YAML where its library is there."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from lambent.domain.caller import Scope
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2.limits import IMPORT_MAX_BYTES

_NOT_INSTALLED = "definitions in YAML need the extra `apis`: pip install 'lambent[apis]'; JSON works without it"

_NODES_MAX = 250_000
"""
Values in YAML, each of which takes some 400 bytes and several objects while it is read. Python's search for garbage
goes through all of them, and nothing else runs meanwhile.
"""

_CONTAINERS_MAX = 500_000
"""Objects and lists in JSON, likewise; brackets in texts count, too. An ordinary definition of 6 MB has a third."""

_WRITTEN_OUT_MAX = 2 * IMPORT_MAX_BYTES
"""Characters of YAML with each alias as what it stands for; without aliases a text that is short enough has fewer."""

_UNKNOWN = -1


def read_definition(text: str, scope: Scope) -> Mapping[str, Any]:
    """
    Return a definition, with the account, the region and the partition filled in.

    Takes a while for large ones in YAML: not for the event loop.

    Raises:
        BadRequestException: it is too large, or neither of both, or in YAML without the library for it.
    """
    if len(text.encode()) > IMPORT_MAX_BYTES:
        raise BadRequestException(f"The definition must be at most {IMPORT_MAX_BYTES} bytes")
    # Documented: API Gateway developer guide, AWS variables for OpenAPI import.
    for name, value in (("AccountId", scope.account), ("Partition", "aws"), ("Region", scope.region)):
        text = text.replace(f"${{AWS::{name}}}", value)
    definition = _read_json(text) if text.lstrip()[:1] == "{" else _read_yaml(text)
    if not isinstance(definition, dict):
        raise unreadable("it is no object")
    return definition


def write_yaml(definition: Mapping[str, Any]) -> bytes:
    """
    Return a definition as YAML.

    Raises:
        BadRequestException: the library for it is not there.
    """
    try:
        import yaml
    except ImportError:
        raise BadRequestException(_NOT_INSTALLED) from None
    return yaml.safe_dump(definition, sort_keys=False, allow_unicode=True).encode()


def unreadable(why: str) -> BadRequestException:
    # Observed: api-platform/core#3462, the first sentence.
    return BadRequestException(f"Unable to build importer with provided input. {why}")


def _read_json(text: str) -> Any:
    if text.count("{") + text.count("[") > _CONTAINERS_MAX:
        raise unreadable(f"It has more than {_CONTAINERS_MAX} objects and lists")
    try:
        return msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError) as error:
        raise unreadable(f"It is no JSON: {error}") from None


def _read_yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise BadRequestException(_NOT_INSTALLED) from None
    base: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """Bounds how many values there are, and leaves texts that look like dates what they are."""

        yaml_implicit_resolvers: ClassVar[Any] = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in base.yaml_implicit_resolvers.items()
        }
        nodes = 0

        def resolve(self, *arguments: Any) -> Any:
            # Called for each value that does not say of which type it is.
            self.nodes += 1
            if self.nodes > _NODES_MAX:
                raise yaml.YAMLError(f"it has more than {_NODES_MAX} values; JSON may have more")
            return super().resolve(*arguments)

    try:
        loader = Loader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            _check_written_out(root)
            return loader.construct_document(root)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise unreadable(f"It is neither JSON nor YAML: {' '.join(str(error).split())[:300]}") from None


def _check_written_out(root: Any) -> None:
    """
    Refuse what would be too large with each alias, and each merge, as what it stands for.

    A few lines, each of which names the one before twice, stand for more than any memory holds; whoever reads a
    definition may go through all of it.

    Args:
        root: a node of PyYAML, whose aliases are the node that they name.

    Raises:
        ValueError: so it is.
    """
    sizes: dict[int, int] = {}
    waiting = [root]
    while waiting:
        node = waiting[-1]
        if isinstance(node.value, str):
            below = []
        else:
            below = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
        if id(node) not in sizes:
            # Of what is not yet known it says so to whatever comes back to it from below.
            sizes[id(node)] = _UNKNOWN
            unknown = [part for part in below if id(part) not in sizes]
            if any(sizes.get(id(part)) == _UNKNOWN for part in below):
                raise ValueError("an alias stands for what it is in")
            waiting += unknown
            continue
        waiting.pop()
        if sizes[id(node)] == _UNKNOWN:
            # As JSON has it: quotes, a colon or a comma.
            size = 3 + (len(node.value) if isinstance(node.value, str) else sum(sizes[id(part)] for part in below))
            if size > _WRITTEN_OUT_MAX:
                raise ValueError(f"with its aliases written out it is longer than {_WRITTEN_OUT_MAX} characters")
            sizes[id(node)] = size


def as_text(value: Any) -> str | None:
    """Return a scalar as the text that stood there, as far as YAML left it, such as `1.0`; None for what is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 64:
        # Python refuses to write very long ones.
        return None
    return str(value) if isinstance(value, str | int | float) else None
