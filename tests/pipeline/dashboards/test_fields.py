"""Every field that any panel reads: taken from its schema, `logpipe check` names each panel that goes dark."""

from __future__ import annotations

import copy
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from logging_pkg.pipeline.lint.checks import dashboards_dead_panel
from logging_pkg.pipeline.lint.labels import events_of
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.logql import ast, parse
from tests.pipeline.dashboards.documents import DOCUMENTS, PROJECT, panels, sources
from tests.pipeline.events import REGISTRY

SERIES = re.compile(r"[a-z]\w*:[a-z]\w*:[a-z]\w*")
#: Streams of one event or of several, and what follows of the query up to the next selector.
READ = re.compile(r'\{event=~?"(?P<events>[\w.|]+)"[^}]*\}(?P<stages>[^{]*)')
TAKEN_OUT = re.compile(r'\b\w+="(?P<field>\w+)"')


def reads(expr: str, recorded: dict[str, list[str]]) -> set[tuple[str, str]]:
    """(event, field) of a query, by way of recorded series too; by regular expressions, where the check parses."""
    seen: set[str] = set()
    waiting, found = [expr], set()
    while waiting:
        text = waiting.pop()
        for match in READ.finditer(text):
            for stage in re.findall(r"\|\s*json\b([^|]*)", match["stages"]):
                events = match["events"].split("|")
                found |= {(event, field) for event in events for field in TAKEN_OUT.findall(stage)}
        for name in set(SERIES.findall(text)) - seen:
            seen.add(name)
            waiting += recorded.get(name, [])
    return found


def test_every_field_a_panel_reads_is_missed_by_each_of_its_panels() -> None:
    """Not only the response time of requests: each pair of event and field, one at a time."""
    recorded = sources()
    reading = defaultdict(set)
    for name, document in DOCUMENTS.items():
        for panel in panels(document):
            for target in panel.get("targets", []):
                for pair in reads(target["expr"], recorded):
                    reading[pair].add((f"grafana/dashboards/{name}.json", panel["title"]))
    assert len(reading) > 60
    project = Project(PROJECT, REGISTRY)
    assert list(dashboards_dead_panel.check(project)) == []
    for (event_name, field), expected in reading.items():
        event = REGISTRY.events[event_name]
        if field in REGISTRY.envelope["properties"]:
            continue  # every event has it
        fields = {name: value for name, value in event.properties.items() if name != field}
        assert len(fields) == len(event.properties) - 1, f"{event_name} has no {field}"
        # The files that were read are kept; they are the same.
        without = copy.copy(project)
        changed = replace(REGISTRY, events={**REGISTRY.events, event_name: replace(event, properties=fields)})
        object.__setattr__(without, "registry", changed)
        found = dashboards_dead_panel.check(without)
        named = {(problem.path, problem.text.split('"title": ')[1].strip(',"')) for problem in found}
        assert named == expected, f"{event_name}: {field}"


def log_queries() -> Iterator[tuple[str, ast.LogQuery]]:
    """Of panels and of the links behind them, each with its panel's title."""
    for document in DOCUMENTS.values():
        for panel in panels(document):
            exprs = [t["expr"] for t in panel.get("targets", []) if t["datasource"]["type"] == "loki"]
            for link in panel.get("links", []):
                panes = parse_qs(urlsplit(link["url"]).query).get("panes", ["{}"])[0]
                exprs += [query["expr"] for pane in json.loads(panes).values() for query in pane["queries"]]
            for expr in dict.fromkeys(exprs):
                parts = ast.walk(parse(expr))
                yield from ((panel["title"], part) for part in parts if isinstance(part, ast.LogQuery))


def test_numbers_are_compared_only_where_every_line_has_them() -> None:
    """Loki keeps a line whose field is missing (`| json x="x" | x > 0`), so the field is required, or `x!=""` stands before."""
    compared = 0
    for title, query in log_queries():
        present: set[str] = set()
        for condition in (c for stage in query.stages if isinstance(stage, ast.LabelFilter) for c in stage.conditions):
            name = condition.name.text
            if condition.op == "!=" and condition.value == "":
                present.add(name)
            elif isinstance(condition.value, float) and name not in present:
                compared += 1
                for event in (REGISTRY.events[one] for one in events_of(query.selector, REGISTRY)):
                    assert name in event.required, f"{title}: {event.name} need not have {name}"
                    assert "null" not in event.properties[name].get("type", ()), f"{title}: {name} of {event.name}"
    assert compared > 10
