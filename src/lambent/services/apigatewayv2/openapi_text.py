"""OpenAPI definitions as text: JSON, or YAML where its library is there."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from lambent.domain.caller import Scope
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2.limits import IMPORT_MAX_BYTES

_NOT_INSTALLED = "definitions in YAML need the extra `apis`: pip install 'lambent[apis]'; JSON works without it"

_MERGED_MAX = 100
_ENTRIES_MAX = 10_000
"""Mappings that one `<<` joins, and what they may come to: each such line could double what the last one made."""


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
    try:
        return msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError) as error:
        raise unreadable(f"It is no JSON: {error}") from None


def _read_yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise BadRequestException(_NOT_INSTALLED) from None
    loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(loader):  # type: ignore[misc]
        """Bounds what merges may come to, and leaves texts that look like dates what they are."""

        yaml_implicit_resolvers: ClassVar[Any] = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in loader.yaml_implicit_resolvers.items()
        }

        def flatten_mapping(self, node: Any) -> None:
            for key, value in node.value:
                if key.tag == "tag:yaml.org,2002:merge" and len(value.value) > _MERGED_MAX:
                    raise yaml.YAMLError("too much is merged")
            super().flatten_mapping(node)
            if len(node.value) > _ENTRIES_MAX:
                raise yaml.YAMLError("too much is merged")

    try:
        return yaml.load(text, Loader=Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise unreadable(f"It is neither JSON nor YAML: {' '.join(str(error).split())[:300]}") from None


def as_text(value: Any) -> str | None:
    """Return a scalar as the text that stood there, as far as YAML left it, such as `1.0`; None for what is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 64:
        # Python refuses to write very long ones.
        return None
    return str(value) if isinstance(value, str | int | float) else None
