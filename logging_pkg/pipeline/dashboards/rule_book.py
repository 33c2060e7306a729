"""What dashboards take from rules written by hand: limits, runbooks, recorded series.

In: the texts of rule files. Out: a RuleBook. Never: reads a file; judges a rule (`logpipe check` does).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from logging_pkg.pipeline.logql import LogQLError, ast, parse

_COMPARISONS: Final = (">", ">=", "<", "<=")
_SET_OPERATIONS: Final = ("and", "or", "unless")
_NESTED = re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]|\([^()]*\)")
_LIMIT = re.compile(r"(?P<op>[<>]=?)\s*(?:bool\s+)?(?P<value>[0-9][0-9_.e+-]*)")


@dataclass(frozen=True, slots=True)
class Limit:
    """`op value`, such as `> 1000`: what an alert compares with."""

    op: str
    value: float


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert rule: severity, the limit it compares with (None when there is none), and its runbook's path."""

    name: str
    severity: str
    limit: Limit | None
    runbook: str


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
            runbook = str((rule.get("annotations") or {}).get("runbook_url", ""))
            alerts[name] = Alert(name, severity, limit_of(expr), runbook)
    return RuleBook(alerts, recorded)


def limit_of(expr: str) -> Limit | None:
    """The comparison with a number on which an alert fires: the outermost, in the first operand of `and`."""
    try:
        return _limit_in(parse(expr))
    except LogQLError:
        return _limit_outside_brackets(expr)


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


def _limit_outside_brackets(expr: str) -> Limit | None:
    """The same of PromQL, which is not parsed here: what is in brackets is cut out first."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', re.sub(r"#[^\n]*", "", expr))
    while (shorter := _NESTED.sub(" ", text)) != text:
        text = shorter
    match = _LIMIT.search(text)
    stripped = expr.strip()
    if match is None and stripped.startswith("("):
        # `(a > 1 and b > 2) or (…)`: the first group decides as good as any.
        return _limit_outside_brackets(_first_group(stripped))
    return Limit(match["op"], float(match["value"])) if match else None


def _first_group(text: str) -> str:
    """What is between the first bracket and the one that closes it."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:place]
    return ""
