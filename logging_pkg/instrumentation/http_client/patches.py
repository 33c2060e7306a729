"""A method of a class that is ours for a while.

In: a class, how its method is to be wrapped. Out: the class with the wrapped method, and later with its own.
Never: wraps twice, takes out what another tool has put around it since.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Patch:
    """One method that may be wrapped. Thread-safe.

    Attributes:
        is_on: whether the wrapper is to do anything.
    """

    def __init__(self, method: str) -> None:
        self.is_on = False
        self._method = method
        self._lock = threading.Lock()
        self._owner: Any = None
        self._original: Callable[..., Any] | None = None
        self._wrapper: Callable[..., Any] | None = None

    def put(self, owner: Any, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Wrap the method of `owner`; None, which has no such class, is left alone."""
        if owner is None:
            return
        with self._lock:
            self.is_on = True
            if self._owner is owner:
                return
            self._owner, self._original = owner, getattr(owner, self._method)
            self._wrapper = wrap(self._original)
            setattr(owner, self._method, self._wrapper)

    def remove(self) -> None:
        """Give the class its own method back. Where another tool has wrapped ours, ours stays and passes through."""
        with self._lock:
            self.is_on = False
            if self._owner is not None and getattr(self._owner, self._method) is self._wrapper:
                setattr(self._owner, self._method, self._original)
                self._owner = self._original = self._wrapper = None
