"""rules/unexpected-file: the rules directory holds rule files and nothing else.

In: the names in loki/rules/. Out: a problem for anything but *.yaml files. Never: opens them.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import RULES_DIRECTORY, Project

ID = "rules/unexpected-file"


def check(project: Project) -> Iterator[Problem]:
    """Loki reads every file there as rules, one level deep; one it cannot parse keeps all rules from loading."""
    directory = project.root / RULES_DIRECTORY
    if not directory.is_dir():
        yield Problem.about(RULES_DIRECTORY, ID, "does not exist", "run logpipe check in the project's directory")
        return
    for path in sorted(directory.iterdir()):
        if path.is_dir() or path.suffix not in (".yaml", ".yml"):
            hint = "move it out of loki/rules: Loki reads every file there"
            yield Problem.about(f"{RULES_DIRECTORY}/{path.name}", ID, "not a rule file", hint)
