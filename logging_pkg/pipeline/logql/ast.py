"""What a LogQL query consists of, each part with the place it stands at.

In: nothing. Out: frozen values the parser builds and the lint reads. Never: behaviour beyond walking them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier or function name, or the content of a string, and its offsets in the query."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Duration:
    """A range or offset, in seconds. `variable` when Grafana fills it in (`[$__interval]`), seconds then being 0."""

    seconds: float
    start: int
    end: int
    variable: bool = False


@dataclass(frozen=True, slots=True)
class Matcher:
    """`name="value"` with one of = != =~ !~; in a selector, a label filter, `keep` or `drop`."""

    name: Name
    op: str
    value: Name


@dataclass(frozen=True, slots=True)
class Selector:
    """`{…}`."""

    matchers: tuple[Matcher, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class LineFilter:
    """`|= "text"` and its like; further `or` values included."""

    op: str
    values: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Extraction:
    """`label="path"` of a json or logfmt stage; a bare `label` reads the path of the same name."""

    label: Name
    path: Name


@dataclass(frozen=True, slots=True)
class ParserStage:
    """`| json`, `logfmt`, `regexp`, `pattern` or `unpack`. Without extractions json and logfmt extract everything."""

    kind: str
    extractions: tuple[Extraction, ...]
    labels: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class LineFormat:
    """`| line_format "template"`, or `| decolorize` when there is no template."""

    template: Name | None


@dataclass(frozen=True, slots=True)
class LabelFormat:
    """`| label_format new=old, other="template"` as (label, old label or None, template or None)."""

    assignments: tuple[tuple[Name, Name | None, Name | None], ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a label filter: with a string, a number, a duration, bytes or an address range."""

    name: Name
    op: str
    value: str | float
    kind: str


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """The comparisons of one label filter, in order; how `and` and `or` join them is left out."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """`| keep a, b` or `| drop a, b`; a name may carry a matcher."""

    kind: str
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Unwrap:
    """`| unwrap label`, maybe through bytes(), duration() or duration_seconds()."""

    label: Name
    conversion: str | None
    start: int
    end: int


Stage: TypeAlias = LineFilter | ParserStage | LineFormat | LabelFormat | LabelFilter | LabelChoice | Unwrap


@dataclass(frozen=True, slots=True)
class LogQuery:
    """A selector and its pipeline."""

    selector: Selector
    stages: tuple[Stage, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Grouping:
    """`by (…)` or `without (…)`."""

    without: bool
    labels: tuple[Name, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RangeAggregation:
    """`rate({…}[5m] offset 30s)`, `quantile_over_time(0.95, …) by (…)` and the like."""

    op: Name
    parameter: float | None
    query: LogQuery
    range: Duration
    offset: Duration | None
    grouping: Grouping | None
    start: int
    end: int

    @property
    def unwrap(self) -> Unwrap | None:
        """Its `| unwrap`, if any."""
        return next((stage for stage in self.query.stages if isinstance(stage, Unwrap)), None)


@dataclass(frozen=True, slots=True)
class VectorAggregation:
    """`sum by (…) (…)`, `topk(5, …)` and the like."""

    op: Name
    parameter: float | None
    grouping: Grouping | None
    operand: Expression
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Matching:
    """`on (…)` or `ignoring (…)`, with `group_left (…)` or `group_right (…)`."""

    on: bool
    labels: tuple[Name, ...]
    group: str | None
    include: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class BinaryOperation:
    """`left op right`."""

    op: str
    left: Expression
    right: Expression
    bool_modifier: bool
    matching: Matching | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Number:
    """A number, or `vector(number)`."""

    value: float
    is_vector: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class LabelReplace:
    """`label_replace(operand, "destination", "replacement", "source", "regex")`."""

    operand: Expression
    destination: Name
    replacement: Name
    source: Name
    regex: Name
    start: int
    end: int


Expression: TypeAlias = LogQuery | RangeAggregation | VectorAggregation | BinaryOperation | Number | LabelReplace


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and all below it, a range aggregation's log query included, outermost first."""
    yield expression
    match expression:
        case RangeAggregation():
            yield expression.query
        case VectorAggregation() | LabelReplace():
            yield from walk(expression.operand)
        case BinaryOperation():
            yield from walk(expression.left)
            yield from walk(expression.right)
        case _:
            pass
