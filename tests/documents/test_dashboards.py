"""The dashboards read what is recorded, and name data sources that are provisioned.

In: grafana/. Out: assertions on the files. Never: a Grafana; none is on the machine this project is built on.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
_SERIES = re.compile(r"[a-z][a-z0-9_]*:[a-z0-9_]+:[a-z0-9_]+")


def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def data_sources() -> dict[str, str]:
    """Type of each provisioned data source, by uid."""
    text = (ROOT / "grafana" / "provisioning" / "datasources" / "datasources.yaml").read_text(encoding="utf-8")
    return {source["uid"]: source["type"] for source in yaml.safe_load(text)["datasources"]}


def test_there_are_dashboards() -> None:
    """The tests below look at something."""
    assert {"overview.json", "correlation.json"} <= {path.name for path in DASHBOARDS}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_recorded_series_exist(path: Path) -> None:
    """Every recorded series a dashboard names is recorded by a rule of Loki's or Prometheus's."""
    files = [*(ROOT / "loki" / "rules").glob("*.yaml"), *(ROOT / "loki" / "prometheus_rules").glob("*.yaml")]
    groups = [group for file in files for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
    recorded = {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}
    assert set(_SERIES.findall(path.read_text(encoding="utf-8"))) - recorded == set()


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_are_told_apart_and_explained(path: Path) -> None:
    """Each panel has an id of its own, a title, a description, a place, and a provisioned data source of its type."""
    dashboard = load(path)
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 0
    sources = data_sources()
    for panel in panels:
        assert panel["title"], panel["id"]
        assert panel["description"], panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        for part in (panel, *panel["targets"]):
            assert sources[part["datasource"]["uid"]] == part["datasource"]["type"]


def test_a_correlation_id_leads_to_its_dashboard() -> None:
    """The derived field of the Loki data source links to a dashboard and variable that are there."""
    text = (ROOT / "grafana" / "provisioning" / "datasources" / "datasources.yaml").read_text(encoding="utf-8")
    loki = next(source for source in yaml.safe_load(text)["datasources"] if source["type"] == "loki")
    (field,) = loki["jsonData"]["derivedFields"]
    uid, variable = re.fullmatch(r"/d/(\w+)\?var-(\w+)=\$\$\{__value\.raw\}", field["url"]).groups()  # type: ignore[union-attr]
    dashboard = next(load(path) for path in DASHBOARDS if load(path)["uid"] == uid)
    assert variable in {entry["name"] for entry in dashboard["templating"]["list"]}
    assert f"${variable}" in dashboard["panels"][0]["targets"][0]["expr"]
