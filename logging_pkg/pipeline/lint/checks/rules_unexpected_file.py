"""rules/unexpected-file: the rules directories hold rule files and nothing else.

In: the names in loki/rules/ and loki/prometheus_rules/. Out: a problem for anything but *.yaml files.
Never: opens them.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import PROMETHEUS_RULES_DIRECTORY, RULES_DIRECTORY, Project

ID = "rules/unexpected-file"
NEEDS = (Need.PROJECT,)


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
    prometheus = project.root / PROMETHEUS_RULES_DIRECTORY
    for path in sorted(prometheus.iterdir()) if prometheus.is_dir() else ():
        if path.is_dir() or path.suffix != ".yaml":
            hint = (
                f"rename it, or move it out: Prometheus reads {PROMETHEUS_RULES_DIRECTORY}/*.yaml and passes this over"
            )
            yield Problem.about(f"{PROMETHEUS_RULES_DIRECTORY}/{path.name}", ID, "not a rule file", hint)
