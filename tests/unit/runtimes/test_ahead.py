"""Which functions' runtimes may be started before there is a function."""

from pathlib import Path

import pytest

from lambent.runtimes.ahead import acts_at_start, brings_libraries, started_ahead
from lambent.runtimes.contract import LayersAt, RuntimeCommand


@pytest.mark.parametrize(
    ("variables", "acts"),
    [
        ({}, False),
        ({"A": "1", "TZ": "Asia/Tokyo", "OWNER": "x", "LANG": "en_US.UTF-8", "LDAP": "x"}, False),
        ({"LANG": "C.UTF-8"}, True),
        ({"LC_ALL": "en_US.UTF-8"}, True),
        ({"LD_PRELOAD": "/var/task/own.so"}, True),
        ({"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}, True),
        ({"A": "1", "OWN_THING": "x"}, True),
        ({"OWNER_OF": "x"}, False),
        ({"OWNNAME": "x"}, True),
    ],
)
def test_variables_that_act_at_start(variables: dict[str, str], acts: bool) -> None:
    """Those of every language, and a language's own by name and by prefix."""
    assert acts_at_start(variables, frozenset({"OWNNAME"}), ("OWN_",)) is acts


def test_libraries_of_a_function(tmp_path: Path) -> None:
    """In the package, in its lib, and in lib of the layers; code in such folders is none."""

    def folder(*names: str) -> Path:
        made = tmp_path / str(len(list(tmp_path.iterdir())))
        for name in ("index.js", *names):
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).touch()
        return made

    assert not brings_libraries(folder("lib/util.js", "node_modules/a/libown.so"), None)
    assert brings_libraries(folder("libown.so.1"), None)
    assert brings_libraries(folder("lib/libown.so"), None)
    assert brings_libraries(folder("lib/glibc-hwcaps/x86-64-v3/libown.so"), None)
    assert not brings_libraries(folder(), LayersAt(folder("libown.so", "bin/tool"), "/opt"))
    assert brings_libraries(folder(), LayersAt(folder("lib/libown.so"), "/opt"))


def test_what_is_started_is_the_command() -> None:
    """With the runtime's own variables and the function's MemorySize, by which kinds of environments differ."""
    command = RuntimeCommand(["/bin/node", "index"], {"PATH": "/bin"}, {"AWS_EXECUTION_ENV": "x"})
    ahead = started_ahead(command, 512)
    assert ahead.argv == ("/bin/node", "index")
    assert dict(ahead.environ) == {
        "PATH": "/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    }
    assert ahead != started_ahead(command, 128)


def test_what_need_not_know_the_memory_is_the_same_for_all() -> None:
    """Environments of one kind then serve functions of every MemorySize."""
    ahead = started_ahead(RuntimeCommand(["/bin/ruby", "index"], {"PATH": "/bin"}, {}), None)
    assert dict(ahead.environ) == {"PATH": "/bin", "LANG": "en_US.UTF-8", "TZ": ":UTC"}
