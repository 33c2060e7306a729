"""The dashboards are what Grafana's own types say: the npm package @grafana/schema, compiled with TypeScript.

In: types/ beside this file, with its package-lock. Out: the compiler's messages. Never: Grafana itself.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.dashboards.documents import DOCUMENTS, PROJECT, panels

TYPES = Path(__file__).parent / "types"


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """The installed packages: `make test` has done it; whoever runs pytest alone waits for it here."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("no Node: the dashboards are not checked against Grafana's types; install Node 20 or newer")
    done = subprocess.run(
        ["make", "--silent", "dashboard-types"], cwd=PROJECT, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    if not (TYPES / "node_modules/.installed").exists():
        pytest.skip(f"npm could not install @grafana/schema: {done.stderr.strip()[-300:]}")
    return TYPES / "node_modules"


def compiled(documents: dict[str, Any], directory: Path, node_modules: Path) -> dict[str, list[str]]:
    """What the compiler says of each document."""
    shutil.copy(TYPES / "shapes.ts", directory)
    (directory / "node_modules").symlink_to(node_modules)
    configuration = json.loads((TYPES / "tsconfig.json").read_text()) | {"files": [f"{name}.ts" for name in documents]}
    (directory / "tsconfig.json").write_text(json.dumps(configuration))
    for name, document in documents.items():
        text = json.dumps(document, indent=1, ensure_ascii=False)
        literal = f"import type {{ Dashboard }} from './shapes.js';\nexport const dashboard: Dashboard = {text};\n"
        (directory / f"{name}.ts").write_text(literal)
    compiler = ["node", str(node_modules / "typescript/bin/tsc"), "--pretty", "false"]
    done = subprocess.run(compiler, cwd=directory, capture_output=True, text=True, timeout=240)
    lines = [line for line in done.stdout.splitlines() if "error TS" in line]
    assert bool(lines) == (done.returncode != 0), done.stdout + done.stderr
    return {name: [line for line in lines if line.startswith(f"{name}.ts(")] for name in documents} | {
        "elsewhere": [line for line in lines if not line.startswith(tuple(f"{name}.ts(" for name in documents))]
    }


def test_grafana_takes_every_dashboard(tmp_path: Path, node_modules: Path) -> None:
    """No key that Grafana does not know, no value of another type, nothing missing."""
    messages = compiled(DOCUMENTS, tmp_path, node_modules)
    assert {name: lines[:3] for name, lines in messages.items() if lines} == {}


def _of_kind(document: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(panel for panel in panels(document) if panel["type"] == kind)


MISTAKES: dict[str, Callable[[dict[str, Any]], object]] = {
    "panel_type": lambda d: _of_kind(d, "timeseries").update(type="timeserie"),
    "place": lambda d: _of_kind(d, "stat")["gridPos"].update(x="0"),
    "option": lambda d: _of_kind(d, "timeseries")["options"].update(legends={}),
    "option_value": lambda d: _of_kind(d, "timeseries")["options"]["legend"].update(placement="middle"),
    "option_missing": lambda d: _of_kind(d, "timeseries")["options"].pop("tooltip"),
    "line_style": lambda d: _of_kind(d, "timeseries")["fieldConfig"]["defaults"]["custom"].update(drawStyle="lines"),
    "unit": lambda d: _of_kind(d, "table")["fieldConfig"]["defaults"].update(units="ms"),
    "logs_order": lambda d: _of_kind(d, "logs")["options"].update(sortOrder="newest"),
    "query": lambda d: _of_kind(d, "logs")["targets"][0].update(expression="{}"),
    "top": lambda d: d.update(timeZone="browser"),
    "variable": lambda d: d["templating"]["list"][0].update(type="data source"),
    "annotation": lambda d: d["annotations"]["list"][0].update(colour="red"),
}


def test_mistakes_are_noticed(tmp_path: Path, node_modules: Path) -> None:
    """The check above is strict: each of these is one change to a dashboard that passes."""
    changed = {}
    for name, change in MISTAKES.items():
        changed[name] = copy.deepcopy(DOCUMENTS["overview"])
        change(changed[name])
    messages = compiled(changed, tmp_path, node_modules)
    assert [name for name in MISTAKES if not messages[name]] == []
