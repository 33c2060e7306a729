"""Compare two versions of the schemas.

In: two registries. Out: Changes, in the order of events' names. Never: files of a project, versions.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.schema_diff.changes import ENVELOPE, Change
from logging_pkg.pipeline.schema_diff.fields import field_changes
from logging_pkg.pipeline.schema_diff.metrics import metric_changes, series_of
from logging_pkg.schemas import EventSchema, Registry


def differences(old: Registry, new: Registry) -> list[Change]:
    """Every change from one registry to the other; none between a registry and itself.

    Raises:
        RuleError: a metric cannot be written as a rule.
    """
    return list(_differences(old, new))


def _differences(old: Registry, new: Registry) -> Iterator[Change]:
    yield from field_changes(ENVELOPE, old.envelope, new.envelope)
    for name in sorted({*old.events, *new.events}):
        if name not in new.events:
            yield _removed(old.events[name])
        elif name not in old.events:
            yield Change(name, "event-added", "", f"version {new.events[name].version}")
        else:
            yield from _event_changes(old.events[name], new.events[name])


def _removed(event: EventSchema) -> Change:
    series = tuple(name for metric in event.metrics for name in series_of(event, metric))
    return Change(event.name, "event-removed", "", f"{event.path.name} is gone", series)


def _event_changes(old: EventSchema, new: EventSchema) -> Iterator[Change]:
    yield from field_changes(old.name, old.document, new.document)
    yield from metric_changes(old, new)
    if old.level != new.level:
        yield Change(old.name, "level-changed", "", f"{old.level} → {new.level}")
    if new.document.get("deprecated") and not old.document.get("deprecated"):
        yield Change(old.name, "deprecated", "", "may be removed in the next version")
