"""An expression taken apart, so that each part can be asked by itself.

In: LogQL. Out: its parts as texts that are LogQL again. Never: a query. What this package's parser does not read has
no parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from logging_pkg.pipeline.logql import LogQLError, parse
from logging_pkg.pipeline.logql.ast import (
    BinaryOperation,
    Expression,
    LabelReplace,
    LogQuery,
    Number,
    RangeAggregation,
    VectorAggregation,
    walk,
)
from logging_pkg.pipeline.logql.tokens import tokenize
from logging_pkg.pipeline.rules_test.values import SECOND

COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})


@dataclass(frozen=True)
class Part:
    """A sub-expression: its text, that text for people, and how deep it stands."""

    text: str
    shown: str
    depth: int


@dataclass(frozen=True)
class Comparison:
    """`left op right`: what to ask for the left side, and both sides for people."""

    left: str
    left_shown: str
    op: str
    right_shown: str


@dataclass(frozen=True)
class LogWindow:
    """The lines a range aggregation reads at a time t: those of `query` in (t - offset - range, t - offset]."""

    query: str
    range_ns: int
    offset_ns: int


def parsed(text: str) -> Expression | None:
    """The expression; None when it is LogQL this package does not know, which Loki may know all the same."""
    try:
        return parse(text)
    except LogQLError:
        return None


def parts_of(text: str) -> list[Part]:
    """The metric expressions in it, itself first; plain numbers are left out."""
    root = parsed(text)
    return list(_parts(text, root, 0)) if root is not None else []


def comparisons_of(text: str) -> list[Comparison]:
    """Its comparisons, in the order they stand."""
    root = parsed(text)
    return [
        Comparison(text_of(text, node.left), shown(text, node.left), node.op, shown(text, node.right))
        for node in (walk(root) if root is not None else ())
        if isinstance(node, BinaryOperation) and node.op in COMPARISONS
    ]


def windows_of(text: str) -> list[LogWindow]:
    """The lines it reads, each set once."""
    root = parsed(text)
    found = [_window(text, node) for node in (walk(root) if root else ()) if isinstance(node, RangeAggregation)]
    return list(dict.fromkeys(found))


def text_of(text: str, node: Expression) -> str:
    """What a part says."""
    start, end = _span(text, node)
    return text[start:end]


def shown(text: str, node: Expression) -> str:
    """A part for people, on one line, with `…` in place of what lines go through."""
    start, end = _span(text, node)
    pieces, position = [], start
    for aggregation in walk(node):
        if isinstance(aggregation, RangeAggregation) and aggregation.query.stages:
            query_end = min(aggregation.query.end, aggregation.range.start)
            if query_end > aggregation.query.selector.end:
                pieces += [text[position : aggregation.query.selector.end], " … "]
                position = query_end
    return one_line("".join([*pieces, text[position:end]])).replace("( ", "(").replace(" )", ")")


def one_line(text: str, width: int = 0) -> str:
    """A text on one line, cut to a width if one is given."""
    line = " ".join(text.split())
    return line if not width or len(line) <= width else line[: width - 1] + "…"


def _parts(text: str, node: Expression, depth: int) -> Iterator[Part]:
    if isinstance(node, Number | LogQuery):
        return
    yield Part(text_of(text, node), shown(text, node), depth)
    match node:
        case VectorAggregation(operand=RangeAggregation()):
            pass  # by itself it would be a series for every line: Loki groups while it reads
        case VectorAggregation() | LabelReplace():
            yield from _parts(text, node.operand, depth + 1)
        case BinaryOperation():
            yield from _parts(text, node.left, depth + 1)
            yield from _parts(text, node.right, depth + 1)
        case _:
            pass


def _window(text: str, node: RangeAggregation) -> LogWindow:
    """The range stands behind the pipeline or before it; a query of lines has no `unwrap`."""
    removed_end = (node.offset or node.range).end
    end = node.unwrap.start if node.unwrap else node.query.end
    if end > removed_end:
        query = f"{text[node.query.start : node.range.start]} {text[removed_end:end]}"
    else:
        query = text[node.query.start : min(end, node.range.start)]
    query = query.rstrip().removesuffix("|") if node.unwrap else query
    offset_s = node.offset.seconds if node.offset else 0.0
    return LogWindow(one_line(query), int(node.range.seconds * SECOND), int(offset_s * SECOND))


def _span(text: str, node: Expression) -> tuple[int, int]:
    """Where a part stands. Parentheses around its halves are no part of either, and are taken in here."""
    start, end = node.start, node.end
    for opening, closing in _parentheses(text):
        if opening < start <= closing < end:
            start = opening
        elif start <= opening < end <= closing:
            end = closing + 1
    return start, end


def _parentheses(text: str) -> list[tuple[int, int]]:
    """Where each pair opens and closes, inner ones first."""
    pairs: list[tuple[int, int]] = []
    open_ones: list[int] = []
    for token in tokenize(text):
        if token.kind == "symbol" and token.text == "(":
            open_ones.append(token.start)
        elif token.kind == "symbol" and token.text == ")":
            pairs.append((open_ones.pop(), token.start))
    return pairs
