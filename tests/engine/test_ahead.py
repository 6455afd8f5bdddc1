import threading
import time

import pytest

from switchseg.engine.ahead import read_ahead


def test_items_keep_their_order() -> None:
    assert [(item, future.result()) for item, future in read_ahead(lambda x: x * x, range(20), depth=3)] == [
        (x, x * x) for x in range(20)
    ]


def test_reading_runs_ahead_but_not_away() -> None:
    read: list[int] = []
    items = read_ahead(read.append, range(100), depth=4)
    _, first = next(items)
    first.result()
    time.sleep(0.2)
    assert 1 <= len(read) <= 6
    items.close()  # type: ignore[attr-defined]


def test_an_error_comes_with_its_item() -> None:
    def read(x: int) -> int:
        if x == 1:
            raise ValueError("broken")
        return x

    results = list(read_ahead(read, range(3)))
    assert [results[0][1].result(), results[2][1].result()] == [0, 2]
    with pytest.raises(ValueError, match="broken"):
        results[1][1].result()


def test_leaving_early_ends_the_thread() -> None:
    items = read_ahead(lambda x: x, range(1000), depth=8)
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert not any(thread.name.startswith("read-ahead") for thread in threading.enumerate())
