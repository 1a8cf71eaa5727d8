"""
Which route of an HTTP API a request takes. Pure.

Documented: API Gateway developer guide, working with routes for HTTP APIs: a route whose method and path match wholly
comes first, then one with a greedy variable, then `$default`; what names more comes before what leaves it open.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

R = TypeVar("R")

METHODS = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

_KEY = re.compile(rf"({'|'.join(METHODS)}) (/.*)")
_VARIABLE = re.compile(r"\{([A-Za-z0-9._:-]+)(\+?)\}")
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]*")


class MalformedRouteKey(Exception):
    """A text is no route key; says why."""


class RouteKey(NamedTuple):
    """A route key taken apart."""

    method: str
    """`ANY`, or an HTTP method."""
    segments: tuple[str, ...]
    """Of the path: texts, `{name}`, and as the last one perhaps `{name+}`."""


class Matched(NamedTuple, Generic[R]):
    """The route that a request takes."""

    route: R
    parameters: dict[str, str]
    """What its variables stand for."""


def parse_route_key(key: str) -> RouteKey | None:
    """
    Take a route key apart; None is `$default`.

    Raises:
        MalformedRouteKey: it is none.
    """
    if key == "$default":
        return None
    found = _KEY.fullmatch(key)
    if found is None:
        raise MalformedRouteKey(f"it must be $default, or one of {', '.join(METHODS)}, a blank and a path")
    method, path = found.groups()
    segments = tuple(path[1:].split("/"))
    if path != "/" and "" in segments:
        # Observed: a path that ends in a slash is refused (storacha/w3infra#166).
        raise MalformedRouteKey("no segment of its path may be empty")
    names = []
    for number, segment in enumerate(segments):
        variable = _VARIABLE.fullmatch(segment)
        if variable is None:
            if _LITERAL.fullmatch(segment) is None:
                raise MalformedRouteKey(f"the segment {segment!r} is neither text nor a variable that fills it")
            continue
        names.append(variable[1])
        if variable[2] and number != len(segments) - 1:
            raise MalformedRouteKey("a greedy variable has to stand at the end")
    if len(set(names)) != len(names):
        raise MalformedRouteKey("two variables have one name")
    return RouteKey(method, segments)


def shape_of(key: RouteKey) -> tuple[str, ...]:
    """Return what two keys share that would match the same paths: variables without their names."""
    return (key.method, *(_VARIABLE.sub(r"{\2}", segment) for segment in key.segments))


class _Node(Generic[R]):
    """Routes below one beginning of a path."""

    __slots__ = ("ends", "greedy", "literals", "variable")

    def __init__(self) -> None:
        self.literals: dict[str, _Node[R]] = {}
        self.variable: _Node[R] | None = None
        self.ends: dict[str, tuple[R, tuple[str, ...]]] = {}
        """By method, with the names of the variables on the way."""
        self.greedy: dict[str, tuple[R, tuple[str, ...]]] = {}


class RouteTable(Generic[R]):
    """
    Finds routes by method and path; how long that takes depends on the path, not on how many routes there are.

    Args:
        routes: by route key, which are sound.
    """

    def __init__(self, routes: Mapping[str, R]) -> None:
        self._root: _Node[R] = _Node()
        self._default: R | None = None
        for key, route in routes.items():
            self._add(key, route)

    def match(self, method: str, path: str) -> Matched[R] | None:
        """
        Return the route that a request takes; None: there is none.

        Args:
            path: begins with a slash, decoded, without the stage: what a function sees has to be what was matched, or a
                route that needs a token could be gone round. A variable never stands for an empty segment.
        """
        segments = path[1:].split("/")
        found = self._whole(self._root, method, segments, 0) or self._greedy(method, segments)
        if found is not None:
            route, names, values = found
            return Matched(route, dict(zip(names, values, strict=True)))
        return None if self._default is None else Matched(self._default, {})

    def _add(self, key: str, route: R) -> None:
        parsed = parse_route_key(key)
        if parsed is None:
            self._default = route
            return
        node = self._root
        names: list[str] = []
        for segment in parsed.segments:
            variable = _VARIABLE.fullmatch(segment)
            if variable is None:
                node = node.literals.setdefault(segment, _Node())
                continue
            names.append(variable[1])
            if variable[2]:
                node.greedy[parsed.method] = (route, tuple(names))
                return
            if node.variable is None:
                node.variable = _Node()
            node = node.variable
        node.ends[parsed.method] = (route, tuple(names))

    def _whole(
        self, node: _Node[R], method: str, segments: list[str], at: int
    ) -> tuple[R, tuple[str, ...], list[str]] | None:
        """Return the first route that matches from here on, with what its variables stand for, the first one last."""
        if at == len(segments):
            end = node.ends.get(method) or node.ends.get("ANY")
            return None if end is None else (*end, [])
        segment = segments[at]
        below = node.literals.get(segment)
        if below is not None and (found := self._whole(below, method, segments, at + 1)) is not None:
            return found
        if segment and node.variable is not None:
            found = self._whole(node.variable, method, segments, at + 1)
            if found is not None:
                found[2].insert(0, segment)
                return found
        return None

    def _greedy(self, method: str, segments: list[str]) -> tuple[R, tuple[str, ...], list[str]] | None:
        """Return the route with a greedy variable behind the longest beginning of the path."""
        # Each beginning that routes have, the longest last, of two equally long ones the one that names more last.
        begun: list[tuple[_Node[R], list[str], int]] = []
        level: list[tuple[_Node[R], list[str]]] = [(self._root, [])]
        for at in range(len(segments)):
            begun.extend((node, values, at) for node, values in reversed(level))
            level = list(_below(level, segments[at]))
        for node, values, at in reversed(begun):
            rest = "/".join(segments[at:])
            end = node.greedy.get(method) or node.greedy.get("ANY")
            if end is not None and rest:
                return (*end, [*values, rest])
        return None


def _below(level: Iterable[tuple[_Node[R], list[str]]], segment: str) -> Iterable[tuple[_Node[R], list[str]]]:
    for node, values in level:
        below = node.literals.get(segment)
        if below is not None:
            yield below, values
        if segment and node.variable is not None:
            yield node.variable, [*values, segment]
