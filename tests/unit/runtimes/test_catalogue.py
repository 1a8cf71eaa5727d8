"""The table of runtimes."""

import botocore.loaders

from lambent.runtimes.catalogue import CATALOGUE, PYTHON_PINS


def test_it_knows_what_the_model_knows() -> None:
    """Every identifier of the service model has a row; `custom` is of newer models than some that are installed."""
    model = botocore.loaders.Loader().load_service_model("lambda", "service-2")
    assert set(CATALOGUE) == {*model["shapes"]["Runtime"]["enum"], "custom"}


def test_every_offered_python_is_pinned() -> None:
    """What can be asked for can be installed."""
    offered = {entry.version for entry in CATALOGUE.values() if entry.family == "python" and entry.provider == "host"}
    assert offered == set(PYTHON_PINS)


def test_pins_are_exact() -> None:
    """One installation is like the next."""
    for pins in PYTHON_PINS.values():
        assert f"awslambdaric=={pins.client}" in pins.requirements
        assert all("==" in requirement for requirement in pins.requirements)


def test_rows_split_their_identifier() -> None:
    """Family and version are read off the identifier."""
    assert (CATALOGUE["python3.13"].family, CATALOGUE["python3.13"].version) == ("python", "3.13")
    assert (CATALOGUE["provided.al2023"].family, CATALOGUE["provided.al2023"].version) == ("provided", "al2023")
    assert (CATALOGUE["nodejs"].family, CATALOGUE["nodejs"].version) == ("nodejs", "")
