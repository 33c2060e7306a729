"""Whether every event written has arrived, once: from seq alone.

In: per instance, the last seq written and what the store holds. Out: counts of lost and repeated events.
Never: needs anything but numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store holds of one instance.

    Attributes:
        seqs: distinct seq values.
        count: entries, repeated ones counted each time (a metric query's count).
    """

    seqs: AbstractSet[int]
    count: int


@dataclass(frozen=True, slots=True)
class Completeness:
    """The pipeline's own proof: written = stored + lost + deleted, and nothing stored twice.

    Attributes:
        instances: processes that wrote.
        written: events, by seq.
        stored: distinct events in the store.
        lost: events that are nowhere.
        repeated: entries beyond the first of an event.
        deleted: events deleted unshipped to keep within a disk limit.
        uncounted: distinct events beyond what the metric query counted: that query did not see all, so `repeated`
            proves nothing.
    """

    instances: int
    written: int
    stored: int
    lost: int
    repeated: int
    deleted: int
    uncounted: int = 0

    @property
    def is_complete(self) -> bool:
        """Every event is stored, exactly once, and both ways of counting agree."""
        return self.lost == self.repeated == self.deleted == self.uncounted == 0


def completeness(
    last_written: Mapping[str, int], stored: Mapping[str, Stored], deleted: Mapping[str, AbstractSet[int]] | None = None
) -> Completeness:
    """Compare what was written with what is stored.

    Args:
        last_written: instance_id -> last seq taken. An instance only the store knows counts up to its highest seq.
        stored: instance_id -> what the store holds.
        deleted: instance_id -> seqs deleted on purpose to keep within a disk limit; counted apart from lost.
    """
    deleted = deleted or {}
    written = held = lost = repeated = gone = uncounted = 0
    instances = set(last_written) | set(stored)
    for instance in instances:
        has = stored.get(instance, Stored(frozenset(), 0))
        last = max(last_written.get(instance, 0), max(has.seqs, default=0))
        missing = set(range(1, last + 1)) - has.seqs
        on_purpose = missing & deleted.get(instance, frozenset())
        written += last
        held += len(has.seqs)
        gone += len(on_purpose)
        lost += len(missing) - len(on_purpose)
        # Each for itself: what is missing of one instance must not hide what is twice of another.
        repeated += max(0, has.count - len(has.seqs))
        uncounted += max(0, len(has.seqs) - has.count)
    return Completeness(len(instances), written, held, lost, repeated, gone, uncounted)
