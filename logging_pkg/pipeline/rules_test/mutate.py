"""Alert rules with a limit that is slightly off, and whether any test notices.

In: alert rules, stored tests. Out: mutants and the test that found each. Never: a change to a file.

Changed are the numbers that are compared, multiplied or divided by, by 1 %; a limit on whole numbers by 1, since there
are no 5.05 errors; and `for`, by one evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import eq, ge, gt, le, lt, ne
from typing import Final

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.logql.ast import (
    BinaryOperation,
    Expression,
    Number,
    RangeAggregation,
    VectorAggregation,
    walk,
)
from logging_pkg.pipeline.rules_test.expression import COMPARISONS, parsed
from logging_pkg.pipeline.rules_test.model import Rule
from logging_pkg.pipeline.rules_test.parallel import in_parallel
from logging_pkg.pipeline.rules_test.rendering import render
from logging_pkg.pipeline.rules_test.run import Evaluated, check_alert, evaluate_rule
from logging_pkg.pipeline.rules_test.throwaway import StoredTest, ThrowawayLoki
from logging_pkg.pipeline.rules_test.values import duration_text
from logging_pkg.schemas import Registry

_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": gt, ">=": ge, "<": lt, "<=": le, "==": eq, "!=": ne,
}  # fmt: skip
_WHOLE: Final = frozenset({"sum", "min", "max", "topk", "bottomk", "sort", "sort_desc"})
_WHOLE_OVER_TIME: Final = frozenset(
    {"sum_over_time", "min_over_time", "max_over_time", "first_over_time", "last_over_time"}
)


@dataclass(frozen=True)
class Mutant:
    """A rule with one change. `indistinct` tells why no line could show it; empty when one could."""

    rule: Rule
    original: str
    changed: str
    indistinct: str = ""


@dataclass(frozen=True)
class Verdict:
    """A mutant and the name of the first test that fails with it; empty when none does."""

    mutant: Mutant
    found_by: str

    @property
    def survived(self) -> bool:
        """Whether no test noticed what one could have noticed."""
        return not self.found_by and not self.mutant.indistinct


def mutants_of(rule: Rule, interval_ns: int, registry: Registry) -> list[Mutant]:
    """Every change of an alert rule's limits and of its `for`.

    Raises:
        RuleError: the expression is LogQL this package does not read.
    """
    root = parsed(rule.expr)
    if root is None:
        raise RuleError(f"{rule.place}: this LogQL cannot be taken apart; it is not mutated")
    return [*_limits(rule, root, registry), *_waits(rule, interval_ns)]


def judge(loki: ThrowawayLoki, stored: Sequence[StoredTest], mutants: Sequence[Mutant], jobs: int) -> list[Verdict]:
    """Evaluate every mutant in every test of its alert. Annotations are not compared."""

    def evaluate(mutant: Mutant) -> list[tuple[StoredTest, list[Evaluated]]]:
        tests = [test for test in stored if any(c.alertname == mutant.rule.name for c in test.test.alerts)]
        return [(test, list(_with(loki, test, mutant))) for test in tests]

    evaluated = in_parallel(evaluate, mutants, jobs)
    templates = [one for tests in evaluated for _test, found in tests for one in found if one.rule.has_label_templates]
    rendered = render(loki, [instance for one in templates for instance in one.instances(())])
    verdicts = []
    for mutant, tests in zip(mutants, evaluated, strict=True):
        found_by = (
            test.test.name
            for test, found in tests
            for check in test.test.alerts
            if check.alertname == mutant.rule.name
            and not check_alert(test, check, found, rendered, with_annotations=False).passed
        )
        verdicts.append(Verdict(mutant, next(found_by, "")))
    return verdicts


def table(verdicts: Sequence[Verdict]) -> list[str]:
    """One line per mutant, and a line that sums up."""
    rows = [("alert", "in place of", "was", "found by")]
    rows += [(v.mutant.rule.name, v.mutant.original, v.mutant.changed, _outcome(v)) for v in verdicts]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    ]
    survivors = sum(verdict.survived for verdict in verdicts)
    indistinct = sum(bool(verdict.mutant.indistinct) for verdict in verdicts)
    total = f"{len(verdicts)} mutants: {len(verdicts) - survivors - indistinct} found, {survivors} survived"
    return [*lines, total + (f", {indistinct} that no line can tell from the rule" if indistinct else "")]


def _outcome(verdict: Verdict) -> str:
    if verdict.found_by:
        return verdict.found_by
    return f"– {verdict.mutant.indistinct}" if verdict.mutant.indistinct else "✗ no test: SURVIVED"


def _with(loki: ThrowawayLoki, test: StoredTest, mutant: Mutant) -> Iterator[Evaluated]:
    """The rules of the mutant's name, it in place of its original."""
    until_ns = max(check.eval_ns for check in test.test.alerts if check.alertname == mutant.rule.name)
    for rule in test.test.rules[mutant.rule.name]:
        if rule.is_alert:
            is_original = (rule.file, rule.line) == (mutant.rule.file, mutant.rule.line)
            yield evaluate_rule(loki, test, mutant.rule if is_original else rule, until_ns)


def _waits(rule: Rule, interval_ns: int) -> Iterator[Mutant]:
    for changed_ns in (rule.for_ns - interval_ns, rule.for_ns + interval_ns):
        if changed_ns >= 0:
            original, changed = f"for: {duration_text(rule.for_ns)}", f"for: {duration_text(changed_ns)}"
            yield Mutant(replace(rule, for_ns=changed_ns), original, changed)


def _limits(rule: Rule, root: Expression, registry: Registry) -> Iterator[Mutant]:
    for node in walk(root):
        if not isinstance(node, BinaryOperation) or node.op not in COMPARISONS | {"*", "/"}:
            continue
        for number, other, is_right in ((node.right, node.left, True), (node.left, node.right, False)):
            if isinstance(number, Number) and not number.is_vector:
                whole = node.op in COMPARISONS and _is_whole(other, registry)
                for value in _changed(number.value, whole=whole):
                    text = f"{value:.12g}"
                    expr = f"{rule.expr[: number.start]}{text}{rule.expr[number.end :]}"
                    written = rule.expr[number.start : number.end]
                    shown = [f"{node.op} {n}" if is_right else f"{n} {node.op}" for n in (written, text)]
                    reason = _indistinct(node.op, number.value, value) if is_right and _is_count(other) else ""
                    yield Mutant(replace(rule, expr=expr), shown[0], shown[1], reason)


def _changed(value: float, *, whole: bool) -> tuple[float, float]:
    if whole:
        return value - 1, value + 1
    distance = abs(value) * 0.01 or 0.01
    return value - distance, value + distance


def _indistinct(op: str, limit: float, changed: float) -> str:
    """Counts are 1, 2, 3 …: a series that counts nothing is not there."""
    compare = _OPERATORS.get(op)
    if compare is None:
        return ""
    counts = range(1, int(max(abs(limit), abs(changed))) + 3)
    same = all(compare(count, limit) == compare(count, changed) for count in counts)
    return "the same: a count is 1 or more" if same else ""


def _is_count(node: Expression) -> bool:
    """Whether its values are numbers of things: 1 or more."""
    match node:
        case RangeAggregation():
            return node.op.text.lower() == "count_over_time"
        case VectorAggregation():
            return node.op.text.lower() == "count" or (node.op.text.lower() in _WHOLE and _is_count(node.operand))
        case _:
            return False


def _is_whole(node: Expression, registry: Registry) -> bool:
    """Whether its values are whole numbers; as far as the schemas tell."""
    match node:
        case Number():
            return node.value.is_integer()
        case RangeAggregation():
            op = node.op.text.lower()
            return op == "count_over_time" or (op in _WHOLE_OVER_TIME and _reads_integer(node, registry))
        case VectorAggregation():
            return _is_count(node) or (node.op.text.lower() in _WHOLE and _is_whole(node.operand, registry))
        case BinaryOperation():
            sides = (node.left, node.right) if node.op in "+-*" else (node.left,) if node.op in COMPARISONS else ()
            return bool(sides) and all(_is_whole(side, registry) for side in sides)
        case _:
            return False


def _reads_integer(node: RangeAggregation, registry: Registry) -> bool:
    unwrap = node.unwrap
    if unwrap is None or unwrap.conversion:
        return False
    events = [m.value.text for m in node.query.selector.matchers if m.name.text == "event" and m.op == "="]
    field = registry.field(events[0], unwrap.label.text) if events else None
    kinds = (field or {}).get("type") or ("integer" if _is_integer_enum(field) else "")
    return "integer" in ([kinds] if isinstance(kinds, str) else kinds) and "number" not in kinds


def _is_integer_enum(field: Mapping[str, object] | None) -> bool:
    values = (field or {}).get("enum")
    return isinstance(values, list) and all(type(value) is int for value in values)
