"""rules/runbook: every alert has its runbook, and every runbook its alert.

In: alert rules and docs/runbooks/. Out: a problem for a missing page, a missing part of one, or an orphan.
Never: judges what a runbook advises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem, Severity
from logging_pkg.pipeline.lint.project import Project

ID = "rules/runbook"
NEEDS = (Need.PROJECT,)

RUNBOOKS_DIRECTORY = "docs/runbooks"
PARTS = ("Meaning", "Impact", "Diagnosis", "Mitigation")


def check(project: Project) -> Iterator[Problem]:
    """runbook_url ends in docs/runbooks/<alert>.md, the file exists and has its four parts."""
    directory = project.root / RUNBOOKS_DIRECTORY
    wanted = set()
    for rule in project.alerts:
        url = rule.fields.mapping("annotations").text("runbook_url")
        page = f"{RUNBOOKS_DIRECTORY}/{rule.name.text}.md"
        wanted.add(f"{rule.name.text}.md")
        if url is not None and url.text and not url.text.endswith(page):
            yield Problem.at(url, ID, "not the runbook of this alert", f"runbook_url: {page}")
        path = project.root / page
        if not path.is_file():
            yield Problem.at(url or rule.name, ID, f"{page} does not exist", f"write it: {', '.join(PARTS)}")
            continue
        text = path.read_text(encoding="utf-8")
        missing = [part for part in PARTS if re.search(rf"^## {part}\s*$", text, re.MULTILINE) is None]
        if missing:
            yield Problem.about(page, ID, f"has no heading ## {', ## '.join(missing)}", "see the other runbooks")
    for path in sorted(directory.glob("*.md")):
        if path.name not in wanted and path.name != "README.md":
            yield Problem.about(
                f"{RUNBOOKS_DIRECTORY}/{path.name}",
                ID,
                "no alert has this runbook",
                "delete it or rename the alert",
                severity=Severity.WARNING,
            )
