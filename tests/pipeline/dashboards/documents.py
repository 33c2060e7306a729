"""What the tests of dashboards read: the committed files.

In: grafana/, loki/rules/. Out: parsed documents. Never: a server.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from logging_pkg.pipeline.dashboards.build import DASHBOARDS_DIRECTORY

PROJECT = Path(__file__).parents[3]
DOCUMENTS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((PROJECT / DASHBOARDS_DIRECTORY).glob("*.json"))
}
SOURCES = PROJECT / "grafana/provisioning/datasources/datasources.yaml"


def panels(document: dict[str, Any]) -> list[dict[str, Any]]:
    """All panels, headings included."""
    found: list[dict[str, Any]] = document["panels"]
    return found


def recorded() -> dict[str, str]:
    """Every series Loki's ruler records, with its LogQL."""
    files = (PROJECT / "loki/rules").glob("*.yaml")
    rules = [rule for path in files for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
    return {rule["record"]: rule["expr"] for rule in rules if "record" in rule}


def rule_texts() -> list[str]:
    """The texts of all rule files."""
    return [
        path.read_text() for name in ("rules", "prometheus_rules") for path in (PROJECT / "loki" / name).glob("*.yaml")
    ]
