"""rules/template-variable: templates of alerts use only what Loki, or Prometheus, gives them.

In: labels and annotations of alerts. Out: a problem for an unknown variable, or a label the expression does not leave.
Never: executes a template.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from logging_pkg.pipeline.lint.labels import result_labels
from logging_pkg.pipeline.lint.problem import Problem, nearest
from logging_pkg.pipeline.lint.project import Project, Rule
from logging_pkg.pipeline.lint.source import Snippet, scalar

ID = "rules/template-variable"

_ACTION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?")
_RAW_STRING = re.compile(r"`[^`]*`")
_ASSIGNED = re.compile(r"\$([A-Za-z_]\w*)\s*(?:,\s*\$([A-Za-z_]\w*)\s*)?:=")
_EXTERNAL_URL = re.compile(r"\bexternalURL\b")
#: Prometheus also has $externalURL; Loki 3.7 checks templates without it, and refuses the whole file.
_VARIABLES = ("labels", "externalLabels", "value")


def check(project: Project) -> Iterator[Problem]:
    """`$externalURL`, `$route`, or `$labels.route` where the expression groups it away."""
    for rule in project.prometheus_rules:
        for text in _templates(rule) if rule.alert else ():
            yield from _in_prometheus(text)
    for rule in project.rules:
        if not rule.alert:
            continue
        left = None
        # Without schemas nobody knows the labels of streams, and so not what an expression leaves.
        if rule.query and rule.query.expression and project.has_schemas:
            own = {key.text for key, _value in rule.fields.mapping("labels").pairs}
            left = own | set(result_labels(rule.query.expression, project.registry))
        for text in _templates(rule):
            yield from _in_text(text, left)


def _templates(rule: Rule) -> Iterator[Snippet]:
    for key in ("labels", "annotations"):
        for _name, node in rule.fields.mapping(key).pairs:
            if isinstance(node, yaml.ScalarNode):
                yield scalar(rule.fields.source, node)


def _in_prometheus(text: Snippet) -> Iterator[Problem]:
    assigned = {name for names in _ASSIGNED.findall(text.text) for name in names}
    for action in _ACTION.finditer(text.text):
        code = _RAW_STRING.sub(lambda match: " " * len(match.group()), action.group())
        for match in _EXTERNAL_URL.finditer(code):
            start, end = action.start() + match.start(), action.start() + match.end()
            hint = "{{ $externalLabels.grafana_url }} is the address of Grafana"
            yield Problem.at(text, ID, "is Prometheus's own address here", hint, start=start, end=end)
        for match in _VARIABLE.finditer(code):
            name, _label = match.groups()
            if name not in (*_VARIABLES, "externalURL") and name not in assigned:
                start, end = action.start() + match.start(), action.start() + match.end()
                yield Problem.at(
                    text, ID, "Prometheus knows no such variable", "known: $labels, $value", start=start, end=end
                )


def _in_text(text: Snippet, left: set[str] | None) -> Iterator[Problem]:
    assigned = {name for names in _ASSIGNED.findall(text.text) for name in names}
    for action in _ACTION.finditer(text.text):
        code = _RAW_STRING.sub(lambda match: " " * len(match.group()), action.group())
        for match in _VARIABLE.finditer(code):
            start, end = action.start() + match.start(), action.start() + match.end()
            name, label = match.groups()
            if name not in _VARIABLES and name not in assigned:
                hint = (
                    "{{ externalURL }} is the address of Grafana" if name == "externalURL" else "known: $labels, $value"
                )
                yield Problem.at(text, ID, "Loki knows no such variable and loads no rule", hint, start=start, end=end)
            elif name == "labels" and label and left is not None and label not in left:
                near = nearest(label, left)
                hint = f"did you mean {near}?" if near else f"left are: {', '.join(sorted(left))}"
                yield Problem.at(text, ID, "the expression leaves no such label", hint, start=start, end=end)
