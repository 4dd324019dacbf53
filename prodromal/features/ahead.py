"""Work done ahead by threads, handed over in order."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["ahead", "pool"]

T = TypeVar("T")


@contextmanager
def pool(threads: int) -> Iterator[ThreadPoolExecutor | None]:
    """Threads that end with the block; None for a single one, which works in place."""
    if threads == 1:
        yield None
        return
    from concurrent.futures import ThreadPoolExecutor

    executor = ThreadPoolExecutor(threads)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def ahead(executor: ThreadPoolExecutor | None, jobs: Iterable[Callable[[], T]], depth: int) -> Iterator[T]:
    """Results of jobs in their order, with at most `depth` of them begun ahead of the consumer."""
    if executor is None:
        for job in jobs:
            yield job()
        return
    begun: deque[Future[T]] = deque()
    for job in jobs:
        begun.append(executor.submit(job))
        if len(begun) > depth:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()
