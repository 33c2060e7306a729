"""Which functions and operators LogQL has, and what each accepts.

In: nothing. Out: names by kind. Never: behaviour.

Source: Loki 3.7, pkg/logql/syntax (lex.go; RangeAggregationExpr.validate, canInjectVectorGrouping in ast.go).
"""

from __future__ import annotations

from typing import Final

#: Range aggregations of log lines; `rate` and `absent_over_time` take unwrapped values too.
LINE_AGGREGATIONS: Final = frozenset({"absent_over_time", "bytes_over_time", "bytes_rate", "count_over_time", "rate"})
#: Range aggregations of unwrapped values.
VALUE_AGGREGATIONS: Final = frozenset(
    {
        "absent_over_time",
        "avg_over_time",
        "first_over_time",
        "last_over_time",
        "max_over_time",
        "min_over_time",
        "quantile_over_time",
        "rate",
        "rate_counter",
        "stddev_over_time",
        "stdvar_over_time",
        "sum_over_time",
    }
)
RANGE_AGGREGATIONS: Final = LINE_AGGREGATIONS | VALUE_AGGREGATIONS
#: Those that may be grouped themselves: `avg_over_time(…) by (…)`.
GROUPABLE_AGGREGATIONS: Final = frozenset(
    {
        "avg_over_time",
        "first_over_time",
        "last_over_time",
        "max_over_time",
        "min_over_time",
        "quantile_over_time",
        "stddev_over_time",
        "stdvar_over_time",
    }
)
#: Those whose labels `sum by (…)` reduces while reading, so that no series per line arises in between.
SUM_PUSHES_GROUPING_INTO: Final = frozenset(
    {"bytes_over_time", "bytes_rate", "count_over_time", "rate", "sum_over_time"}
)

COUNTED_AGGREGATIONS: Final = frozenset({"approx_topk", "bottomk", "topk"})
VECTOR_AGGREGATIONS: Final = COUNTED_AGGREGATIONS | {
    "avg",
    "count",
    "max",
    "min",
    "sort",
    "sort_desc",
    "stddev",
    "stdvar",
    "sum",
}
FUNCTIONS: Final = RANGE_AGGREGATIONS | VECTOR_AGGREGATIONS | {"label_replace", "vector"}

SET_OPERATORS: Final = frozenset({"and", "or", "unless"})
#: Binary operators by precedence, loosest first; only the last level binds to the right.
PRECEDENCE: Final = (
    frozenset({"or"}),
    frozenset({"and", "unless"}),
    frozenset({"==", "!=", "<", "<=", ">", ">="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
    frozenset({"^"}),
)
UNWRAP_CONVERSIONS: Final = frozenset({"bytes", "duration", "duration_seconds"})
