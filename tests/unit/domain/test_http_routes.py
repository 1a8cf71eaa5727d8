"""Which route a request takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.http_routes import MalformedRouteKey, Matched, RouteTable, parse_route_key, shape_of

# Documented: API Gateway developer guide, the example of working with routes for HTTP APIs.
DOCUMENTED = ("GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "$default")


def table(*keys: str) -> RouteTable[str]:
    return RouteTable({key: key for key in keys})


@pytest.mark.parametrize(
    ("method", "path", "key", "parameters"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1", {}),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("GET", "/pets/cat/1", "GET /pets/{proxy+}", {"proxy": "cat/1"}),
        ("POST", "/test/5", "ANY /{proxy+}", {"proxy": "test/5"}),
        ("POST", "/pets/dog/1", "ANY /{proxy+}", {"proxy": "pets/dog/1"}),
        ("GET", "/", "$default", {}),
        ("GET", "", "$default", {}),
        ("GET", "/pets", "ANY /{proxy+}", {"proxy": "pets"}),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_the_documented_order(method: str, path: str, key: str, parameters: dict[str, str], order: int) -> None:
    """What names more comes first, in whatever order routes were made; another method is no match."""
    assert table(*DOCUMENTED[::order]).match(method, path) == Matched(key, parameters)


@pytest.mark.parametrize(
    ("keys", "method", "path", "expected"),
    [
        # A method of its own comes before any, at the same path; a fuller path before both.
        (("ANY /a", "GET /a"), "GET", "/a", "GET /a"),
        (("ANY /a", "GET /a"), "PUT", "/a", "ANY /a"),
        (("ANY /a/b", "GET /a/{x}"), "GET", "/a/b", "ANY /a/b"),
        # A whole match comes before a greedy one, however late its text begins.
        (("GET /{a}/x", "GET /pets/{proxy+}"), "GET", "/pets/x", "GET /{a}/x"),
        # A text that leads nowhere is gone back from.
        (("GET /a/b/c", "GET /{x}/b/d"), "GET", "/a/b/d", "GET /{x}/b/d"),
        (("GET /a/{p+}", "GET /{x}/b/{p+}"), "GET", "/a/b/d", "GET /{x}/b/{p+}"),
        (("POST /a/b/{p+}", "GET /a/{p+}"), "GET", "/a/b/c", "GET /a/{p+}"),
        # An empty segment is no value of a variable, and a slash at the end is a segment more.
        (("GET /a/{x}", "GET /a"), "GET", "/a/", None),
        (("GET /a/{p+}",), "GET", "/a/", None),
        (("GET /a/{p+}",), "GET", "/a/b/", "GET /a/{p+}"),
        (("GET /{p+}",), "GET", "/", None),
        (("GET /a",), "GET", "/A", None),
        (("GET /a",), "get", "/a", None),
        ((), "GET", "/a", None),
    ],
)
def test_what_comes_first(keys: tuple[str, ...], method: str, path: str, expected: str | None) -> None:
    """In either order of making."""
    for order in (keys, keys[::-1]):
        found = table(*order).match(method, path)
        assert (None if found is None else found.route) == expected


def test_variables_have_the_names_of_their_route() -> None:
    """Two routes below one variable may call it otherwise."""
    routes = table("GET /{a}/x", "POST /{b}/x", "GET /{c}/{d}", "GET /{e}/{f}/{g+}")
    for method, path, parameters in (
        ("GET", "/1/x", {"a": "1"}),
        ("POST", "/1/x", {"b": "1"}),
        ("GET", "/1/2", {"c": "1", "d": "2"}),
        ("GET", "/1/2/3/4", {"e": "1", "f": "2", "g": "3/4"}),
    ):
        found = routes.match(method, path)
        assert found is not None
        assert found.parameters == parameters


@pytest.mark.parametrize(
    "key",
    [
        "",
        "GET",
        "GET ",
        "GET a",
        "get /a",
        "CONNECT /a",
        "GET /a/",
        "GET //a",
        "GET /{a+}/b",
        "GET /{a}/{a}",
        "GET /x{a}",
        "GET /{a}{b}",
        "GET /{}",
        "GET /a b",
        "GET /a?b",
        "GET  /a",
        "$connect",
        "$default ",
        "GET /\n",
    ],
)
def test_what_is_no_route_key(key: str) -> None:
    with pytest.raises(MalformedRouteKey):
        parse_route_key(key)


def test_shapes() -> None:
    """Variables by other names match the same paths; one that is greedy does not."""

    def shape(key: str) -> object:
        parsed = parse_route_key(key)
        assert parsed is not None
        return shape_of(parsed)

    assert shape("GET /a/{b}") == shape("GET /a/{c}")
    assert len({shape(key) for key in ("GET /a/{b}", "PUT /a/{b}", "GET /a/{b+}", "GET /a/b")}) == 4


SEGMENTS = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=5)


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "{v}"]), min_size=1, max_size=4), min_size=1, max_size=8),
    st.lists(st.booleans(), min_size=8, max_size=8),
    SEGMENTS,
)
def test_as_one_by_one(shapes: list[list[str]], greedy: list[bool], asked: list[str]) -> None:
    """The table finds what comparing the path with each route would."""
    keys = {}
    for shape, is_greedy in zip(shapes, greedy, strict=False):
        named = [f"{{v{at}}}" if part == "{v}" else part for at, part in enumerate(shape)]
        keys["GET /" + "/".join([*named, "{rest+}"] if is_greedy else named)] = (shape, is_greedy)
    found = table(*keys).match("GET", "/" + "/".join(asked))

    def fits(shape: list[str], is_greedy: bool) -> bool:
        begun, rest = asked[: len(shape)], "/".join(asked[len(shape) :])
        is_long_enough = len(asked) > len(shape) and rest != "" if is_greedy else len(asked) == len(shape)
        if len(begun) < len(shape):
            return False
        return is_long_enough and all(
            (part == "{v}" and value != "") or part == value for part, value in zip(shape, begun, strict=True)
        )

    def rank(entry: tuple[list[str], bool]) -> tuple[object, ...]:
        shape, is_greedy = entry
        return (is_greedy, -len(shape) if is_greedy else 0, [part == "{v}" for part in shape])

    fitting = [(rank(entry), key) for key, entry in keys.items() if fits(*entry)]
    assert (None if found is None else found.route) == (min(fitting)[1] if fitting else None)
