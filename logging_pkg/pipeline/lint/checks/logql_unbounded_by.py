"""logql/unbounded-by: a result has as many series as the schemas say, not one per line.

In: groupings, and range aggregations without one. Out: a problem for a label without a stated bound.
Never: counts series in a running Loki.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.checks._queries import at, parsed
from logging_pkg.pipeline.lint.labels import Origin, labels_left, result_labels
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.lint.query import Query
from logging_pkg.pipeline.logql import ast
from logging_pkg.pipeline.logql.functions import GROUPABLE_AGGREGATIONS, SUM_PUSHES_GROUPING_INTO

ID = "logql/unbounded-by"
NEEDS = (Need.SCHEMAS,)


def check(project: Project) -> Iterator[Problem]:
    """A label in `by` that is no dimension, or no `by` where structured metadata would make a series per line."""
    for query, expression in parsed(project, ID):
        yield from _below(project, query, expression, is_summed=False, is_inner=False)


def _below(
    project: Project, query: Query, part: ast.Expression, *, is_summed: bool, is_inner: bool
) -> Iterator[Problem]:
    """`is_inner`: an aggregation around it has the last word on the labels, `topk` on how many series there are."""
    match part:
        case ast.RangeAggregation():
            if not is_inner:
                yield from _named(query, part.grouping, labels_left(part.query, project.registry))
            yield from _unreduced(project, query, part, is_summed=is_summed)
        case ast.VectorAggregation():
            if not is_inner:
                yield from _named(query, part.grouping, result_labels(part.operand, project.registry))
            reduces = part.op.text.lower() == "sum" and not (part.grouping and part.grouping.without)
            yield from _below(project, query, part.operand, is_summed=reduces, is_inner=True)
        case ast.BinaryOperation():
            yield from _below(project, query, part.left, is_summed=False, is_inner=is_inner)
            yield from _below(project, query, part.right, is_summed=False, is_inner=is_inner)
        case ast.LabelReplace():
            yield from _below(project, query, part.operand, is_summed=False, is_inner=is_inner)
        case _:
            pass


def _named(query: Query, grouping: ast.Grouping | None, labels: dict[str, Origin]) -> Iterator[Problem]:
    for name in grouping.labels if grouping and not grouping.without else ():
        if name.text in labels and not labels[name.text].bounded:
            hint = "group by fields with x-dimension, an enum or a stream label; or state its bound in the schema"
            yield at(query, name, ID, "takes any number of values", hint)


def _unreduced(project: Project, query: Query, part: ast.RangeAggregation, *, is_summed: bool) -> Iterator[Problem]:
    function = part.op.text.lower()
    if function == "absent_over_time" or (is_summed and function in SUM_PUSHES_GROUPING_INTO):
        return
    if part.grouping is not None and not part.grouping.without:
        return
    unbounded = sorted(name for name, origin in result_labels(part, project.registry).items() if not origin.bounded)
    if unbounded:
        worst = "event_id" if "event_id" in unbounded else unbounded[0]
        hint = "add by (…) behind it" if function in GROUPABLE_AGGREGATIONS else f"write sum by (…) ({function}(…))"
        yield at(query, part.op, ID, f"makes one series per {worst}", hint)
