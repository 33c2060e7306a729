"""vector/events: Vector lets through the events that are declared, all of them and no other.

In: vector.toml. Out: a problem for each name that is missing or undeclared. Never: compiles VRL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem, nearest
from logging_pkg.pipeline.lint.project import Project

ID = "vector/events"
NEEDS = (Need.PROJECT,)

_LIST = re.compile(r"declared_events\s*=\s*\[(?P<names>[^\]]*)\]")


def check(project: Project) -> Iterator[Problem]:
    """The list `declared_events` in the VRL of vector.toml."""
    source = project.vector_config
    if source is None:
        return
    match = _LIST.search(source.text)
    if match is None:
        yield Problem.about(source, ID, "has no list declared_events", "the VRL names the events it lets through")
        return
    start = match.start("names")
    listed: set[str] = set()
    for entry in re.finditer(r'"([^"\n]*)"', match.group("names")):
        listed.add(entry.group(1))
        if entry.group(1) not in project.registry.events:
            near = nearest(entry.group(1), project.registry.events)
            here = source.snippet(start + entry.start(), start + entry.end())
            yield Problem.at(here, ID, "no schema declares this event", f"did you mean {near}?" if near else "")
    here = source.snippet(match.start(), match.start("names"))
    for name in sorted(set(project.registry.events) - listed):
        yield Problem.at(
            here, ID, f"lacks {name}", "its events would all go to the dead letter; run logpipe vector-config"
        )
