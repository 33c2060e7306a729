"""What is to be warmed: the registry of a project's warmers.

In: functions in the `warmers.py` of each installed application, or `register`. Out: warmers in the order of their
priority. Never: a computed value, a cache.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from logging_pkg.exceptions import ConfigurationError

_NAME_PATTERN = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class _Default(enum.Enum):
    DEFAULT_TIMEOUT = "the cache's own"


#: A WarmItem without a timeout of its own gets the TIMEOUT of its cache.
DEFAULT_TIMEOUT: Final = _Default.DEFAULT_TIMEOUT


@dataclass(frozen=True, slots=True)
class WarmItem:
    """One key to warm.

    Attributes:
        key: as the application gives it to `cache.get`. Where it holds a version of the data, read that version before
            `compute` reads the data, or a change in between is overwritten by the older value.
        compute: makes the value. Falsy values and None are values.
        timeout: seconds; None never expires.
        version: as the application gives it to `cache.get`.
        quota_units: Google API quota it will use; None when that is not known beforehand: then it is taken to use as
            much as the most expensive item so far.
    """

    key: str
    compute: Callable[[], Any]
    timeout: float | _Default | None = DEFAULT_TIMEOUT
    version: int | None = None
    quota_units: int | None = None


Items = Callable[[], Iterable[WarmItem]]


@dataclass(frozen=True, slots=True)
class Warmer:
    """Keys that belong together, in the order in which they are to be warmed.

    Attributes:
        name: in commands, events and metrics.
        items: tells the keys. It is asked for all of them before the first is computed, so it should be cheap.
        alias: the cache, a key of CACHES.
        order: smaller ones first.
        refresh_share: a key is fresh, and left alone, while more than this share of its time is left, 0 to 1.
        timeout_jitter: each timeout is shortened at random by up to this share, 0 to 1, so that keys that were warmed
            together do not expire together.
    """

    name: str
    items: Items
    alias: str = "default"
    order: int = 100
    refresh_share: float = 0.25
    timeout_jitter: float = 0.1

    def __post_init__(self) -> None:
        if _NAME_PATTERN.fullmatch(self.name) is None:
            raise ConfigurationError(f"warmer {self.name!r}: expected a name that matches {_NAME_PATTERN.pattern}")
        for field in ("refresh_share", "timeout_jitter"):
            share = getattr(self, field)
            if not 0 <= share < 1:
                raise ConfigurationError(f"warmer {self.name}: {field} is {share!r}, expected 0 to less than 1")


_warmers: dict[str, Warmer] = {}


def register(added: Warmer) -> Warmer:
    """Add a warmer.

    Raises:
        ConfigurationError: another one has its name.
    """
    known = _warmers.get(added.name)
    if known is not None and known != added:
        raise ConfigurationError(
            f"warmer {added.name}: {_place(added)} and {_place(known)} have the same name; rename one of them"
        )
    _warmers[added.name] = added
    return added


def unregister(name: str) -> None:
    """Forget a warmer; an unknown name is no error."""
    _warmers.pop(name, None)


def warmer(
    name: str,
    *,
    alias: str = "default",
    order: int = 100,
    refresh_share: float = 0.25,
    timeout_jitter: float = 0.1,
) -> Callable[[Items], Items]:
    """Register the decorated function as a warmer; the arguments are those of `Warmer`.

    >>> @warmer("front-page", order=10)
    ... def front_page():
    ...     yield WarmItem("front-page", render_front_page, timeout=600)
    """

    def decorate(items: Items) -> Items:
        register(Warmer(name, items, alias, order, refresh_share, timeout_jitter))
        return items

    return decorate


def registered(names: Sequence[str] = ()) -> list[Warmer]:
    """The warmers of these names, all of them without any, in the order of their priority.

    Raises:
        ConfigurationError: a name is not known; the message has those that are.
    """
    for name in names:
        if name not in _warmers:
            near = get_close_matches(name, _warmers, n=1)
            hint = f' (did you mean "{near[0]}"?)' if near else ""
            known = ", ".join(sorted(_warmers)) or "none; register them in the warmers.py of an installed application"
            raise ConfigurationError(f'no warmer is called "{name}"{hint}; registered: {known}')
    chosen = [_warmers[name] for name in dict.fromkeys(names)] if names else list(_warmers.values())
    return sorted(chosen, key=lambda one: (one.order, one.name))


def autodiscover() -> None:
    """Import the `warmers.py` of each installed application, as the admin does with `admin.py`."""
    from django.utils.module_loading import autodiscover_modules

    autodiscover_modules("warmers")


def _place(one: Warmer) -> str:
    function = one.items
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
