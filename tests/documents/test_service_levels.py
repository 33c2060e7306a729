"""docs/SERVICE_LEVELS.md names what is there: alerts, objectives, series, a panel; its example is an objective."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from logging_pkg.pipeline.slo import SLO_FILE, read_slos, slo_prometheus_rules
from logging_pkg.schemas import load_registry

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/SERVICE_LEVELS.md").read_text(encoding="utf-8")
REGISTRY = load_registry()


def rules() -> list[dict[str, object]]:
    files = [*(ROOT / "loki/rules").glob("*.yaml"), *(ROOT / "loki/prometheus_rules").glob("*.yaml")]
    return [rule for file in files for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def promises() -> dict[str, str]:
    """Promise -> what watches it."""
    table = TEXT.partition("## What is promised")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    return {row[0]: row[1] for row in rows[2:]}


def test_every_promise_is_watched_by_something_that_exists() -> None:
    """Alerts by their runbooks' links, objectives by name, recorded series and the panel."""
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    objectives = {slo.name for slo in read_slos(ROOT / SLO_FILE, SLO_FILE, REGISTRY)}
    watched = promises()
    assert len(watched) == 8
    assert set(re.findall(r"runbooks/(\w+)\.md", " ".join(watched.values()))) <= alerts
    assert set(re.findall(r"objective `(\w+)`", " ".join(watched.values()))) == objectives
    assert set(re.findall(r"`(\w+:\w+:\w+)`", " ".join(watched.values()))) <= recorded
    for panel in ("Minute quota used, by project", "Day's quota used"):
        assert panel in " ".join(watched.values())
        assert f'"title": "{panel}"' in (ROOT / "grafana/dashboards/google.json").read_text()


def test_the_objectives_are_the_promises() -> None:
    """95 % within 500 ms, 1 % of errors: what the table says is what the file says."""
    by_name = {slo.name: slo for slo in read_slos(ROOT / SLO_FILE, SLO_FILE, REGISTRY)}
    latency, errors = by_name["key_routes_latency"], by_name["request_errors"]
    assert (latency.objective, latency.field, latency.op, latency.limit) == (0.95, "response_time_ms", "<=", "500")
    assert (errors.objective, errors.bad) == (0.99, "is_error != 0")


def test_the_burn_rates_in_the_document_are_those_of_the_rules() -> None:
    """The table of the person on call."""
    table = TEXT.partition("| alert | burn rate")[2].partition("\n\n")[0]
    told = re.findall(r"([\d.]+) over ", table)
    rule = next(rule for rule in rules() if rule.get("alert") == "RequestErrorsSloPage")
    ticket = next(rule for rule in rules() if rule.get("alert") == "RequestErrorsSloTicket")
    asked = [re.findall(r"avg_\w+{[^}]*} > ([\d.]+)", str(found["expr"])) for found in (rule, ticket)]
    assert told == [asked[0][0], asked[0][2], asked[1][0], asked[1][2]]
    assert all(pair[0] == pair[1] and pair[2] == pair[3] for pair in asked)


def test_the_example_is_an_objective(tmp_path: Path) -> None:
    """Added to the committed file as it stands in the document, it becomes two more alerts."""
    example = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0]
    path = tmp_path / "slos.yaml"
    path.write_text((ROOT / SLO_FILE).read_text() + "\n" + example)
    slos = read_slos(path, "slos.yaml", REGISTRY)
    assert slos[-1].name == "reports_latency"
    assert slo_prometheus_rules(slos).count("- alert: ReportsLatencySlo") == 2
