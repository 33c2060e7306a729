"""Links to Grafana's Explore.

In: a query, its time. Out: an address, or nothing where no Grafana is known. Never: a request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from logging_pkg import conf

Language = Literal["LogQL", "PromQL", "HTTP"]
#: uids of grafana/provisioning/datasources.
_DATASOURCES = {"LogQL": "loki", "PromQL": "prometheus"}


@dataclass(frozen=True, slots=True)
class ShownQuery:
    """A query as a page shows it.

    Attributes:
        language: LogQL, PromQL or, for what is no query, HTTP.
        server: whom it was asked of, or what else to know of it.
        query: as asked.
        explore: its address in Grafana; empty where there is none.
    """

    language: Language
    server: str
    query: str
    explore: str = ""


def explore_url(language: Language, query: str, range_name: str) -> str:
    """Where Explore shows a query; the form is that of the alerts' `logs_url`.

    Args:
        language: of the query.
        query: LogQL or PromQL.
        range_name: how far back, `1h`.
    """
    return _explore(language, query, f"now-{range_name}", "now")


def explore_between(language: Language, query: str, start_ns: int, end_ns: int) -> str:
    """The same for a time that does not move, ns since 1970."""
    return _explore(language, query, str(start_ns // 1_000_000), str(-(-end_ns // 1_000_000)))


def _explore(language: Language, query: str, start: str, end: str) -> str:
    root = conf.settings().explore_url
    datasource = _DATASOURCES.get(language)
    if not root or datasource is None:
        return ""
    pane = {
        "datasource": datasource,
        "queries": [{"refId": "A", "expr": query, "datasource": {"uid": datasource, "type": datasource}}],
        "range": {"from": start, "to": end},
    }
    panes = quote(json.dumps({"a": pane}, separators=(",", ":")), safe="")
    return f"{root.rstrip('/')}/explore?schemaVersion=1&orgId=1&panes={panes}"
