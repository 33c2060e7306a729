"""logql/unknown-event: every event a selector names is declared.

In: selectors. Out: a problem for a name no schema declares, or a pattern none matches. Never: judges other labels.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.checks._queries import at, log_queries
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem, nearest
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.logql.pipeline import matches

ID = "logql/unknown-event"
NEEDS = (Need.SCHEMAS,)


def check(project: Project) -> Iterator[Problem]:
    """`event="…"` with an undeclared name, `event=~"…"` that matches none, alternatives one by one."""
    events = project.registry.events
    for query, part in log_queries(project, ID):
        for matcher in part.selector.matchers:
            if matcher.name.text != "event":
                continue
            value = matcher.value.text
            if matcher.op in ("=", "!="):
                unknown = [value] if value not in events else []
            elif value.replace("|", "").replace("_", "").replace(".", "").isalnum():
                unknown = [name for name in value.split("|") if name not in events]
            else:
                pattern = type(matcher)(matcher.name, "=~", matcher.value)
                unknown = [] if any(matches(pattern, event) for event in events) else [value]
            for name in unknown:
                near = nearest(name, events)
                hint = f"did you mean {near}?  see log_schemas/" if near else "declare it in log_schemas/"
                yield at(query, matcher.value, ID, f"no schema declares {name}", hint)
