"""Parse LogQL by recursive descent, keeping the place of every part.

In: the text of one query. Out: an Expression, or a LogQLError that says where and what was expected.
Never: schemas, network, YAML.

Grammar: Loki 3.7, pkg/logql/syntax/syntax.y, without `variants`. Whatever this parser accepts, Loki accepts; a test
holds it to that against a running Loki.
"""

from __future__ import annotations

from logging_pkg.pipeline.logql import ast
from logging_pkg.pipeline.logql.functions import (
    COUNTED_AGGREGATIONS,
    FUNCTIONS,
    GROUPABLE_AGGREGATIONS,
    LINE_AGGREGATIONS,
    PRECEDENCE,
    RANGE_AGGREGATIONS,
    SET_OPERATORS,
    VALUE_AGGREGATIONS,
    VECTOR_AGGREGATIONS,
)
from logging_pkg.pipeline.logql.pipeline import parse_selector, parse_stages
from logging_pkg.pipeline.logql.stream import TokenStream
from logging_pkg.pipeline.logql.tokens import LogQLError

_POWER = len(PRECEDENCE) - 1


def parse(query: str) -> ast.Expression:
    """Parse one query, log or metric.

    Raises:
        LogQLError: it is not LogQL, or Loki would refuse it; `start` and `end` are offsets in the query.
    """
    tokens = TokenStream(query)
    try:
        expression = _expression(tokens)
    except RecursionError:
        raise LogQLError("nested too deeply", 0, len(query)) from None
    if tokens.next.kind != "end":
        if isinstance(expression, ast.LogQuery) and tokens.next.kind == "range":
            raise tokens.expected("a range aggregation such as rate(…) around a range")
        raise tokens.expected("an operator or the end of the query")
    return expression


def _expression(tokens: TokenStream, level: int = 0) -> ast.Expression:
    left = _operand(tokens) if level == _POWER else _expression(tokens, level + 1)
    while tokens.at(*PRECEDENCE[level]):
        operator = tokens.read()
        bool_modifier = tokens.take("bool") is not None
        matching = _matching(tokens)
        right = _expression(tokens, level if level == _POWER else level + 1)
        for side in (left, right):
            if isinstance(side, ast.LogQuery):
                raise LogQLError(f'"{operator.text}" joins metrics; this is a log query', side.start, side.end)
            if operator.text in SET_OPERATORS and isinstance(side, ast.Number) and not side.is_vector:
                raise LogQLError(f'"{operator.text}" joins series; this is a number', side.start, side.end)
        left = ast.BinaryOperation(operator.text, left, right, bool_modifier, matching, left.start, right.end)
    return left


def _matching(tokens: TokenStream) -> ast.Matching | None:
    keyword = tokens.take("on", "ignoring")
    if keyword is None:
        return None
    labels = tokens.names()
    group = tokens.take("group_left", "group_right")
    include: tuple[ast.Name, ...] = ()
    if group is not None and tokens.at("("):
        include = tokens.names()
    return ast.Matching(keyword.text == "on", labels, group.text if group else None, include)


def _operand(tokens: TokenStream) -> ast.Expression:
    token = tokens.next
    if tokens.at("{"):
        return _log_query(tokens)
    if tokens.at("("):
        tokens.read()
        inner = _expression(tokens)
        tokens.need(")")
        return inner
    if tokens.at("+", "-"):
        tokens.read()
        number = tokens.need_kind("number", "a number (a sign stands before numbers only)")
        value = float(number.value)
        return ast.Number(-value if token.text == "-" else value, False, token.start, number.end)
    if token.kind == "number":
        tokens.read()
        return ast.Number(float(token.value), False, token.start, token.end)
    if token.kind == "identifier":
        return _function(tokens)
    raise tokens.expected("a metric such as rate(…), a number or a selector {…}")


def _function(tokens: TokenStream) -> ast.Expression:
    name = tokens.name()
    function = name.text.lower()
    if function not in FUNCTIONS:
        raise LogQLError(f'LogQL has no function "{name.text}"{_why_missing(function)}', name.start, name.end)
    if function in RANGE_AGGREGATIONS:
        return _range_aggregation(tokens, name)
    if function in VECTOR_AGGREGATIONS:
        return _vector_aggregation(tokens, name)
    tokens.need("(")
    if function == "vector":
        value = float(tokens.need_kind("number", "a number").value)
        tokens.need(")")
        return ast.Number(value, True, name.start, tokens.end)
    operand = _metric(tokens)
    strings = []
    for read in (tokens.string, tokens.string, tokens.string, tokens.regex):
        tokens.need(",")
        strings.append(read())
    tokens.need(")")
    destination, replacement, source, regex = strings
    return ast.LabelReplace(operand, destination, replacement, source, regex, name.start, tokens.end)


def _why_missing(function: str) -> str:
    if function in (
        "abs",
        "deriv",
        "histogram_quantile",
        "increase",
        "irate",
        "predict_linear",
        "clamp_min",
        "clamp_max",
    ):
        return "; PromQL has it: compute this in Prometheus on the recorded series"
    return ""


def _metric(tokens: TokenStream) -> ast.Expression:
    expression = _expression(tokens)
    if isinstance(expression, ast.LogQuery):
        raise LogQLError("expected a metric such as rate(…[5m]), found a log query", expression.start, expression.end)
    return expression


def _log_query(tokens: TokenStream) -> ast.LogQuery:
    """A log query where nothing is aggregated: `unwrap` has no meaning there."""
    query = _selector_and_stages(tokens)
    for stage in query.stages:
        if isinstance(stage, ast.Unwrap) and tokens.next.kind != "range":
            raise LogQLError("unwrap needs a range aggregation such as sum_over_time(…[5m])", stage.start, stage.end)
    return query


def _selector_and_stages(tokens: TokenStream) -> ast.LogQuery:
    selector = parse_selector(tokens)
    stages = parse_stages(tokens)
    return ast.LogQuery(selector, stages, selector.start, tokens.end)


def _range_aggregation(tokens: TokenStream, name: ast.Name) -> ast.RangeAggregation:
    function = name.text.lower()
    tokens.need("(")
    parameter: float | None = None
    if tokens.next.kind == "number":
        number = tokens.read()
        if function != "quantile_over_time":
            raise LogQLError(f"{function} takes no parameter", number.start, number.end)
        parameter = float(number.value)
        tokens.need(",")
    elif function == "quantile_over_time":
        raise tokens.expected("the quantile, a number from 0 to 1")
    query, window, offset = _log_range(tokens)
    tokens.need(")")
    grouping = _grouping(tokens)
    if grouping and function not in GROUPABLE_AGGREGATIONS:
        raise LogQLError(
            f"{function} takes no grouping; write sum by (…) ({function}(…))", grouping.start, grouping.end
        )
    aggregation = ast.RangeAggregation(name, parameter, query, window, offset, grouping, name.start, tokens.end)
    if aggregation.unwrap and function not in VALUE_AGGREGATIONS:
        raise LogQLError(
            f"{function} counts lines and takes no unwrap", aggregation.unwrap.start, aggregation.unwrap.end
        )
    if not aggregation.unwrap and function not in LINE_AGGREGATIONS:
        raise LogQLError(f"{function} needs values: add | unwrap <label> before the range", name.start, name.end)
    return aggregation


def _log_range(tokens: TokenStream) -> tuple[ast.LogQuery, ast.Duration, ast.Duration | None]:
    """`selector stages [range] offset`, also with the range before the stages, also in parentheses."""
    if tokens.take("("):
        if tokens.at("("):
            inner = _log_range(tokens)
            tokens.need(")")
            return inner
        query = _selector_and_stages(tokens)
        if tokens.take(")"):
            return query, _range(tokens), _offset(tokens)
        window, offset = _range(tokens), _offset(tokens)
        query = _late_stages(tokens, query)
        tokens.need(")")
        return query, window, offset
    query = _selector_and_stages(tokens)
    window, offset = _range(tokens), _offset(tokens)
    return _late_stages(tokens, query), window, offset


def _late_stages(tokens: TokenStream, query: ast.LogQuery) -> ast.LogQuery:
    if not tokens.at("|", "|=", "|~", "|>", "!=", "!~", "!>"):
        return query
    if query.stages:
        raise tokens.expected('")" (stages stand before the range or after it, not both)')
    return ast.LogQuery(query.selector, parse_stages(tokens), query.start, tokens.end)


def _range(tokens: TokenStream) -> ast.Duration:
    token = tokens.need_kind("range", "a range such as [5m]")
    return ast.Duration(float(token.value), token.start, token.end, variable="$" in token.text)


def _offset(tokens: TokenStream) -> ast.Duration | None:
    if not tokens.take("offset"):
        return None
    token = tokens.need_kind("duration", "a duration such as 30s")
    return ast.Duration(float(token.value), token.start, token.end)


def _grouping(tokens: TokenStream) -> ast.Grouping | None:
    keyword = tokens.take("by", "without")
    if keyword is None:
        return None
    return ast.Grouping(keyword.text == "without", tokens.names(), keyword.start, tokens.end)


def _vector_aggregation(tokens: TokenStream, name: ast.Name) -> ast.VectorAggregation:
    function = name.text.lower()
    grouping = _grouping(tokens)
    tokens.need("(")
    parameter: float | None = None
    if function in COUNTED_AGGREGATIONS:
        number = tokens.need_kind("number", "how many series, a number")
        if not number.text.isdigit() or int(number.text) < 1:
            raise LogQLError(f"{function} needs a whole number from 1", number.start, number.end)
        parameter = float(number.value)
        tokens.need(",")
    operand = _metric(tokens)
    tokens.need(")")
    late = _grouping(tokens)
    if grouping and late:
        raise LogQLError("grouped twice", late.start, late.end)
    grouping = grouping or late
    if grouping and (function == "approx_topk" or (function in ("sort", "sort_desc") and grouping.labels)):
        raise LogQLError(f"{function} takes no grouping", grouping.start, grouping.end)
    return ast.VectorAggregation(name, parameter, grouping, operand, name.start, tokens.end)
