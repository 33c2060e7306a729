"""What a check cannot do without, and what is said where it is missing.

In: nothing. Out: Need values, Skipped. Never: runs a check.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Need(Enum):
    """Something besides the files at hand; the text says how to give it."""

    PROJECT = "look at a whole project: run it in the project's directory, without FILE"
    SCHEMAS = "need the schemas of the events: --schemas DIRECTORY"
    LOKI = "ask a Loki: --loki"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Checks that did not run, and why."""

    checks: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        """One line."""
        return f"not run, they {self.why}: {', '.join(self.checks)}"


def skipped(reasons: Iterable[tuple[str, str]]) -> tuple[Skipped, ...]:
    """Checks with their reasons, those of one reason together."""
    by_reason: dict[str, list[str]] = {}
    for check, why in reasons:
        by_reason.setdefault(why, []).append(check)
    return tuple(Skipped(tuple(checks), why) for why, checks in by_reason.items())
