"""Links to Grafana's Explore.

In: a query, how far back. Out: an address, or nothing where no Grafana is known. Never: a request.
"""

from __future__ import annotations

import json
from typing import Literal
from urllib.parse import quote

from logging_pkg import conf

Language = Literal["LogQL", "PromQL", "HTTP"]
#: uids of grafana/provisioning/datasources.
_DATASOURCES = {"LogQL": "loki", "PromQL": "prometheus"}


def explore_url(language: Language, query: str, range_name: str) -> str:
    """Where Explore shows a query; the form is that of the alerts' `logs_url`.

    Args:
        language: of the query.
        query: LogQL or PromQL.
        range_name: how far back, `1h`.
    """
    root = conf.settings().explore_url
    datasource = _DATASOURCES.get(language)
    if not root or datasource is None:
        return ""
    pane = {
        "datasource": datasource,
        "queries": [{"refId": "A", "expr": query, "datasource": {"uid": datasource, "type": datasource}}],
        "range": {"from": f"now-{range_name}", "to": "now"},
    }
    panes = quote(json.dumps({"a": pane}, separators=(",", ":")), safe="")
    return f"{root.rstrip('/')}/explore?schemaVersion=1&orgId=1&panes={panes}"
