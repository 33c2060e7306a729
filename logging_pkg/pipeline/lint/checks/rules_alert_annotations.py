"""rules/alert-annotations: whoever gets an alert learns what, how bad, what to do and where to look.

In: alert rules. Out: a problem for each thing missing. Never: reads the runbook itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project

ID = "rules/alert-annotations"

SEVERITIES = ("info", "warning", "critical")
ANNOTATIONS = {
    "summary": "one line with the value",
    "description": "what was measured, over what, against which limit",
    "runbook_url": "docs/runbooks/<alert>.md",
    "dashboard_url": "the panel about the alert, or the series in Explore",
    "logs_url": "the LogQL behind the alert in Explore",
}
#: What is asked of anybody's alerts, whatever their severities are called.
_EVERYBODYS = ("summary", "runbook_url")


def check(project: Project) -> Iterator[Problem]:
    """severity, summary, description, runbook_url, dashboard_url, logs_url; of files given some of them."""
    asked = {name: ANNOTATIONS[name] for name in _EVERYBODYS} if project.given else ANNOTATIONS
    for rule in project.alerts:
        labels, annotations = rule.fields.mapping("labels"), rule.fields.mapping("annotations")
        severity = labels.text("severity")
        if severity is None:
            hint = f"such as {SEVERITIES[-1]}" if project.given else f"one of {', '.join(SEVERITIES)}"
            yield Problem.at(rule.name, ID, "has no label severity", hint)
        elif not project.given and severity.text not in SEVERITIES:
            yield Problem.at(severity, ID, "not a severity", f"one of {', '.join(SEVERITIES)}")
        for name, purpose in asked.items():
            text = annotations.text(name)
            if text is None or not text.text.strip():
                yield Problem.at(rule.name, ID, f"has no annotation {name}", f"{name}: {purpose}")
