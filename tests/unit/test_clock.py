"""The machine's clock: what makes ids and tokens."""

import os
import re
import threading
import uuid

from lambent.clock import SystemClock


def test_ids_are_version_4_and_differ() -> None:
    """Also where many threads ask one clock at once."""
    clock = SystemClock()
    found: list[str] = []

    def ask() -> None:
        mine = [clock.new_id() for _ in range(2000)]
        found.extend(mine)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == len(found) == 16_000
    for one in found[:500]:
        parsed = uuid.UUID(one)
        assert (str(parsed), parsed.version, parsed.variant) == (one, 4, uuid.RFC_4122)


def test_tokens_have_the_length_that_was_asked_for() -> None:
    """Whatever is fetched at once."""
    clock = SystemClock()
    for size in (0, 1, 15, 16, 17, 20, 32, 5000):
        assert re.fullmatch(f"[0-9a-f]{{{2 * size}}}", clock.token_hex(size))


def test_a_fork_draws_its_own() -> None:
    """What the parent has fetched and not given out is not given out twice."""
    clock = SystemClock()
    clock.new_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, clock.token_hex(64).encode())
        os._exit(0)
    os.waitpid(child, 0)
    of_child = os.read(reading, 200).decode()
    os.close(reading)
    os.close(writing)
    assert len(of_child) == 128
    assert of_child not in clock.token_hex(4096)
