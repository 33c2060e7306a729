"""What the links in an alert's annotations open, as Grafana reads them.

In: an address as it is delivered. Out: an expression, or a panel of the committed dashboards. Never: a template.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.pipeline.dashboards.documents import DOCUMENTS, panels


def linked(url: str) -> str:
    """The expression in a link to Explore."""
    pane = json.loads(parse_qs(urlsplit(url).query)["panes"][0])["a"]
    return str(pane["queries"][0]["expr"])


def opened(url: str) -> tuple[str, dict[str, Any], dict[str, str]]:
    """What a link to a panel opens: the dashboard's uid, the panel, and the choices that are made."""
    parts = urlsplit(url)
    assert parts.scheme == "http"
    (uid,) = re.fullmatch(r"/d/(\w+)", parts.path).groups()  # type: ignore[union-attr]
    query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=True)
    (panel,) = (panel for panel in panels(DOCUMENTS[uid]) if panel["id"] == int(query["viewPanel"][0]))
    assert set(query) - {name for name in query if name.startswith("var-")} == {"viewPanel", "from", "to"}
    chosen = {name.removeprefix("var-"): value for name, (value,) in query.items() if name.startswith("var-")}
    return uid, panel, chosen
