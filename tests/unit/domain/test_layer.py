"""Names of layers, taken apart and put together, and whom a layer version suits."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.caller import Scope
from lambent.domain.layer import (
    AttachedLayer,
    LayerName,
    LayerReference,
    LayerVersion,
    layer_arn,
    layers_key,
    parse_layer_reference,
)

ACCOUNT, REGION = "111122223333", "eu-west-1"
SCOPE = Scope(ACCOUNT, REGION)


def version(**settings: tuple[str, ...]) -> LayerVersion:
    return LayerVersion(SCOPE, LayerName("l"), 3, "0" * 64, 1, 0.0, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l", LayerReference(LayerName("l"), None, None, None)),
        ("a_B-9", LayerReference(LayerName("a_B-9"), None, None, None)),
        (f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:l", LayerReference(LayerName("l"), None, ACCOUNT, REGION)),
        (f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:l:7", LayerReference(LayerName("l"), 7, ACCOUNT, REGION)),
        (f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:l:07", LayerReference(LayerName("l"), 7, ACCOUNT, REGION)),
        # The model's pattern lets the partition be empty.
        (f"arn::lambda:{REGION}:{ACCOUNT}:layer:l:7", LayerReference(LayerName("l"), 7, ACCOUNT, REGION)),
        (
            f"arn:aws-us-gov:lambda:us-gov-west-1:{ACCOUNT}:layer:l:1",
            LayerReference(LayerName("l"), 1, ACCOUNT, "us-gov-west-1"),
        ),
    ],
)
def test_every_form_of_a_layer_is_understood(text: str, expected: LayerReference) -> None:
    """A name, an ARN, and the ARN of a version."""
    assert parse_layer_reference(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "l:",
        "l:x",
        "arn:aws:lambda:::awslayer:x",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:l:",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:l:1\n",
        f"arn:aws:lambda:{REGION}::layer:l:1",
    ],
)
def test_what_is_no_layer_is_refused(text: str) -> None:
    """Anything else raises, so that nothing of another kind is taken for a layer."""
    with pytest.raises(ValueError, match="not a layer name or ARN"):
        parse_layer_reference(text)


@given(st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=140), st.integers(1, 10**30))
def test_what_is_put_together_is_taken_apart_again(name: str, number: int) -> None:
    """Names and ARNs come back as they were."""
    assert parse_layer_reference(layer_arn(SCOPE, name)) == LayerReference(LayerName(name), None, ACCOUNT, REGION)
    assert parse_layer_reference(f"{layer_arn(SCOPE, name)}:{number}") == LayerReference(
        LayerName(name), number, ACCOUNT, REGION
    )


def test_a_version_suits_whom_it_names() -> None:
    """Who asks for nothing gets every version; one that names nothing suits nobody who asks."""
    told = version(runtimes=("python3.13", "nodejs22.x"), architectures=("arm64",))
    silent = version()
    assert told.suits(None, None)
    assert silent.suits(None, None)
    assert told.suits("python3.13", None)
    assert told.suits(None, "arm64")
    assert told.suits("nodejs22.x", "arm64")
    assert not told.suits("python3.13", "x86_64")
    assert not told.suits("python3.12", "arm64")
    assert not silent.suits("python3.13", None)
    assert not silent.suits(None, "arm64")


def test_merged_content_depends_on_packages_and_their_order() -> None:
    """LY-01: the same zips in another order are other content; under another ARN they are the same."""
    a, b = AttachedLayer("a:1", "1" * 64, 1), AttachedLayer("b:1", "2" * 64, 1)
    assert layers_key([a, b]) != layers_key([b, a])
    assert layers_key([a, b]) == layers_key([AttachedLayer("c:9", "1" * 64, 1), b])
