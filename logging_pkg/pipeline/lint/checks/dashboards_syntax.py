"""dashboards/syntax: every dashboard is JSON that Grafana can load.

In: grafana/dashboards/. Out: a problem where a file cannot be read. Never: judges panels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project

ID = "dashboards/syntax"


def check(project: Project) -> Iterator[Problem]:
    """Not JSON, or not an object."""
    for dashboard in project.dashboards:
        try:
            json.loads(dashboard.source.text)
        except json.JSONDecodeError as error:
            here = dashboard.source.snippet(error.pos, error.pos + 1)
            yield Problem.at(here, ID, f"not JSON: {error.msg}")
            continue
        if dashboard.root is None:
            yield Problem.about(dashboard.source, ID, f"cannot be read: {dashboard.error}")
