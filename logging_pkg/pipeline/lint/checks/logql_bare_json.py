"""logql/bare-json: every json stage says which keys it reads.

In: json stages. Out: a problem for one without keys. Never: judges the keys.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.checks._queries import at, log_queries
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.logql import ast

ID = "logql/bare-json"


def check(project: Project) -> Iterator[Problem]:
    """`| json` without keys reads every field of every line into labels."""
    for query, part in log_queries(project, ID):
        for stage in part.stages:
            if isinstance(stage, ast.ParserStage) and stage.kind == "json" and not stage.extractions:
                yield at(query, stage, ID, "reads every field into a label", 'name the keys: | json route="route"')
