"""Filling caches before anybody asks, and counting how much of it was read.

In: the project's registered warmers. Out: filled caches, `cache.warm_finished`, `cache.warmed_keys_read`.
Never: a key or value in an event.
"""

from logging_pkg.instrumentation.cache_warming.run import WarmReport, preview, warm_caches, warm_caches_in_background
from logging_pkg.instrumentation.cache_warming.warmers import DEFAULT_TIMEOUT, Warmer, WarmItem, register, warmer

__all__ = [
    "DEFAULT_TIMEOUT",
    "WarmItem",
    "WarmReport",
    "Warmer",
    "preview",
    "register",
    "warm_caches",
    "warm_caches_in_background",
    "warmer",
]
