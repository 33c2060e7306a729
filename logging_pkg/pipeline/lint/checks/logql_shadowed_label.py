"""logql/shadowed-label: no json stage reads what the line already carries as a label.

In: json stages. Out: a problem for a label that Loki would rename. Never: judges fields.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.checks._queries import at, log_queries
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.logql import ast
from logging_pkg.schemas.conventions import STREAM_LABELS, STRUCTURED_METADATA

ID = "logql/shadowed-label"
NEEDS = (Need.SCHEMAS,)


def check(project: Project) -> Iterator[Problem]:
    """`| json level="level"`: Loki keeps the stored label and calls the extracted one level_extracted."""
    for query, part in log_queries(project, ID):
        for stage in part.stages:
            for extraction in stage.extractions if isinstance(stage, ast.ParserStage) else ():
                label = extraction.label
                if label.text in (*STREAM_LABELS, *STRUCTURED_METADATA):
                    hint = "leave it out: the label is there without any stage"
                    yield at(query, label, ID, f"becomes {label.text}_extracted", hint)
