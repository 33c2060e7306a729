"""The same work for many things at once, results in order.

In: a function, its arguments. Out: its results. Never: threads that outlive the call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def in_parallel(work: Callable[[A], B], items: Sequence[A], jobs: int) -> list[B]:
    """Call `work` with each item, `jobs` of them side by side; the first error is raised."""
    with ThreadPoolExecutor(max_workers=max(jobs, 1)) as pool:
        return list(pool.map(work, items))
