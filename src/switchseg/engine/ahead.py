"""Reading while the network computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    read: Callable[[Item], Result], items: Iterable[Item], depth: int = 2
) -> Iterator[tuple[Item, Future[Result]]]:
    """Yield each item with the future of `read(item)`, which a thread computes up to `depth` items ahead."""
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(read, item)))
                if len(waiting) > depth:
                    yield waiting.popleft()
            yield from waiting
        except BaseException:  # whoever takes the items has had enough, or `items` failed
            pool.shutdown(cancel_futures=True)
            raise
