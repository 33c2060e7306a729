"""rules/generated: the committed generated rules are those the schemas and the objectives ask for.

In: the generated files below loki/, the registry and loki/slos.yaml. Out: a problem at the first line that differs, or
the objective that cannot be meant. Never: writes a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.generate import RECORDING_RULES
from logging_pkg.pipeline.generated_files import generated_rules, objectives_of
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.lint.source import SourceFile
from logging_pkg.pipeline.slo import SLO_FILE, SLO_LOKI_RULES, SLO_PROMETHEUS_RULES

ID = "rules/generated"
NEEDS = (Need.PROJECT,)

_HINT = "run logpipe generate"
_PLACE = re.compile(r"(?P<line>\d+):(?P<column>\d+): (?P<reason>.*)", re.DOTALL)


def check(project: Project) -> Iterator[Problem]:
    """A generated file is missing or differs from what `logpipe generate` writes, or cannot be written at all."""
    try:
        slos = objectives_of(project.root, project.registry)
    except RuleError as error:
        yield _broken_objective(project, str(error))
        slos = []
    try:
        files = generated_rules(project.registry, slos)
    except RuleError as error:
        yield Problem.about(RECORDING_RULES, ID, str(error))
        return
    for name, expected in files.items():
        yield from _compare(project, name, expected)
    for name in (SLO_LOKI_RULES, SLO_PROMETHEUS_RULES):
        if name not in files and (project.root / name).is_file() and not (project.root / SLO_FILE).is_file():
            yield Problem.about(name, ID, f"there is no {SLO_FILE} it could come from", "delete it")


def _broken_objective(project: Project, text: str) -> Problem:
    """The place that an error of loki/slos.yaml names, underlined."""
    match = _PLACE.fullmatch(text.removeprefix(f"{SLO_FILE}:"))
    if match is None:
        return Problem.about(SLO_FILE, ID, text)
    source = SourceFile.read(project.root / SLO_FILE, project.root)
    lines = source.text.splitlines(keepends=True)
    start = sum(map(len, lines[: int(match["line"]) - 1])) + int(match["column"]) - 1
    end = max(start + len(source.text[start:].split("\n", 1)[0]), start + 1)
    return Problem.at(source.snippet(start, end), ID, match["reason"])


def _compare(project: Project, name: str, expected: str) -> Iterator[Problem]:
    path = project.root / name
    if not path.is_file():
        yield Problem.about(name, ID, "does not exist", _HINT)
        return
    source = SourceFile.read(path, project.root)
    if source.text == expected:
        return
    asks, ends = (
        ("the schemas ask", "the schemas end") if name == RECORDING_RULES else (f"{SLO_FILE} asks", f"{SLO_FILE} ends")
    )
    offset = 0
    for found, wanted in zip_longest(source.text.splitlines(keepends=True), expected.splitlines(keepends=True)):
        if found != wanted:
            start = offset + len(found or "") - len((found or "").lstrip(" "))
            here = source.snippet(min(start, max(len(source.text) - 1, 0)), max(offset + len(found or " ") - 1, 1))
            message = f"{asks} for: {wanted.strip() or 'an empty line'}" if wanted else f"{ends} before this"
            yield Problem.at(here, ID, message, _HINT)
            return
        offset += len(found or "")
