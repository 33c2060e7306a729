"""rules/generated: the committed recording rules are those the schemas ask for.

In: loki/rules/recording.yaml and the registry. Out: a problem at the first line that differs. Never: writes the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.generate import RECORDING_RULES, recording_rules
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.lint.source import SourceFile

ID = "rules/generated"


def check(project: Project) -> Iterator[Problem]:
    """recording.yaml is missing or differs from what `logpipe generate` writes, or cannot be written at all."""
    hint = "run logpipe generate"
    try:
        expected = recording_rules(project.registry)
    except RuleError as error:
        yield Problem.about(RECORDING_RULES, ID, str(error))
        return
    path = project.root / RECORDING_RULES
    if not path.is_file():
        yield Problem.about(RECORDING_RULES, ID, "does not exist", hint)
        return
    source = SourceFile.read(path, project.root)
    if source.text == expected:
        return
    offset = 0
    for found, wanted in zip_longest(source.text.splitlines(keepends=True), expected.splitlines(keepends=True)):
        if found != wanted:
            start = offset + len(found or "") - len((found or "").lstrip(" "))
            here = source.snippet(min(start, max(len(source.text) - 1, 0)), max(offset + len(found or " ") - 1, 1))
            message = (
                f"the schemas ask for: {wanted.strip() or 'an empty line'}" if wanted else "the schemas end before this"
            )
            yield Problem.at(here, ID, message, hint)
            return
        offset += len(found or "")
