"""What a test file says.

In: nothing. Out: frozen values; times are nanoseconds from the test's beginning. Never: I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from logging_pkg.pipeline.rules_test.labels import Labels


@dataclass(frozen=True)
class Rule:
    """A rule as its file says it; `line` is where it begins there, `interval_ns` None when its group sets none."""

    name: str
    is_alert: bool
    expr: str
    labels: Labels
    annotations: Labels
    for_ns: int
    interval_ns: int | None
    file: str
    line: int

    @property
    def place(self) -> str:
        """File, line and name, for messages."""
        return f"{self.file}:{self.line}: {self.name}"

    @property
    def has_label_templates(self) -> bool:
        """Whether its labels depend on the series or its value."""
        return any("{{" in value for value in self.labels.values())


@dataclass(frozen=True)
class EventLine:
    """A declared event; its timestamp, seq and event_id are filled in when it is stored."""

    at_ns: int
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class RawLine:
    """Any line of any stream."""

    at_ns: int
    labels: Labels
    metadata: Labels
    text: str


@dataclass(frozen=True)
class ExpectedSample:
    """A series and its value; `tolerance` is relative to the value (absolute where that is 0)."""

    labels: Labels
    value: float
    tolerance: float


@dataclass(frozen=True)
class SampleCheck:
    """`logql_expr_test`: what an expression is at a time. `record` is the rule it comes from, if any."""

    line: int
    expr: str
    record: Rule | None
    eval_ns: int
    expected: tuple[ExpectedSample, ...]

    @property
    def subject(self) -> str:
        """What is looked at."""
        return self.record.name if self.record else " ".join(self.expr.split())


@dataclass(frozen=True)
class ExpectedAlert:
    """An alert; only the annotations given are compared, and the value if one is given."""

    labels: Labels
    annotations: Labels
    value: float | None
    tolerance: float


@dataclass(frozen=True)
class AlertCheck:
    """`alert_rule_test`: which alerts of a name fire at a time; `pending` None when those are not looked at."""

    line: int
    alertname: str
    eval_ns: int
    firing: tuple[ExpectedAlert, ...]
    pending: tuple[ExpectedAlert, ...] | None

    @property
    def subject(self) -> str:
        """What is looked at."""
        return self.alertname


@dataclass(frozen=True)
class RuleTest:
    """One test: lines, and what is expected of them."""

    name: str
    file: str
    line: int
    lines: Sequence[EventLine | RawLine] = field(repr=False)
    samples: tuple[SampleCheck, ...]
    alerts: tuple[AlertCheck, ...]
    rules: Mapping[str, tuple[Rule, ...]] = field(repr=False)
    default_interval_ns: int

    @property
    def checks(self) -> tuple[SampleCheck | AlertCheck, ...]:
        """All that is expected."""
        return (*self.samples, *self.alerts)

    @property
    def end_ns(self) -> int:
        """The time of the last line or expectation."""
        return max([line.at_ns for line in self.lines] + [check.eval_ns for check in self.checks])

    def interval_ns(self, rule: Rule) -> int:
        """How often a rule is evaluated."""
        return rule.interval_ns or self.default_interval_ns
