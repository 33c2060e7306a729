"""Which keys a warmer has warmed, when, and until when: one entry of the warmed cache itself.

In: keys as they are warmed. Out: whether a key is fresh (Django's caches do not tell how long a key has left), and for
the processes that read, which run's work they find. Never: a key in clear, a value.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b

from logging_pkg.context import new_span_id
from logging_pkg.instrumentation.cache_warming.quiet_cache import QuietCache

#: How long the work of a run is remembered after it ended, s: readers look at what they read with such a delay.
HOLD_S = 60.0
#: Keys of one warmer whose reads are followed; more are warmed all the same. About 1 MB, Memcached's limit.
MAX_FOLLOWED = 10_000
_PREFIX = "logging_pkg.warmed"
_FORMAT = 1
#: Times as long as writing the manifest took has to go by until it is written anew.
_PUBLISH_PAUSE = 10

#: The run that warmed a key, when it did (s since 1970), when the key expires (None: never).
Lease = tuple[str, float, float | None]


def key_hash(cache: QuietCache, key: str, version: int | None) -> str:
    """64 bits that stand for a key of a cache."""
    return blake2b(cache.made_key(key, version).encode(), digest_size=8).hexdigest()


class Manifest:
    """The warmed keys of one warmer. Only the holder of the warmer's lock writes it."""

    def __init__(self, cache: QuietCache, warmer: str, *, clock: Callable[[], float] = time.time) -> None:
        self._cache = cache
        self._name = f"{_PREFIX}.{warmer}"
        self._clock = clock
        self._revision: str | None = None
        self._leases: dict[str, list[Lease]] = {}
        self._is_changed = False
        self._may_publish_at = 0.0

    def load(self) -> None:
        """Read what is published, if it has changed. What cannot be read, or was lost, is an empty manifest."""
        revision = self._cache.get(f"{self._name}.revision")
        if revision is not None and revision == self._revision:
            return
        body = self._cache.get(self._name)
        if not isinstance(body, dict) or body.get("format") != _FORMAT:
            self._revision, self._leases = None, {}
            return
        self._leases = {
            digest: [(sys.intern(str(run)), float(since), until) for run, since, until in leases]
            for digest, leases in body["leases"].items()
        }
        self._revision = revision

    def leases(self, digest: str) -> Iterator[tuple[str, float, float]]:
        """Run, begin and end of each stay of a key in the cache that is still remembered, oldest first."""
        leases = self._leases.get(digest, [])
        for number, (run, since, until) in enumerate(leases):
            end = float("inf") if until is None else until
            yield run, since, min(end, leases[number + 1][1]) if number + 1 < len(leases) else end

    def is_fresh(self, digest: str, refresh_share: float) -> bool:
        """Whether a key was warmed and has more than `refresh_share` of its time left, if it is still there."""
        leases = self._leases.get(digest)
        if not leases:
            return False
        _run, since, until = leases[-1]
        return until is None or until - self._clock() > (until - since) * refresh_share

    def warmed_by(self, run: str) -> int:
        """How many keys a run has warmed, of those that are followed."""
        return sum(lease[0] == run for leases in self._leases.values() for lease in leases)

    def end_of(self, run: str) -> float | None:
        """When the last of a run's keys expires, s since 1970; None: never."""
        ends = [lease[2] for leases in self._leases.values() for lease in leases if lease[0] == run]
        return None if None in ends else max((end for end in ends if end is not None), default=0.0)

    def runs(self) -> set[str]:
        """The runs whose keys are remembered."""
        return {lease[0] for leases in self._leases.values() for lease in leases}

    def note(self, digest: str, run: str, warmed_at: float, timeout_s: float | None) -> None:
        """A key was warmed at `warmed_at`, or a moment later. Published by `publish` or `publish_if_due`."""
        until = None if timeout_s is None else warmed_at + timeout_s
        if digest in self._leases or len(self._leases) < MAX_FOLLOWED:
            self._leases.setdefault(digest, []).append((run, warmed_at, until))
            self._is_changed = True

    def publish_if_due(self) -> None:
        """Publish, unless that would take more than a tenth of the run's time. Readers wait HOLD_S for it."""
        if time.monotonic() >= self._may_publish_at:
            self.publish()

    def publish(self) -> None:
        """Write what is new for the other processes, without what ended more than HOLD_S ago."""
        if not self._is_changed:
            return
        began = time.monotonic()
        now = self._clock()
        self._leases = {digest: kept for digest in self._leases if (kept := self._remembered(digest, now))}
        ends = [lease[2] for leases in self._leases.values() for lease in leases]
        timeout = None if None in ends else max((end for end in ends if end is not None), default=now) - now + HOLD_S
        self._revision = new_span_id()
        self._cache.set(self._name, {"format": _FORMAT, "leases": self._leases}, timeout)
        # After the body: whoever sees the new revision finds what belongs to it, or something newer.
        self._cache.set(f"{self._name}.revision", self._revision, timeout)
        self._is_changed = False
        ended = time.monotonic()
        self._may_publish_at = ended + (ended - began) * _PUBLISH_PAUSE

    def _remembered(self, digest: str, now: float) -> list[Lease]:
        ends = [end for _run, _since, end in self.leases(digest)]
        return [lease for lease, end in zip(self._leases[digest], ends, strict=True) if end > now - HOLD_S]
