"""Objectives: what the file may say, and the rules that follow from it."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.logql import parse
from logging_pkg.pipeline.slo import (
    SLO_FILE,
    SLO_LOKI_RULES,
    SLO_PROMETHEUS_RULES,
    Slo,
    read_slos,
    slo_loki_rules,
    slo_prometheus_rules,
)
from logging_pkg.pipeline.slo.model import PAGE, TICKET
from logging_pkg.schemas import load_registry
from logging_pkg.stack import find_binary

PROJECT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent
REGISTRY = load_registry()
FULL = """\
slos:
  - name: shop_pages
    description: Pages of the shop are quick.
    event: http.request_finished
    where:
      route: ^/shop/.*
      method: [GET, HEAD]
    good: response_time_ms < 250.5
    objective: 99.5 %
    window: 28d
    least_bad_events: 12
"""


def read(directory: Path, text: str) -> list[Slo]:
    path = directory / "slos.yaml"
    path.write_text(text, encoding="utf-8")
    return read_slos(path, "slos.yaml", REGISTRY)


def test_the_committed_rules_are_what_the_committed_objectives_ask_for() -> None:
    """Golden: both generated files are committed and up to date, and the same bytes come out each time."""
    slos = read_slos(PROJECT / SLO_FILE, SLO_FILE, REGISTRY)
    for name, make in ((SLO_LOKI_RULES, slo_loki_rules), (SLO_PROMETHEUS_RULES, slo_prometheus_rules)):
        assert (PROJECT / name).read_text(encoding="utf-8") == make(slos) == make(slos)


def test_an_objective_with_everything_becomes_these_rules(tmp_path: Path) -> None:
    """Golden: a regular expression, a list, a fraction, 28 days, a number of events of its own."""
    slos = read(tmp_path, FULL)
    found = slo_loki_rules(slos) + "---\n" + slo_prometheus_rules(slos)
    assert found == (GOLDEN / "golden.yaml").read_text(encoding="utf-8")


def test_burn_rates_are_those_of_the_workbook() -> None:
    """14.4, 6, 3 and 1 for 30 days; the same shares of the budget for any other window."""
    (slo, *_) = read_slos(PROJECT / SLO_FILE, SLO_FILE, REGISTRY)
    assert [slo.burn_rate(window) for window in (*PAGE, *TICKET)] == [14.4, 6, 3, 1]
    for window in (*PAGE, *TICKET):
        used = slo.burn_rate(window) * slo.budget * window.long_h / (slo.budget * slo.window_days * 24)
        assert used == pytest.approx(window.budget_share)


@pytest.mark.parametrize(
    ("objective", "window", "least"),
    [*itertools.product(["99 %", "99.95 %"], ["7d", "30d", "90d"], [1, 40]), ("93.4 %", "30d", 5), ("71 %", "7d", 5)],
)
def test_whatever_the_numbers_prometheus_takes_the_rules_and_loki_s_parse(
    tmp_path: Path, objective: str, window: str, least: int
) -> None:
    """Property: promtool takes the file; the LogQL parses; every alert could fire; only what `generate` records is read."""
    text = FULL.replace("99.5 %", objective).replace("28d", window).replace("12", str(least))
    slos = read(tmp_path, text)
    rules = tmp_path / "rules.yaml"
    rules.write_text(slo_prometheus_rules(slos))
    answer = subprocess.run([find_binary("promtool").path, "check", "rules", rules], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    loki = [rule for group in yaml.safe_load(slo_loki_rules(slos))["groups"] for rule in group["rules"]]
    for rule in loki:
        parse(rule["expr"])
    prometheus = [rule for group in yaml.safe_load(rules.read_text())["groups"] for rule in group["rules"]]
    recorded = {rule["record"] for rule in (*loki, *prometheus) if "record" in rule}
    for rule in prometheus:
        assert set(re.findall(r"slo:[\w:]+", rule["expr"])) <= recorded
    for limit in re.findall(r"> ([\d.]+)", " ".join(rule["expr"] for rule in prometheus if "alert" in rule)):
        assert float(limit) * slos[0].budget < 1


def test_one_alert_for_each_urgency_and_the_ticket_is_silent_while_the_page_fires() -> None:
    """Of each objective: a critical one, a warning that looks at the critical one's state; after it in the file."""
    groups = yaml.safe_load((PROJECT / SLO_PROMETHEUS_RULES).read_text())["groups"]
    for group in groups:
        page, ticket = (rule for rule in group["rules"] if "alert" in rule)
        assert (page["labels"], ticket["labels"]) == ({"severity": "critical"}, {"severity": "warning"})
        assert (
            f'unless on (service_name, env) ALERTS{{alertname="{page["alert"]}", alertstate="firing"}}'
            in ticket["expr"]
        )


def test_the_opposite_of_good_is_bad(tmp_path: Path) -> None:
    """Each comparison is turned round, so that an event is the one or the other."""
    for good, bad in {"<= 5": "> 5", "< 5": ">= 5", ">= 5": "< 5", "> 5": "<= 5", "= 5": "!= 5", "!= 5": "= 5"}.items():
        (slo,) = read(tmp_path, FULL.replace("response_time_ms < 250.5", f"query_count {good}"))
        assert slo.bad == f"query_count {bad}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("http.request_finished", "http.request_finishd", 'slos.yaml:4:12: event: "http.request_finishd"; expected a declared event; did you mean http.request_finished?'),
        ("response_time_ms <", "respnse_time_ms <", 'slos.yaml:8:11: good: "respnse_time_ms < 250.5"; expected a field of http.request_finished; did you mean response_time_ms?'),
        ("response_time_ms < 250.5", "quick", "expected a field, <= < >= > = or !=, and a number"),
        ("response_time_ms < 250.5", "route = 1", "expected a number that is never null"),
        ("response_time_ms < 250.5", "request_size_bytes < 9", "expected a number that is never null"),
        ("response_time_ms < 250.5", "is_error = 2", "expected one of the values it can have: 0, 1"),
        ("GET, HEAD", "GETT", 'slos.yaml:7:16: method: "GETT"; expected one of GET, HEAD'),
        ("[GET, HEAD]", "[]", "where: expected at least one value"),
        ("method:", "metod:", 'where: "metod" is no field of http.request_finished; did you mean method?'),
        ("^/shop/.*", '"("', "expected a list of values, or a regular expression"),
        ("^/shop/.*", "'`'", "expected a text without `"),
        ("^/shop/.*", "'a\"b'", "expected a text without `"),
        ("99.5 %", "0.995", 'objective: "0.995"; expected a share of good events above 0 and below 100, such as 99.9 %'),
        ("99.5 %", "100 %", "expected a share of good events above 0 and below 100"),
        ("99.5 %", "90 %", "a burn rate of 13.44 over 1h is 134% of the events, so its alert could never fire"),
        ("28d", "1d", "expected 7d to 90d"),
        ("28d", "a month", "expected 7d to 90d"),
        ("shop_pages", "ShopPages", "expected lower case words such as key_routes_latency"),
        ("Pages of the shop are quick.", "'{{ 1 }}'", "expected a text without `"),
        ("least_bad_events: 12", "least_bad_events: 0", "expected a whole number, 1 or more"),
        ("least_bad_events", "least_bad_event", 'unknown key "least_bad_event"'),
        ("    window: 28d\n", "", 'has no "window"; expected one'),
        ("slos:", "objectives:", 'unknown key "objectives"'),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_an_error_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    """File, line, value, and what was expected."""
    with pytest.raises(RuleError) as error:
        read(tmp_path, FULL.replace(old, new))
    assert message in str(error.value)
    assert re.match(r"slos\.yaml:\d+:\d+: ", str(error.value))


def test_two_objectives_need_two_names(tmp_path: Path) -> None:
    """They would record the same series."""
    with pytest.raises(RuleError, match="expected a name of its own"):
        read(tmp_path, FULL + FULL.removeprefix("slos:\n"))


def test_links_are_whole(tmp_path: Path) -> None:
    """The template's raw strings hold the LogQL of the bad lines, with two places for the alert's labels."""
    (page, _ticket) = (
        rule
        for rule in yaml.safe_load(slo_prometheus_rules(read(tmp_path, FULL)))["groups"][0]["rules"]
        if "alert" in rule
    )
    query = re.findall(r"`([^`]*)`", page["annotations"]["logs_url"])[1]
    assert query.count("%q") == 2
    parse(query.replace("%q", json.dumps("x")))
