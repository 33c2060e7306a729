"""What the tests of dashboards read: the committed files.

In: grafana/, loki/rules/. Out: parsed documents. Never: a server.
"""

from __future__ import annotations

import json
from collections import defaultdict
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


def rules() -> list[dict[str, Any]]:
    """Every rule of all rule files."""
    groups = [group for text in rule_texts() for group in yaml.safe_load(text)["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def sources() -> dict[str, list[str]]:
    """Recorded series -> what records it, in Loki or in Prometheus."""
    found = defaultdict(list)
    for rule in rules():
        if "record" in rule:
            found[rule["record"]].append(str(rule["expr"]))
    return found


def rule_texts() -> list[str]:
    """The texts of all rule files."""
    return [
        path.read_text() for name in ("rules", "prometheus_rules") for path in (PROJECT / "loki" / name).glob("*.yaml")
    ]
