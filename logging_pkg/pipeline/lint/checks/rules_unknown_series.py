"""rules/unknown-series: recorded series that rules, runbooks and dashboards name are recorded.

In: PromQL of Prometheus's rules, annotations of alerts, runbooks, dashboards. Out: a problem for a name
no rule records. Never: parses PromQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem, nearest
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.lint.source import Snippet, scalar
from logging_pkg.pipeline.lint.yaml_file import Mapping

ID = "rules/unknown-series"
NEEDS = (Need.PROJECT,)

_SERIES = re.compile(r"(?<![\w:/])[a-z][a-z0-9_]*:[a-z][a-z0-9_]*:[a-z][a-z0-9_]*(?![\w:])")


def check(project: Project) -> Iterator[Problem]:
    """A series name without its recording rule: the link or panel would be empty, the alert never fire."""
    recorded = {rule.record.text for rule in project.all_rules if rule.record}
    for text in _texts(project):
        for match in _SERIES.finditer(text.text):
            if match.group() not in recorded:
                near = nearest(match.group(), recorded)
                hint = f"did you mean {near}?" if near else "see loki/rules/recording.yaml"
                yield Problem.at(text, ID, "no rule records this series", hint, start=match.start(), end=match.end())


def _texts(project: Project) -> Iterator[Snippet]:
    yield from (rule.expr for rule in project.prometheus_rules if rule.expr)
    for rule in project.alerts:
        for _key, node in rule.fields.mapping("annotations").pairs:
            if isinstance(node, yaml.ScalarNode):
                yield scalar(rule.fields.source, node)
    for dashboard in project.dashboards:
        yield from _expressions(dashboard.root) if dashboard.root else ()
    for document in project.documents:
        if document.name.startswith("docs/runbooks/"):
            yield document.snippet(0, len(document.text))


def _expressions(mapping: Mapping) -> Iterator[Snippet]:
    for key, node in mapping.pairs:
        if isinstance(node, yaml.ScalarNode) and key.text in ("expr", "query"):
            yield scalar(mapping.source, node)
        for child in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(child, yaml.MappingNode):
                yield from _expressions(Mapping(mapping.source, child))
