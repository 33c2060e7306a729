"""The outcome of a comparison, for people and for programs.

In: two registries, the Readers of a project. Out: a Comparison, its text and its JSON value. Never: prints, exits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from logging_pkg.pipeline.readers import Place, Readers
from logging_pkg.pipeline.schema_diff.changes import ENVELOPE, Change
from logging_pkg.pipeline.schema_diff.compare import differences
from logging_pkg.pipeline.schema_diff.uses import Uses
from logging_pkg.pipeline.schema_diff.versions import Verdict, verdicts
from logging_pkg.schemas import Registry


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every change with the places it hits, and a verdict per event."""

    old: str
    new: str
    changes: tuple[tuple[Change, tuple[Place, ...]], ...]
    verdicts: tuple[Verdict, ...]

    @property
    def breaches(self) -> int:
        """How many events break the rules of versions."""
        return sum(verdict.is_breach for verdict in self.verdicts)

    @property
    def breaking(self) -> int:
        """How many changes break something."""
        return sum(change.is_breaking for change, _places in self.changes)

    def __str__(self) -> str:
        """As shown to people: per event its changes, breaking ones first, and what they hit."""
        return "\n\n".join([*("\n".join(lines) for lines in self._sections()), self._summary()])

    def value(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "old": self.old,
            "new": self.new,
            "breaking": self.breaking,
            "compatible": len(self.changes) - self.breaking,
            "breaches": self.breaches,
            "versions": [asdict(verdict) for verdict in self.verdicts],
            "changes": [
                {
                    **{name: value for name, value in asdict(change).items() if name != "option"},
                    "is_breaking": change.is_breaking,
                    "hits": [asdict(place) for place in places],
                }
                for change, places in self.changes
            ],
        }

    def _sections(self) -> Iterator[list[str]]:
        told = {verdict.event: verdict for verdict in self.verdicts}
        for event in sorted({*told, *(change.event for change, _ in self.changes)}, key=lambda e: (e != ENVELOPE, e)):
            mine = sorted(
                ((change, places) for change, places in self.changes if change.event == event),
                key=lambda pair: not pair[0].is_breaking,
            )
            yield [_head(event, told.get(event)), *(line for pair in mine for line in _lines(*pair))]

    def _summary(self) -> str:
        if not self.changes and not self.verdicts:
            return f"{self.old} and {self.new}: no difference"
        hit = len({(place.path, place.line) for _change, places in self.changes for place in places})
        return (
            f"{self.old} → {self.new}: {_count(self.breaking, 'breaking change')}, "
            f"{len(self.changes) - self.breaking} compatible; {_count(hit, 'place')} to look at; "
            f"{_count(self.breaches, 'event')} without the version that is due"
        )


def compared(old: Registry, new: Registry, readers: Readers, names: tuple[str, str]) -> Comparison:
    """Compare two versions.

    Args:
        old: what was.
        new: what is.
        readers: who may be hit, understood with `old`.
        names: what to call the two.

    Raises:
        RuleError: a metric cannot be written as a rule.
    """
    changes = differences(old, new)
    uses = Uses(readers) if any(change.is_breaking for change in changes) else None
    hit = tuple((change, tuple(uses.of(change)) if uses else ()) for change in changes)
    return Comparison(*names, hit, tuple(verdicts(old, new, changes)))


def _head(event: str, verdict: Verdict | None) -> str:
    if verdict is None:
        return event
    versions = [f"{version}" for version in (verdict.old, verdict.new) if version is not None]
    version = f"version {versions[0]}" if len(set(versions)) == 1 else f"version {' → '.join(versions)}"
    said = f"{'BREACH: ' if verdict.is_breach else ''}{verdict.message}"
    return f"{event}  {version}{f'  {said}' if said else ''}"


def _lines(change: Change, places: tuple[Place, ...]) -> Iterator[str]:
    about = f"{change.field}: " if change.field else ""
    yield f"  {'breaking' if change.is_breaking else 'compatible':10}  {change.kind:23}  {about}{change.message}"
    for place in places:
        yield f"      {place}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
