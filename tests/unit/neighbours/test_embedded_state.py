"""The embedded server's state: whole or not there, read by nothing but what wrote it."""

import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.neighbours.embedded_state import load, save, stamp_of

STAMP = stamp_of("5.0.0")


@pytest.fixture
def said() -> Iterator[list[str]]:
    lines: list[str] = []
    yield lines


class Store(dict[str, list[str]]):
    """As S3's of keys: what it shows is the newest, and setting adds."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, [*self.get(key, []), value])

    def items(self) -> Any:
        return [(key, values[-1]) for key, values in super().items()]


class Lists(defaultdict[str, list[int]]):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(list)
        self.names = (first, second)


class Work(threading.Thread):
    def __init__(self) -> None:
        super().__init__()
        self.found = 0

    def run(self) -> None:
        self.found = 42


def there_and_back(folder: Path, state: Any) -> Any:
    said: list[str] = []
    size = save(folder, STAMP, state)
    found, found_size = load(folder, STAMP, said.append)
    assert said == [] and size == found_size == (folder / "state").stat().st_size
    return found


def test_plain_values_and_what_is_shared_between_them(tmp_path: Path) -> None:
    """What was one object is one object again."""
    shared = ["a"]
    found = there_and_back(tmp_path, {"one": shared, "two": shared})
    assert found == {"one": ["a"], "two": ["a"]}
    assert found["one"] is found["two"]


def test_bodies_are_files_again(tmp_path: Path) -> None:
    """Short and long ones, and one that was closed because its object is gone."""
    bodies = []
    for content in (b"", b"short", b"x" * 3_000_000):
        body = tempfile.SpooledTemporaryFile(1_000_000)  # noqa: SIM115
        body.write(content)
        bodies.append(body)
    gone = tempfile.SpooledTemporaryFile(10)  # noqa: SIM115
    gone.close()
    found = there_and_back(tmp_path, [*bodies, gone])
    read = []
    for body in found:
        body.seek(0)
        read.append(body.read())
        body.close()
    for body in bodies:
        body.close()
    assert read == [b"", b"short", b"x" * 3_000_000, b""]


def test_what_pickle_alone_cannot_take(tmp_path: Path) -> None:
    """Locks, functions without a name, dictionaries with rules of their own, work that is done."""
    store, lists, work = Store("media"), Lists("a", "b"), Work()
    store["key"] = "one"
    store["key"] = "two"
    lists["x"].append(1)
    work.start()
    work.join()
    nested: Any = defaultdict(lambda: defaultdict(dict))
    nested["a"]["b"]["c"] = 1
    state = {"locks": (threading.Lock(), threading.RLock()), "nested": nested, "work": work}
    found = there_and_back(tmp_path, {**state, "store": store, "lists": lists})
    assert all(lock.acquire(blocking=False) for lock in found["locks"])
    assert found["nested"]["a"] == {"b": {"c": 1}} and found["nested"]["new"]["b"] == {}
    assert found["work"].found == 42
    assert dict.__getitem__(found["store"], "key") == ["one", "two"] and found["store"].name == "media"
    assert found["lists"]["new"] == [] and found["lists"].names == ("a", "b")


def test_nothing_saved_is_nothing_found(tmp_path: Path, said: list[str]) -> None:
    """A first start says nothing."""
    assert load(tmp_path, STAMP, said.append) == (None, 0)
    assert said == []


def test_another_stamp_is_put_aside(tmp_path: Path, said: list[str]) -> None:
    """Each time under a new name: nothing that was kept is ever written over."""
    for number in (1, 2):
        save(tmp_path, stamp_of(f"4.{number}"), {"a": number})
        assert load(tmp_path, STAMP, said.append) == (None, 0)
        assert (tmp_path / f"state.aside-{number}").is_file()
        assert not (tmp_path / "state").exists()
        assert f"it was written by moto 4.{number}" in said[-1]


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_file_that_is_not_whole_is_put_aside(tmp_path: Path, said: list[str], cut: int) -> None:
    """However little is missing."""
    save(tmp_path, STAMP, {"a": 1})
    path = tmp_path / "state"
    path.write_bytes(path.read_bytes()[:-cut])
    assert load(tmp_path, STAMP, said.append) == (None, 0)
    assert "state_put_aside" in said[0]


def test_a_file_that_others_may_have_written_is_never_read(tmp_path: Path, said: list[str]) -> None:
    """It may run anything."""
    save(tmp_path, STAMP, {"a": 1})
    (tmp_path / "state").chmod(0o620)
    assert load(tmp_path, STAMP, said.append) == (None, 0)
    assert "others may have written it" in said[0]


def test_what_cannot_be_saved_leaves_the_state_before(tmp_path: Path, said: list[str]) -> None:
    """A save is whole or has not happened."""
    save(tmp_path, STAMP, {"a": 1})
    with pytest.raises(TypeError):
        save(tmp_path, STAMP, {"a": (one for one in ())})
    assert load(tmp_path, STAMP, said.append)[0] == {"a": 1}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600
