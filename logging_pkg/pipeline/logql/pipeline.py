"""Parse the log part of LogQL: selectors and pipeline stages.

In: a TokenStream that stands before `{` or `|`. Out: Selector and Stage values. Never: metrics, schemas.
"""

from __future__ import annotations

import re

from logging_pkg.pipeline.logql import ast
from logging_pkg.pipeline.logql.functions import UNWRAP_CONVERSIONS
from logging_pkg.pipeline.logql.stream import TokenStream, check_regex
from logging_pkg.pipeline.logql.tokens import LogQLError

_LINE_FILTERS = ("|=", "|~", "|>", "!=", "!~", "!>")
_COMPARISONS = ("=", "==", "!=", ">", ">=", "<", "<=")
_NAMED_GROUP = re.compile(r"\(\?P?<(\w+)>")
_PATTERN_CAPTURE = re.compile(r"<(\w+)>")


def parse_selector(tokens: TokenStream) -> ast.Selector:
    """Parse `{…}`; at least one matcher must need a non-empty value, as Loki demands."""
    start = tokens.need("{").start
    matchers = []
    while not tokens.at("}"):
        matchers.append(_matcher(tokens, tokens.name()))
        if not tokens.take(","):
            break
        if tokens.at("}"):
            raise tokens.expected("a label name")
    tokens.need("}")
    selector = ast.Selector(tuple(matchers), start, tokens.end)
    if all(matches(matcher, "") for matcher in matchers):
        raise LogQLError(
            'a selector needs at least one matcher that an empty value fails, such as event="…" or service_name=~".+"',
            selector.start,
            selector.end,
        )
    return selector


def matches(matcher: ast.Matcher, value: str) -> bool:
    """Whether a label value passes a matcher; regular expressions are anchored at both ends, as in Loki."""
    if matcher.op in ("=", "!="):
        return (value == matcher.value.text) == (matcher.op == "=")
    return (check_regex(matcher.value).fullmatch(value) is not None) == (matcher.op == "=~")


def _matcher(tokens: TokenStream, name: ast.Name) -> ast.Matcher:
    op = tokens.need("=", "!=", "=~", "!~").text
    return ast.Matcher(name, op, tokens.regex() if op.endswith("~") else tokens.string())


def parse_stages(tokens: TokenStream) -> tuple[ast.Stage, ...]:
    """Parse stages up to whatever is none. After `unwrap` only label filters may follow."""
    stages: list[ast.Stage] = []
    while True:
        if tokens.at(*_LINE_FILTERS):
            _refuse_after_unwrap(tokens, stages)
            stages.append(_line_filter(tokens))
        elif tokens.at("|"):
            tokens.read()
            is_filter = tokens.next.kind == "identifier" or tokens.at("(")
            if not is_filter:
                _refuse_after_unwrap(tokens, stages)
            stages.append(_label_filter(tokens) if is_filter else _stage(tokens))
        else:
            return tuple(stages)


def _refuse_after_unwrap(tokens: TokenStream, stages: list[ast.Stage]) -> None:
    if any(isinstance(stage, ast.Unwrap) for stage in stages):
        raise tokens.expected('a label filter such as __error__="" (nothing else may follow unwrap)')


def _line_filter(tokens: TokenStream) -> ast.LineFilter:
    op = tokens.read().text
    values = [_line_value(tokens, op)]
    while tokens.take("or"):
        values.append(_line_value(tokens, op))
    return ast.LineFilter(op, tuple(values))


def _line_value(tokens: TokenStream, op: str) -> ast.Name:
    if tokens.next.kind == "identifier" and tokens.next.text.lower() == "ip":
        return _address_range(tokens)
    return tokens.regex() if op.endswith("~") else tokens.string()


def _address_range(tokens: TokenStream) -> ast.Name:
    tokens.read()
    tokens.need("(")
    value = tokens.string('an address range in quotes, such as "10.0.0.0/8"')
    tokens.need(")")
    return value


def _stage(tokens: TokenStream) -> ast.Stage:
    token = tokens.next
    if token.kind != "keyword":
        raise tokens.expected("a stage (json, logfmt, unwrap, keep …) or a label filter")
    tokens.read()
    match token.text:
        case "json" | "logfmt":
            while token.text == "logfmt" and tokens.next.kind == "flag":
                tokens.read()
            extractions = _extractions(tokens)
            labels = tuple(extraction.label.text for extraction in extractions)
            return ast.ParserStage(token.text, extractions, labels, token.start, tokens.end)
        case "unpack":
            return ast.ParserStage("unpack", (), (), token.start, tokens.end)
        case "regexp" | "pattern":
            return _pattern_stage(tokens, token.text, token.start)
        case "line_format":
            return ast.LineFormat(tokens.string("a template in quotes"))
        case "decolorize":
            return ast.LineFormat(None)
        case "label_format":
            return _label_format(tokens)
        case "keep" | "drop":
            return _label_choice(tokens, token.text)
        case "unwrap":
            return _unwrap(tokens, token.start)
        case _:
            raise LogQLError(
                f'expected a stage (json, logfmt, unwrap, keep …) or a label filter, found "{token.text}"',
                token.start,
                token.end,
            )


def _extractions(tokens: TokenStream) -> tuple[ast.Extraction, ...]:
    extractions: list[ast.Extraction] = []
    while tokens.next.kind == "identifier" if not extractions else tokens.take(","):
        label = tokens.name()
        extractions.append(ast.Extraction(label, tokens.string() if tokens.take("=") else label))
    return tuple(extractions)


def _pattern_stage(tokens: TokenStream, kind: str, start: int) -> ast.ParserStage:
    expression = tokens.regex() if kind == "regexp" else tokens.string("a pattern in quotes")
    captures = (_NAMED_GROUP if kind == "regexp" else _PATTERN_CAPTURE).findall(expression.text)
    labels = tuple(capture for capture in captures if capture != "_")
    if not labels:
        raise LogQLError(f"{kind} needs at least one named capture", expression.start, expression.end)
    return ast.ParserStage(kind, (), labels, start, tokens.end)


def _label_format(tokens: TokenStream) -> ast.LabelFormat:
    assignments: list[tuple[ast.Name, ast.Name | None, ast.Name | None]] = []
    while not assignments or tokens.take(","):
        label = tokens.name()
        tokens.need("=")
        if tokens.next.kind == "string":
            assignments.append((label, None, tokens.string()))
        else:
            assignments.append((label, tokens.name("a label name or a template in quotes"), None))
    return ast.LabelFormat(tuple(assignments))


def _label_choice(tokens: TokenStream, kind: str) -> ast.LabelChoice:
    names = []
    while True:
        name = tokens.name()
        if tokens.at("=", "!=", "=~", "!~"):
            _matcher(tokens, name)
        names.append(name)
        if not tokens.take(","):
            return ast.LabelChoice(kind, tuple(names))


def _unwrap(tokens: TokenStream, start: int) -> ast.Unwrap:
    name = tokens.name()
    if not tokens.at("("):
        return ast.Unwrap(name, None, start, tokens.end)
    if name.text.lower() not in UNWRAP_CONVERSIONS:
        raise LogQLError(
            f'"{name.text}" converts nothing; unwrap knows bytes, duration, duration_seconds', name.start, name.end
        )
    tokens.read()
    label = tokens.name()
    tokens.need(")")
    return ast.Unwrap(label, name.text.lower(), start, tokens.end)


def _label_filter(tokens: TokenStream) -> ast.LabelFilter:
    conditions = list(_filter_operand(tokens))
    while tokens.take("and", "or", ",") or tokens.next.kind == "identifier" or tokens.at("("):
        conditions += _filter_operand(tokens)
    return ast.LabelFilter(tuple(conditions))


def _filter_operand(tokens: TokenStream) -> tuple[ast.Condition, ...]:
    if tokens.take("("):
        inner = _label_filter(tokens)
        tokens.need(")")
        return inner.conditions
    name = tokens.name()
    if tokens.at("=~", "!~"):
        matcher = _matcher(tokens, name)
        return (ast.Condition(name, matcher.op, matcher.value.text, "string"),)
    op = tokens.need(*_COMPARISONS, "=~", "!~").text
    sign = -1 if tokens.at("-") else 1
    if tokens.at("-", "+"):
        tokens.read()
        return (ast.Condition(name, op, sign * float(tokens.need_kind("number", "a number").value), "number"),)
    token = tokens.next
    if token.kind == "string" and op in ("=", "!="):
        return (ast.Condition(name, op, tokens.string().text, "string"),)
    if token.kind == "identifier" and token.text.lower() == "ip" and op in ("=", "!="):
        return (ast.Condition(name, op, _address_range(tokens).text, "ip"),)
    if token.kind in ("number", "duration", "bytes"):
        tokens.read()
        return (ast.Condition(name, op, token.value, token.kind),)
    expected = (
        "a value in quotes, a number, a duration or bytes" if op in ("=", "!=") else "a number, a duration or bytes"
    )
    raise tokens.expected(expected)
