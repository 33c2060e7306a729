"""docs/MONITORING.md, "A new metric": done as it says, in a project of its own, up to a value computed by Loki.

In: the document and the README's schema. Out: a recorded series. Never: another step than the document's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from logging_pkg.loki_client import Entry, Stream
from logging_pkg.schemas import load_registry
from logging_pkg.schemas.conventions import parse_timestamp
from logging_pkg.schemas.examples import example_lines
from tests.documents.test_documents import readme_schema

if TYPE_CHECKING:
    from logging_pkg.loki_client import LokiClient

SECTION = (
    (Path(__file__).parents[2] / "docs/MONITORING.md")
    .read_text(encoding="utf-8")
    .split("\n## A new metric\n")[1]
    .split("\n## ")[0]
)
SERIES = "format:report_exports:rate_5m"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose schema has been annotated, and nothing else done."""
    (entry,) = re.findall(r"^```json\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    schema = json.loads(readme_schema())
    schema["x-metrics"].append(json.loads(entry))
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / f"{schema['title']}.json").write_text(json.dumps(schema))
    (tmp_path / "loki" / "rules").mkdir(parents=True)
    return tmp_path


def perform(project: Path) -> None:
    """The commands of the section, in order."""
    (commands,) = re.findall(r"^```sh\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "LOGPIPE_SCHEMA_DIRECTORIES": "schemas"}
    done = subprocess.run(
        ["sh", "-ec", commands], cwd=project, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_section_is_five_lines() -> None:
    """Numbered steps, as it promises, and it names the series of its example."""
    assert re.findall(r"^(\d)\. ", SECTION, re.MULTILINE) == ["1", "2", "3", "4", "5"]
    assert f"`{SERIES}`" in SECTION


def test_an_annotation_becomes_a_series_its_documents_and_a_value(project: Path, loki: LokiClient) -> None:
    """No line of code: the rule is written, both documents tell of it, and a real Loki computes it from events."""
    perform(project)
    groups = yaml.safe_load((project / "loki/rules/recording.yaml").read_text())["groups"]
    (expr,) = [rule["expr"] for group in groups for rule in group["rules"] if rule["record"] == SERIES]
    assert f"[{SERIES}](#report_exports)" in (project / "docs/METRICS.md").read_text()
    assert f"`{SERIES}`" in (project / "docs/EVENTS.md").read_text()

    registry = load_registry([project / "schemas"])
    start = datetime.now(UTC) - timedelta(seconds=150)
    entries = [
        Entry(parse_timestamp(line["timestamp"]), json.dumps({**line, "format": "pdf"}))
        for line in example_lines(registry, "report.export_finished", 30, start=start)
    ]
    labels = {"service_name": f"new-metric-{time.time_ns()}", "env": "test", "event": "report.export_finished"}
    loki.push([Stream(labels, entries)])
    samples = [s for s in loki.query(expr).samples if s.labels["service_name"] == labels["service_name"]]
    assert [(sample.labels["format"], sample.value) for sample in samples] == [("pdf", pytest.approx(30 / 300))]
