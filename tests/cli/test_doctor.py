"""`logpipe doctor`, as typed, over real servers: each stage well, and each kind of trouble.

In: heartbeats and shippers' reports pushed as a shipper does. Out: assertions on lines and exit codes. Never: a command
in this process.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from logging_pkg.loki_client import LokiClient
from logging_pkg.stack import Stack
from tests.cli.command import logpipe
from tests.cli.conftest import Watched, eventually
from tests.pipeline.events import line, push


def stages(text: str) -> dict[str, dict[str, Any]]:
    return {stage["name"]: stage for stage in json.loads(text)}


def test_a_pipeline_that_is_well_says_so_of_each_stage(watched: Watched) -> None:
    """Exit 0, a figure for every stage, nothing to do."""

    def look() -> Any:
        watched.beat()
        return watched.logpipe("doctor", "--json")

    found = stages(eventually(look, lambda done: done.returncode == 0).stdout)
    assert list(found) == [
        "log files", "shipper", "Loki", "ruler", "Prometheus", "Prometheus's rules", "Alertmanager", "dead man's switch",
        "losses",
    ]  # fmt: skip
    assert {stage["state"] for stage in found.values()} == {"ok"}
    assert {stage["next"] for stage in found.values()} == {""}
    assert found["shipper"]["figure"] == "0.4 s behind, 0 bytes to ship"
    assert found["ruler"]["figures"] == {"rules": 5, "failing": 0, "late_groups": 0}
    assert found["Loki"]["figures"]["age_s"] < 60
    assert found["Prometheus"]["figures"]["age_s"] < 180
    assert found["dead man's switch"]["figure"].startswith("PipelineAlive fires, goes to deadmansswitch")
    asked = {name: stage["queries"] for name, stage in found.items() if stage["queries"]}
    assert {name: len(queries) for name, queries in asked.items()} == {
        "shipper": 2, "Loki": 1, "Prometheus": 1, "losses": 4,
    }  # fmt: skip
    queries = watched.logpipe("doctor", "--show-query", "--since", "3h").stdout
    assert f"{asked['shipper'][0]}\n" in queries
    assert queries.count("[3h]") == 4
    shown = watched.logpipe("doctor").stdout
    assert asked["shipper"][0] not in shown
    assert shown.splitlines()[0].startswith("✓ ok         log files          written ")
    assert shown.endswith("all 9 stages that were asked are well\n")


def test_a_shipper_that_lags_and_a_quiet_application_are_late(own_loki_server: Stack, tmp_path: Path) -> None:
    """Exit 1, with what to do next; the dead letter and a checkpoint beside the files are counted."""
    logs = tmp_path / "logs"
    logs.mkdir()
    event = line("process.sampled", "shop", time.time_ns())
    text = json.dumps(event) + "\n"
    (logs / "shop-1.ndjson").write_text(text * 3)
    os.utime(logs / "shop-1.ndjson", (time.time() - 600, time.time() - 600))
    (logs / ".shipped.json").write_text(json.dumps({"version": 1, "files": {event["event_id"]: len(text)}}))
    (tmp_path / "shipper").mkdir()
    (tmp_path / "shipper" / "dead-letter.ndjson").write_text("{}\n{}\n")
    report = {"lag_s": 95.0, "backlog_bytes": 3 * 1024 * 1024, "dead_letter_count": 2}
    with LokiClient(own_loki_server.loki_url) as loki:
        push(loki, [line("shipper.status_reported", "logpipe-shipper", time.time_ns(), **report)])
    asked = ["doctor", "--directory", logs, "--loki-url", own_loki_server.loki_url]
    done = logpipe(*asked, "--json", cwd=tmp_path)
    found = stages(done.stdout)
    assert done.returncode == 1
    assert (found["log files"]["state"], found["log files"]["figure"][:18]) == ("late", "written 10 min ago")
    assert found["shipper"]["state"] == "late"
    assert found["shipper"]["figure"] == "95.0 s behind, 3.0 MiB to ship"
    assert found["shipper"]["figures"]["local_backlog_bytes"] == 2 * len(text)
    assert found["shipper"]["figures"]["local_dead_letter_lines"] == 2
    assert found["shipper"]["next"] == "docs/runbooks/ShipperBehind.md"
    assert found["losses"]["figure"] == "in 1h: 2 in the dead letter"
    assert (found["ruler"]["state"], found["ruler"]["figure"]) == ("broken", "no rule is loaded")
    shown = logpipe(*asked, cwd=tmp_path).stdout
    assert "▲ late       shipper            95.0 s behind" in shown
    assert "→ docs/runbooks/ShipperBehind.md" in shown
    assert "4 of 5 stages need a look" in shown


def test_what_is_lost_missing_and_broken_is_told(tmp_path: Path) -> None:
    """Losses of each kind; a rule that fails; no shipper; servers that nobody named."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "broken.yaml").write_text(
        "groups: [{name: broken, interval: 1s, rules: [{alert: Broken, "
        'expr: \'sum(sum_over_time({event="process.sampled"} | json release="release" | unwrap release [1h])) > 0\'}]}]\n'
    )
    with Stack(servers=("loki",), rules_directory=rules) as stack, LokiClient(stack.loki_url) as loki:
        now_ns = time.time_ns()
        push(
            loki,
            [
                line("logging.event_rejected", "shop", now_ns),
                line("logging.event_rejected", "shop", now_ns - 1000),
                line("logging.file_deleted", "shop", now_ns, lost_event_count=12),
                line("process.sampled", "shop", now_ns, failed_count=7, release="none"),
            ],
        )

        def look() -> Any:
            return logpipe("doctor", "--loki-url", stack.loki_url, "--json", cwd=tmp_path)

        done = eventually(look, lambda done: stages(done.stdout)["ruler"]["state"] == "broken")
    found = stages(done.stdout)
    assert done.returncode == 1
    assert found["ruler"]["figure"].startswith("1 rule, 1 failing: Broken: ")
    assert found["shipper"]["figure"] == "no report in 5 min"
    assert found["log files"]["state"] == found["Prometheus"]["state"] == "not asked"
    assert found["losses"]["state"] == "broken"
    lost = "in 1h: 2 broke their schema, 12 deleted before they were shipped, 7 could not be written"
    assert found["losses"]["figure"] == lost
    assert found["losses"]["next"] == "docs/runbooks/EventsRejected.md, docs/runbooks/EventsLost.md"


def test_servers_that_do_not_answer_are_exit_code_3(tmp_path: Path) -> None:
    """Each stage says which address; a wrong duration is wrong usage."""
    away = [item for name in ("loki", "prometheus", "alertmanager") for item in (f"--{name}-url", "http://127.0.0.1:1")]
    done = logpipe("doctor", *away, cwd=tmp_path)
    assert done.returncode == 3
    assert done.stdout.count("http://127.0.0.1:1/") == 7
    assert "→ logpipe stack status; logpipe stack up" in done.stdout
    assert logpipe("doctor", "--since", "soon", *away).returncode == 2
