"""What a backfill is to do, and what came of it.

In: nothing. Out: frozen values. Never: I/O.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from logging_pkg.pipeline.backfill.prometheus import Limits
from logging_pkg.pipeline.backfill.rules import Group, RecordingRule
from logging_pkg.pipeline.backfill.slots import Phase
from logging_pkg.pipeline.backfill.wire import is_stale

#: Two values that differ by less are one value, added up in another order.
_SAME: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Task:
    """What to do.

    Attributes:
        start_ns, end_ns: the range, both ends included.
        labels: added to every series, where the way into Prometheus adds them.
        is_dry: write nothing.
        blocks: where blocks are made of what is too old for remote write; None to leave it.
    """

    start_ns: int
    end_ns: int
    labels: Mapping[str, str] = field(default_factory=dict)
    is_dry: bool = False
    blocks: Path | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one rule; numbers of samples, stale markers included.

    Attributes:
        rule, group: which.
        phase: when its group is evaluated.
        evaluations: moments in the range.
        expected: samples the ruler would have written, after what the logs say now.
        present: of those, there before.
        differing: of those, with another value: lines came late, or are gone.
        written: by remote write.
        in_blocks: put into blocks.
        too_old: missing, refused by Prometheus, and in no block.
        unconfirmed: written, and not found afterwards.
    """

    rule: RecordingRule
    group: Group
    phase: Phase
    evaluations: int
    expected: int
    present: int
    differing: int
    written: int
    in_blocks: int
    too_old: int
    unconfirmed: int

    @property
    def waits(self) -> int:
        """Samples that are not there yet, written or put into blocks as they may be: what others are computed from."""
        return self.too_old + self.in_blocks + self.unconfirmed

    @property
    def missing(self) -> int:
        """Samples that were not there before."""
        return self.expected - self.present


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of all rules.

    Attributes:
        results: one for each rule that was looked at.
        waiting: rules of Prometheus that were not, since what they read is not complete yet.
        own_start_ns: where the range of Prometheus's own rules begins: later than the task's, where Prometheus takes no
            sample as old as that.
        limits: what Prometheus takes.
    """

    results: Sequence[Result]
    waiting: int
    own_start_ns: int
    limits: Limits


def same(a: float, b: float) -> bool:
    """Whether two samples say the same: stale markers, NaNs, or numbers but for the order of their summands."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b) and is_stale(a) == is_stale(b)
    return math.isclose(a, b, rel_tol=_SAME)
