"""rules/panel-link: an alert's link to a dashboard opens the panel about it, for the alert's own labels.

In: `dashboard_url` of alerts, the project's dashboards. Out: a problem for a dashboard, panel or variable that is not
there, for a panel that says nothing of the alert, for a label's value that breaks the link; with the link to write.
Never: judges links to Explore, or full addresses: they may be of another Grafana.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

import yaml

from logging_pkg.pipeline.dashboards.panel_link import PanelLink, panel_link
from logging_pkg.pipeline.lint.checks._panels import Board, Panel, boards
from logging_pkg.pipeline.lint.labels import result_labels
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem, Severity, nearest
from logging_pkg.pipeline.lint.project import Project, Rule
from logging_pkg.pipeline.lint.source import Snippet, scalar

ID = "rules/panel-link"
NEEDS = (Need.PROJECT,)

_WHICH = "viewPanel=ID: the address of View in the panel's menu has it"
_SAYS = (
    "run `logpipe generate`: its panels name the alerts that link to them; a panel made by hand has to name it itself"
)
_WORD = string.ascii_letters + string.digits + "_-"
_LABEL = re.compile(r"\$labels\.(\w+)")
_PLAIN_LABEL = re.compile(r"\{\{-?\s*\$labels\.(\w+)\b.*\}\}", re.DOTALL)
#: What an expression reads: events in LogQL, recorded series in PromQL.
_READ = re.compile(r'(?<=event=")[\w.]+(?=")|\b[a-z]\w*:[a-z]\w*:[a-z]\w*')


def check(project: Project) -> Iterator[Problem]:
    """Without dashboards nothing is said: there is no panel to link to."""
    known = boards(project.dashboards)
    for rule in project.alerts if known else ():
        url = rule.fields.mapping("annotations").text("dashboard_url")
        link = panel_link(url.text) if url is not None else None
        if url is None or link is None or "://" in link.root:
            continue
        board = known.get(link.uid)
        if board is not None:
            yield from _panel(rule, url, link, known)
            yield from _variables(project, rule, url, link, board)
        else:
            near = nearest(link.uid, known)
            hint = _better(rule, link, known) or (f"did you mean /d/{near}?" if near else "")
            yield _at(url, f"/d/{link.uid}", "no dashboard in grafana/dashboards has this uid", hint)


def _panel(rule: Rule, url: Snippet, link: PanelLink, known: dict[str, Board]) -> Iterator[Problem]:
    """The panel is there, and about the alert."""
    alert = rule.name.text
    panel = known[link.uid].panels.get(link.number) if link.number is not None else None
    if link.number is None:
        yield _at(url, f"/d/{link.uid}", "opens the dashboard, not the panel", _better(rule, link, known) or _WHICH)
    elif panel is None:
        yield _at(url, "viewPanel=", "the dashboard has no panel with this id", _better(rule, link, known) or _WHICH)
    elif not panel.names(alert):
        yield _at(url, "viewPanel=", f'"{panel.title}" says nothing of {alert}', _better(rule, link, known) or _SAYS)


def _variables(project: Project, rule: Rule, url: Snippet, link: PanelLink, board: Board) -> Iterator[Problem]:
    """Each `var-name=value` chooses something."""
    expression = rule.query.expression if rule.query else None
    labels = result_labels(expression, project.registry) if expression else {}
    for variable in link.variables:
        name, value = variable.name, variable.value
        found = _PLAIN_LABEL.fullmatch(value)
        origin = labels.get(found[1]) if found else None
        severity = Severity.ERROR
        if name not in board.variables:
            message, hint = f"/d/{board.uid} has no such variable", f"it has: {', '.join(board.variables) or 'none'}"
        elif "{{" in value and "urlquery" not in value:
            message, hint = "a value with & or # in it ends here", "write {{ … | urlquery }}"
        elif found and origin and any("null" in schema.get("type", ()) for schema in origin.schemas):
            severity = Severity.WARNING
            message = "may be empty, which chooses nothing"
            hint = f"{{{{ with $labels.{found[1]} }}}}&var-{name}={{{{ . | urlquery }}}}{{{{ end }}}}"
        else:
            continue
        yield Problem.at(url, ID, message, hint, start=variable.start, end=variable.end, severity=severity)


def _better(rule: Rule, link: PanelLink, known: dict[str, Board]) -> str:
    """The link to write: to a panel that names the alert, else to one that reads what the rule reads."""
    panels = [panel for board in known.values() for panel in board.panels.values() if panel.kind != "text"]
    named = [panel for panel in panels if panel.names(rule.name.text)]
    read = set(_READ.findall(rule.expr.text)) if rule.expr else set()
    alike = [panel for panel in panels if read & set(_READ.findall(panel.reads))]
    labels = _labels_of(rule)

    def rank(panel: Panel) -> tuple[bool, bool, int, bool, str]:
        chosen = len(set(labels) & set(known[panel.uid].variables))
        is_linked = (panel.uid, panel.number) == (link.uid, link.number)
        return (not is_linked, panel.uid != link.uid, -chosen, panel.kind != "timeseries", panel.path)

    best = min(named or alike, key=rank, default=None)
    if best is None or (best.uid, best.number) == (link.uid, link.number):
        return ""
    values = [f"var-{name}={{{{ $labels.{name} | urlquery }}}}" for name in labels if name in known[best.uid].variables]
    address = "&".join([f"{best.path}&from=now-3h&to=now", *values])
    return f'"{best.title}" is {address}' + ("" if named else "; then run `logpipe generate`")


def _labels_of(rule: Rule) -> list[str]:
    """Labels that the alert's annotations speak of, in their order."""
    nodes = [node for _key, node in rule.fields.mapping("annotations").pairs if isinstance(node, yaml.ScalarNode)]
    texts = [scalar(rule.fields.source, node).text for node in nodes]
    return list(dict.fromkeys(name for text in texts for name in _LABEL.findall(text)))


def _at(url: Snippet, part: str, message: str, hint: str) -> Problem:
    """A problem about a part of the link that begins so; it is there."""
    start = url.text.index(part)
    rest = url.text[start + len(part) :]
    end = len(url.text) - len(rest.lstrip(_WORD))
    return Problem.at(url, ID, message, hint, start=start, end=end)
