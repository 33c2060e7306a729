"""Panels read back from dashboard JSON, anybody's.

In: a dashboard's JSON. Out: ReadPanels with their queries, variables filled in. Never: asks a server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from logging_pkg.pipeline.dashboards.model import MAY_BE_EMPTY

#: What Grafana fills in by itself.
BUILT_IN: Final = frozenset({"__range", "__range_s", "__interval", "__rate_interval", "__from", "__to", "__all"})
_MAY_BE_EMPTY: Final = re.compile(rf"^{MAY_BE_EMPTY} \((?P<letters>[A-Z, ]+)\): (?P<reason>.+)\.$", re.MULTILINE)
_VARIABLE: Final = re.compile(r"\$(?:\{(?P<braced>\w+)(?::\w+)?\}|(?P<bare>[A-Za-z_]\w*))")


@dataclass(frozen=True, slots=True)
class ReadQuery:
    """One query: `kind` is its data source's type; an instant one has one answer, not one for every step.

    `may_be_empty` is the reason that the panel's description gives for it; empty where it gives none.
    """

    expr: str
    kind: str
    is_instant: bool
    legend: str
    may_be_empty: str = ""


@dataclass(frozen=True, slots=True)
class ReadPanel:
    """One panel that asks for data; `empty` is what it says when there is none."""

    dashboard: str
    title: str
    kind: str
    queries: tuple[ReadQuery, ...]
    empty: str = ""


def panels_of(document: Mapping[str, Any]) -> Iterator[ReadPanel]:
    """The panels of a dashboard that have queries, those within closed rows included."""
    for panel in _flat(document.get("panels", [])):
        reasons = {
            letter: found["reason"]
            for found in _MAY_BE_EMPTY.finditer(panel.get("description", ""))
            for letter in found["letters"].split(", ")
        }
        queries = tuple(
            ReadQuery(
                target["expr"],
                target.get("datasource", panel.get("datasource", {})).get("type", ""),
                bool(target.get("instant")) or target.get("queryType") == "instant",
                target.get("legendFormat", ""),
                reasons.get(target.get("refId", ""), ""),
            )
            for target in panel.get("targets", [])
        )
        if queries:
            empty = panel.get("fieldConfig", {}).get("defaults", {}).get("noValue", "")
            yield ReadPanel(document["title"], panel["title"], panel["type"], queries, empty)


def marks_of(document: Mapping[str, Any]) -> Iterator[ReadPanel]:
    """The annotations of a dashboard, as panels of one query each."""
    for mark in document.get("annotations", {}).get("list", []):
        kind = mark["datasource"]["type"]
        query = ReadQuery(mark["expr"], kind, is_instant=False, legend=mark["titleFormat"])
        yield ReadPanel(document["title"], mark["name"], "logs" if kind == "loki" else "timeseries", (query,))


def variables_in(text: str) -> set[str]:
    """Names of the variables a text has."""
    return {match["braced"] or match["bare"] for match in _VARIABLE.finditer(text)}


def filled_in(expr: str, values: Mapping[str, str]) -> str:
    """A query with its variables replaced.

    Raises:
        KeyError: a variable has no value.
    """
    return _VARIABLE.sub(lambda match: values[match["braced"] or match["bare"]], expr)


def labels_in(legend: str) -> set[str]:
    """The labels a legend shows."""
    return set(re.findall(r"\{\{\s*(\w+)\s*\}\}", legend))


def _flat(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from _flat(panel.get("panels", []))
