"""loki/rejected-query: Loki takes every query that parses here.

In: queries, a Loki. Out: a problem with Loki's own words for each that it refuses. Never: reads a line of logs.

`format_query` parses and no more: templates and JSON paths are looked at only when a pipeline is built. So
each selector with its stages is also asked for over the last nanosecond.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from logging_pkg.loki_client import LokiClient, LokiRejected
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.lint.query import Query
from logging_pkg.pipeline.lint.source import Snippet
from logging_pkg.pipeline.lint.variables import filled
from logging_pkg.pipeline.logql import LogQLError, ast, parse

ID = "loki/rejected-query"
NEEDS = (Need.LOKI,)
_PLACE = re.compile(r"^parse error(?: at line (?P<line>\d+), col (?P<column>\d+))? ?: ?")
_STAGE = re.compile(r"stage '(?P<stage>.*?)' : ", re.DOTALL)
_WORD = re.compile(r"\w+|\S|$")
_BAD_REQUEST = 400


def check(project: Project) -> Iterator[Problem]:
    """Rules, links, documents and panels; what does not parse here is told by logql/syntax."""
    assert project.loki is not None
    for query in project.queries:
        if query.error is None and ID not in query.allowed:
            yield from _asked(query, project.loki)


def _asked(query: Query, loki: LokiClient) -> Iterator[Problem]:
    whole = filled(query.snippet, everywhere=True)
    try:
        loki.format_query(whole.text)
        for part in _pipelines(whole):
            loki.try_query(part)
    except LokiRejected as error:
        if error.status != _BAD_REQUEST:
            raise  # who may ask, not what is asked
        yield _problem(whole, _reason(error.message))


def _pipelines(whole: Snippet) -> Iterator[str]:
    """Each selector with the stages behind it, up to `unwrap`."""
    try:
        expression = parse(whole.text)
    except LogQLError:
        return
    for part in ast.walk(expression):
        if isinstance(part, ast.LogQuery):
            unwrap = next((stage for stage in part.stages if isinstance(stage, ast.Unwrap)), None)
            end = part.end if unwrap is None else unwrap.start
            yield whole.text[part.start : end].rstrip().removesuffix("|")


def _reason(message: str) -> str:
    """Loki's sentence: an answer's text, or within JSON."""
    try:
        document = orjson.loads(message)
    except orjson.JSONDecodeError:
        return message
    return str(document.get("error", message)) if isinstance(document, dict) else message


def _problem(whole: Snippet, reason: str) -> Problem:
    match = _PLACE.match(reason)
    words = reason[match.end() :] if match else reason
    # Of a stage Loki says which, in its own spelling; it is there if it was written so.
    stage = _STAGE.match(words)
    start = whole.text.find(stage["stage"]) if stage else -1
    start, end = (start, start + len(stage["stage"])) if stage and start >= 0 else (0, len(whole.text))
    if match and match["line"]:
        lines = whole.text.splitlines(keepends=True)
        start = sum(map(len, lines[: max(int(match["line"]), 1) - 1])) + max(int(match["column"]) - 1, 0)
        start = min(start, len(whole.text) - 1)
        found = _WORD.match(whole.text, start)
        end = max(found.end() if found else start, start + 1)
    return Problem.at(whole, ID, f"Loki refuses the query: {words}", start=start, end=end)
