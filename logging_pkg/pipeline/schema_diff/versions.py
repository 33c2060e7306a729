"""Whether `x-schema-version` was raised as the rules of docs/SCHEMAS.md demand.

In: two registries and the changes between them. Out: a Verdict per event that changed. Never: other opinions.

The rules: a breaking change of an event needs its version + 1 or more; what is compatible needs none; a version never
goes down; an event is removed after a version in which it was `"deprecated": true`; a breaking change of the envelope,
which every line carries, needs every event's version + 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from logging_pkg.pipeline.schema_diff.changes import ENVELOPE, Change
from logging_pkg.schemas import Registry


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one event's version is right.

    Attributes:
        event: its name.
        old, new: its versions; None where it is not declared.
        is_breach: whether a rule is broken.
        message: which one and what to do, or what is good; empty where there is nothing to say.
    """

    event: str
    old: int | None
    new: int | None
    is_breach: bool
    message: str


def verdicts(old: Registry, new: Registry, changes: Sequence[Change]) -> list[Verdict]:
    """One verdict per event that changed or has another version, in the order of their names."""
    breaking = {change.event for change in changes if change.is_breaking}
    changed = {change.event for change in changes} - {ENVELOPE}
    moved = {n for n in old.events if n in new.events and old.events[n].version != new.events[n].version}
    if ENVELOPE in breaking:
        changed |= set(old.events) & set(new.events)
    return list(_verdicts(old, new, sorted(changed | moved), breaking))


def _verdicts(old: Registry, new: Registry, names: list[str], breaking: set[str]) -> Iterator[Verdict]:
    for name in names:
        before = old.events[name].version if name in old.events else None
        after = new.events[name].version if name in new.events else None
        if before is None:
            yield Verdict(name, before, after, False, "")
        elif after is None:
            was_deprecated = bool(old.events[name].document.get("deprecated"))
            message = "it was deprecated" if was_deprecated else 'removed without having been "deprecated": true before'
            yield Verdict(name, before, after, not was_deprecated, message)
        else:
            cause = name if name in breaking else ENVELOPE if ENVELOPE in breaking else ""
            yield _version(name, before, after, cause)


def _version(name: str, before: int, after: int, cause: str) -> Verdict:
    if after < before:
        return Verdict(name, before, after, True, f'"x-schema-version" went down: set it to {before} or above')
    if cause and after == before:
        what = "a breaking change of the envelope" if cause == ENVELOPE else "a breaking change"
        return Verdict(
            name, before, after, True, f'{what} without a raised version: set "x-schema-version": {before + 1}'
        )
    if not cause and after > before:
        return Verdict(name, before, after, False, "raised, although nothing broke")
    return Verdict(name, before, after, False, "raised as it has to be" if cause else "")
