"""What dashboards take from rules written by hand: limits, runbooks, recorded series.

In: the texts of rule files. Out: a RuleBook. Never: reads a file; judges a rule (`logpipe check` does).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

from logging_pkg.pipeline.dashboards.panel_link import panel_link
from logging_pkg.pipeline.logql import LogQLError, ast, parse

_COMPARISONS: Final = (">", ">=", "<", "<=")
_SET_OPERATIONS: Final = ("and", "or", "unless")
#: Of PromQL, which is not parsed here: what must not be taken for a part of the comparison.
_HIDDEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|#[^\n]*')
_NESTED: Final = re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]|\([^()]*\)")
_FILL: Final = "\0"
#: `> 0.25`, and not the beginning of `> 3 * noise`.
_LIMIT: Final = re.compile(
    r"(?P<op>[<>]=?)\s*(?:bool\s+)?(?P<value>\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])(?!\s*[-+*/%^])"
)
#: A recorded series as it is, and a number that nothing is done with: `slo:burn_rate:avg_6h{slo="a"} > 6`.
_SERIES_LIMIT: Final = re.compile(
    r"(?<![\w:])(?P<series>[a-z]\w*:[a-z]\w*:[a-z]\w*)(?:\{[^{}]*\})?\s*" + _LIMIT.pattern
)
_COMMENT: Final = re.compile(r"#[^\n]*")
_ARITHMETIC: Final = ("+", "-", "*", "/", "%", "^")
_COUNTS: Final = ("count_over_time", "sum_over_time")
_BEFORE: Final = re.compile(rf"\b(?:{'|'.join(_SET_OPERATIONS)})\b(?:\s*\b(?:on|ignoring)\b\s*{_FILL}+)?\s*")


@dataclass(frozen=True, slots=True)
class Limit:
    """`op value`, such as `> 1000`: what an alert compares with."""

    op: str
    value: float


@dataclass(frozen=True, slots=True)
class Compared:
    """`left` is compared with `limit`; `is_all` tells that the expression asks for nothing else."""

    left: str
    limit: Limit
    is_all: bool


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert rule.

    Attributes:
        name, severity: as in the file.
        limit: what it compares with; None when there is no such number.
        on_series: recorded series that it compares, just as they are, with a number, and that number.
        counted_over_s: the time over which what it compares was counted; None when it is no count.
        runbook: the runbook's path.
        panel: uid of the dashboard and id of the panel that it links to; None when it links to none.
    """

    name: str
    severity: str
    limit: Limit | None
    runbook: str
    panel: tuple[str, int] | None = None
    on_series: tuple[tuple[str, Limit], ...] = ()
    counted_over_s: float | None = None


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Alert rules by name, expressions of recorded series by name."""

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    recorded: Mapping[str, str] = field(default_factory=dict)


def rule_book(texts: Iterable[str]) -> RuleBook:
    """The rules of rule files, Loki's and Prometheus's alike; what is no rule file is left out."""
    alerts: dict[str, Alert] = {}
    recorded: dict[str, str] = {}
    for rule in (rule for text in texts for rule in _rules(text)):
        expr = str(rule.get("expr", ""))
        if "record" in rule:
            recorded[str(rule["record"])] = expr
        elif "alert" in rule:
            name = str(rule["alert"])
            severity = str((rule.get("labels") or {}).get("severity", ""))
            annotations = rule.get("annotations") or {}
            link = panel_link(str(annotations.get("dashboard_url", "")))
            panel = (link.uid, link.number) if link and link.number is not None else None
            alerts[name] = Alert(
                name,
                severity,
                limit_of(expr),
                str(annotations.get("runbook_url", "")),
                panel,
                _on_series(expr),
                _counted_over_s(expr),
            )
    return RuleBook(alerts, recorded)


def limit_of(expr: str) -> Limit | None:
    """The comparison with a number on which an alert fires: the outermost, in the first operand of `and`."""
    try:
        return _limit_in(parse(expr))
    except LogQLError:
        compared = compared_in_promql(expr)
        return compared.limit if compared else None


def _on_series(expr: str) -> tuple[tuple[str, Limit], ...]:
    """`series{…} > 6`, wherever it stands; the first of each series."""
    found: dict[str, Limit] = {}
    text = _COMMENT.sub("", expr)
    for match in _SERIES_LIMIT.finditer(text):
        # Of `now - baseline > 50` the difference is compared.
        if not text[: match.start()].rstrip().endswith(_ARITHMETIC):
            found.setdefault(match["series"], Limit(match["op"], float(match["value"])))
    return tuple(found.items())


def _counted_over_s(expr: str) -> float | None:
    """Seconds, of a rule in LogQL that compares a count, or a sum over time."""
    try:
        part = parse(expr)
    except LogQLError:
        return None
    while not isinstance(part, ast.RangeAggregation):
        if isinstance(part, ast.BinaryOperation) and part.op in (*_COMPARISONS, *_SET_OPERATIONS):
            part = part.left
        elif isinstance(part, ast.VectorAggregation) and part.op.text == "sum":
            part = part.operand
        else:
            return None
    return part.range.seconds if part.op.text in _COUNTS else None


def _rules(text: str) -> list[dict[str, Any]]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        return []
    groups = document.get("groups") if isinstance(document, dict) else None
    found = [group.get("rules") for group in groups or [] if isinstance(group, dict)]
    return [rule for rules in found for rule in rules or [] if isinstance(rule, dict)]


def _limit_in(part: ast.Expression) -> Limit | None:
    match part:
        case ast.BinaryOperation(op=op, right=ast.Number(value=value)) if op in _COMPARISONS:
            return Limit(op, float(value))
        case ast.BinaryOperation(op=op) if op in _SET_OPERATIONS:
            return _limit_in(part.left)
        case ast.VectorAggregation():
            return _limit_in(part.operand)
        case _:
            return None


def compared_in_promql(expr: str) -> Compared | None:
    """The first comparison with a number that is in no brackets; of `(…) or (…)`, of the first group.

    PromQL is not parsed: strings, comments and brackets are covered, so that places stay what they are.
    """
    covered = _HIDDEN.sub(_cover, expr)
    while (next_one := _NESTED.sub(_cover, covered)) != covered:
        covered = next_one
    match = _LIMIT.search(covered)
    if match is None:
        stripped = expr.strip()
        # `(a > 1 and b > 2) or (…)`: the first group decides as good as any.
        inner = compared_in_promql(_first_group(stripped)) if stripped.startswith("(") else None
        return replace(inner, is_all=False) if inner else None
    start = max((found.end() for found in _BEFORE.finditer(covered, 0, match.start())), default=0)
    is_all = start == 0 and not covered[match.end() :].replace(_FILL, "").strip()
    return Compared(expr[start : match.start()].strip(), Limit(match["op"], float(match["value"])), is_all)


def _cover(match: re.Match[str]) -> str:
    return _FILL * len(match.group())


def _first_group(text: str) -> str:
    """What is between the first bracket and the one that closes it."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:place]
    return ""
