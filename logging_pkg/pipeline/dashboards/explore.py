"""Addresses of Grafana's own pages, with the dashboard's choices filled in by Grafana.

In: LogQL with variables, alert names. Out: relative URLs. Never: a host name: Grafana's address is its own affair.
"""

from __future__ import annotations

import json
import re
from typing import Final
from urllib.parse import quote

from logging_pkg.pipeline.dashboards.panel_link import panel_number

#: The dashboard that shows docs/runbooks/ within Grafana.
RUNBOOKS_UID: Final = "runbooks"
_ENCODED_VARIABLE = re.compile(r"%24%7B(?P<name>[A-Za-z_][\w.]*)(?:%3A(?P<format>[a-z]+))?%7D")
_VARIABLE = re.compile(r"\$(?P<name>[A-Za-z]\w*)")


def explore_url(logql: str, *, typed: frozenset[str] = frozenset()) -> str:
    """The page that shows the lines of a LogQL query in the dashboard's time range.

    Args:
        logql: with variables as `$name` in regular expressions.
        typed: those of them that people type in; their text is taken as it is.
    """
    named = _VARIABLE.sub(lambda found: _formatted(found["name"], typed), logql)
    pane = {
        "datasource": "${loki}",
        "queries": [{"refId": "A", "expr": named, "datasource": {"type": "loki", "uid": "${loki}"}}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    encoded = quote(json.dumps({"a": pane}, separators=(",", ":")), safe="")
    return f"/explore?schemaVersion=1&orgId=1&panes={_ENCODED_VARIABLE.sub(_decoded, encoded)}"


def runbook_url(title: str) -> str:
    """A page of the dashboard of runbooks: an alert's has the alert's name, a guide's is `guide_title`."""
    return f"/d/{RUNBOOKS_UID}?viewPanel={panel_number(RUNBOOKS_UID, title)}"


def guide_title(dashboard: str) -> str:
    """The page that tells how to read a dashboard, for panels that no alert is about.

    Args:
        dashboard: its title.
    """
    return f"How to read {dashboard}"


def _formatted(name: str, typed: frozenset[str]) -> str:
    # Several choices become (a|b). What people type is a regular expression already.
    return f"${{{name}}}" if name in typed else f"${{{name}:regex}}"


def _decoded(found: re.Match[str]) -> str:
    """Grafana finds a variable in clear text only."""
    return f"${{{found['name']}{':' + found['format'] if found['format'] else ''}}}"
