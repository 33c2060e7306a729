"""docs/CAPACITY.md: its commands work, and its forecast of a table's growth is what Python computes.

In: the page. Out: commands run for real, the LogQL asked of a real Loki. Never: a command that is not looked at.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from logging_pkg.loki_client import LokiClient
from tests.pipeline.events import line, push
from tests.writer.support import read_events

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "CAPACITY.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
S = 1_000_000_000


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(PAGE) if found == language]


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    """In order, in the application, with an empty database: sizes are emitted, a profile is asked for."""
    commands = [command for text in blocks("bash") for command in text.splitlines()]
    assert [command.split()[2] for command in commands] == ["sample_database_size"] * 2 + ["profile_memory"] * 2
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "LOGPIPE"))}
    environ = kept | {
        "CACHE_URL": "locmem://",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "DEBUG": "1",
        "LOGPIPE_DIRECTORY": str(tmp_path / "logs"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    for command in ["python manage.py migrate --verbosity 0", *commands]:
        done = subprocess.run(
            command.split(), cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    events = read_events(tmp_path / "logs")
    assert sum(event["event"] == "db.size_sampled" for event in events) == 2
    assert (tmp_path / "logs" / "memory-profile-request.json").is_file()


def test_growth_of_a_table_in_logql_is_pythons(loki: LokiClient) -> None:
    """A day of sizes every five minutes, far from a straight line."""
    service, now_ns = f"growth-{time.time_ns()}", time.time_ns() // S * S
    x = [now_ns // S - 300 * n for n in range(287, 0, -1)]
    y = [5_000_000_000 + 20_000 * n + (n * n * 7_919) % 1_000_003 for n in range(len(x))]
    push(
        loki,
        [
            line("db.table_size_sampled", service, at * S, alias="default", table="t", size_bytes=size)
            for at, size in zip(x, y, strict=True)
        ],
    )
    loki_query = next(text for text in blocks("logql") if "stdvar_over_time" in text)
    query = loki_query.replace("{event=", f'{{service_name="{service}", event=')
    (sample,) = loki.query(query, now_ns).samples
    assert sample.labels == {"service_name": service, "alias": "default", "table": "t"}
    shifted = [at - x[0] for at in x]
    assert sample.value == pytest.approx(statistics.linear_regression(shifted, y).slope * 86_400, rel=1e-6)
