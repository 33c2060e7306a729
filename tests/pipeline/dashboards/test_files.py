"""The committed dashboards: each panel is whole, in a place of its own, and every variable and link leads somewhere."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from logging_pkg.pipeline.dashboards.build import dashboards
from logging_pkg.pipeline.dashboards.catalogue import CATALOGUE
from logging_pkg.pipeline.dashboards.catalogue.service_levels import service_levels
from logging_pkg.pipeline.dashboards.explore import RUNBOOKS_UID
from logging_pkg.pipeline.dashboards.limits import ABOVE_ZERO, COLOURS, threshold_steps
from logging_pkg.pipeline.dashboards.model import NO_LIMIT, MetricPanel, Panel, Query
from logging_pkg.pipeline.dashboards.panel_link import panel_number
from logging_pkg.pipeline.dashboards.panels_of import BUILT_IN, variables_in
from logging_pkg.pipeline.dashboards.project import project_dashboards
from logging_pkg.pipeline.dashboards.resolve import resolve
from logging_pkg.pipeline.dashboards.rule_book import Alert, Limit, rule_book
from logging_pkg.pipeline.generate import RECORDING_RULES, recording_rules
from logging_pkg.pipeline.lint import lint
from logging_pkg.pipeline.logql import parse
from logging_pkg.schemas import load_registry
from tests.pipeline.dashboards.documents import DOCUMENTS, PROJECT, SOURCES, panels, rule_texts

EVERY_DASHBOARD = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
RULES = rule_book(rule_texts())
WANTED = {
    "overview", "requests", "database", "google", "sync", "users", "cache", "capacity", "pipeline", "timeline", "metrics",
    "runbooks", "slos",
}  # fmt: skip


def links(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [link for panel in panels(document) for link in panel.get("links", [])]


def test_every_dashboard_of_the_catalogue_is_committed_and_none_beside_it() -> None:
    """A file whose dashboard was renamed or taken away would go on being shown."""
    written = {path.split("/")[-1] for path in project_dashboards(load_registry(), PROJECT, {}).files}
    assert {f"{name}.json" for name in DOCUMENTS} == written
    assert set(DOCUMENTS) >= WANTED


def test_no_panel_had_to_be_left_out() -> None:
    """The committed rules and schemas have what every panel reads, and every alert a panel names exists."""
    assert project_dashboards(load_registry(), PROJECT, {}).left_out == ()


@EVERY_DASHBOARD
def test_panels_have_title_description_unit_and_something_to_say_when_empty(document: dict[str, Any]) -> None:
    """What somebody needs who sees the panel for the first time."""
    for panel in panels(document):
        assert panel["title"], panel["id"]
        if panel["type"] == "row":
            continue
        assert len(panel["description"]) > 15, panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"], panel["title"]
        assert defaults["noValue"], panel["title"]
        assert defaults["thresholds"]["steps"][0]["value"] is None
    titles = [panel["title"] for panel in panels(document)]
    numbers = [panel["id"] for panel in panels(document)]
    assert len(set(numbers)) == len(numbers)
    assert len(set(titles)) == len(titles)


@EVERY_DASHBOARD
def test_panels_do_not_overlap_and_stay_on_the_grid(document: dict[str, Any]) -> None:
    """Every cell of Grafana's grid of 24 columns belongs to one panel at most."""
    taken: dict[tuple[int, int], str] = {}
    for panel in panels(document):
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24, panel["title"]
        for cell in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        ):
            assert cell not in taken, f"{panel['title']} lies on {taken.get(cell)}"
            taken[cell] = panel["title"]


@EVERY_DASHBOARD
def test_every_variable_is_defined(document: dict[str, Any]) -> None:
    """`$name` in a query, a link, an annotation or another variable is one of the dashboard's, or Grafana's own."""
    texts = [json.dumps(panel) for panel in panels(document) if panel["type"] != "text"]
    used = variables_in(json.dumps([texts, document["annotations"], document["templating"]]))
    defined = {entry["name"] for entry in document["templating"]["list"]}
    assert used - BUILT_IN - defined == set()
    assert defined - used <= {"loki", "prometheus"}, "a choice that changes nothing"


@EVERY_DASHBOARD
def test_every_link_leads_somewhere(document: dict[str, Any]) -> None:
    """Explore links hold a pane with a LogQL query, others a dashboard and, of runbooks, a panel of that name."""
    for link in links(document):
        url = urlsplit(link["url"])
        if url.path == "/explore":
            (pane,) = json.loads(parse_qs(url.query)["panes"][0]).values()
            assert pane["datasource"] == "${loki}"
            for query in pane["queries"]:
                parse(query["expr"])
            assert pane["range"] == {"from": "${__from}", "to": "${__to}"}
        else:
            (uid,) = re.fullmatch(r"/d/(\w+)", url.path).groups()  # type: ignore[union-attr]
            shown = {panel["id"]: panel["title"] for panel in panels(DOCUMENTS[uid])}
            assert shown[int(parse_qs(url.query)["viewPanel"][0])] == link["title"].removeprefix("Runbook: ")


def test_panels_that_show_data_lead_to_the_lines_behind_it() -> None:
    """Each has an Explore link."""
    without = {
        panel["title"]
        for document in DOCUMENTS.values()
        for panel in panels(document)
        if panel.get("targets") and not any(link["url"].startswith("/explore") for link in panel["links"])
    }
    assert without == set()


@EVERY_DASHBOARD
def test_every_panel_has_a_limit_or_says_why_it_has_none(document: dict[str, Any]) -> None:
    """Never both. Log lines are no numbers."""
    for panel in panels(document):
        if panel["type"] in {"row", "text", "logs"}:
            continue
        has_limit = any(len(steps) > 1 for steps in _steps_of(panel))
        assert has_limit != (f"\n\n{NO_LIMIT} " in panel["description"]), panel["title"]


@EVERY_DASHBOARD
def test_colours_get_worse_with_the_value(document: dict[str, Any]) -> None:
    """Up or down, but in one direction: a worse value never has a better colour."""
    for panel in panels(document):
        for steps in _steps_of(panel) if panel["type"] != "row" else ():
            values = [step["value"] for step in steps]
            assert values[0] is None, panel["title"]
            assert values[1:] == sorted(set(values[1:])), panel["title"]
            colours = [COLOURS.index(step["color"]) for step in steps]
            assert colours in (sorted(colours), sorted(colours, reverse=True)), panel["title"]


def _steps_of(panel: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Of a panel, and of each of a table's columns that has its own."""
    config = panel["fieldConfig"]
    own = [entry for override in config["overrides"] for entry in override["properties"] if entry["id"] == "thresholds"]
    return [config["defaults"]["thresholds"]["steps"], *(entry["value"]["steps"] for entry in own)]


def test_every_panel_leads_to_a_runbook_or_to_how_its_dashboard_is_read() -> None:
    """A panel that no alert is about has the page of its dashboard; each such page says something."""
    for document in DOCUMENTS.values():
        for panel in panels(document):
            titles = [link["title"] for link in panel.get("links", []) if link["title"].startswith("Runbook: ")]
            assert titles or panel["type"] in {"row", "text"}, panel["title"]
    pages = {panel["title"]: panel for panel in panels(DOCUMENTS["runbooks"]) if panel["type"] == "text"}
    for document in DOCUMENTS.values():
        if document["uid"] != RUNBOOKS_UID:
            assert len(pages[f"How to read {document['title']}"]["options"]["content"]) > 200


SEVERAL = [
    Alert("Warn", "warning", Limit(">=", 0.8), ""),
    Alert("Page", "critical", Limit(">", 0.95), ""),
    Alert("Late", "warning", Limit(">=", 1), ""),
]
A, B = "a:x:avg_5m", "b:x:avg_5m"


@pytest.mark.parametrize(
    ("alerts", "unit", "steps"),
    [
        (SEVERAL, "short", [(None, "green"), (0.8, "orange"), (0.95, "red")]),
        ([Alert("Any", "warning", Limit(">", 0), "")], "short", [(None, "green"), (ABOVE_ZERO, "orange")]),
        (
            [Alert("Few", "warning", Limit("<", 9), ""), Alert("None", "critical", Limit("<=", 3), "")],
            "short",
            [(None, "red"), (3, "orange"), (9, "green")],
        ),
        (
            [Alert("Count", "critical", Limit(">=", 3), "", counted_over_s=900)],
            "cps",
            [(None, "green"), (3 / 900, "red")],
        ),
        ([Alert("Count", "critical", Limit(">=", 3), "", counted_over_s=900)], "short", [(None, "green"), (3, "red")]),
        (
            [Alert("Two", "warning", Limit(">", 14), "", on_series=((A, Limit(">", 14)), (B, Limit(">", 6))))],
            "none",
            [(None, "green"), (6, "orange")],
        ),
    ],
)
def test_a_value_has_the_colour_of_the_worst_alert_on_it(
    alerts: list[Alert], unit: str, steps: list[tuple[float | None, str]]
) -> None:
    """A milder limit beyond a worse one changes nothing; 0 is good; a count's limit on a rate; the limit of a series."""
    found = threshold_steps(alerts, [B + "{}"], unit)
    assert [(step["value"], step["color"]) for step in found] == steps


def test_limits_of_series_are_those_a_rule_compares_as_they_are() -> None:
    """Not what a difference, a factor or a function of them is compared with; counts have their time."""
    assert RULES.alerts["GoogleApiSloTicket"].on_series == (
        ("slo:burn_rate:avg_1d", Limit(">", 3)),
        ("slo:burn_rate:avg_2h", Limit(">", 3)),
        ("slo:burn_rate:avg_3d", Limit(">", 1)),
        ("slo:burn_rate:avg_6h", Limit(">", 1)),
    )
    assert RULES.alerts["RouteQueriesRegressed"].on_series == ()
    assert RULES.alerts["NPlusOneFound"].counted_over_s == 900
    assert RULES.alerts["EventsRejected"].counted_over_s == 300
    assert RULES.alerts["SlowRoute"].counted_over_s is None


def test_each_alert_has_its_runbook_on_the_dashboard_of_runbooks() -> None:
    """Whoever is woken finds it in Grafana."""
    shown = {panel["title"]: panel for panel in panels(DOCUMENTS["runbooks"])}
    for alert in RULES.alerts:
        assert shown[alert]["id"] == panel_number(RUNBOOKS_UID, alert)
        assert "## Mitigation" in shown[alert]["options"]["content"]


def test_each_alert_is_linked_from_a_panel() -> None:
    """Every alert has a panel that shows what it judges."""
    linked = {link["title"].removeprefix("Runbook: ") for document in DOCUMENTS.values() for link in links(document)}
    assert set(RULES.alerts) - linked == set()


def test_each_alert_links_to_a_panel_that_the_catalogue_says_is_about_it() -> None:
    """Not only to one that carries its runbook because of that very link, which may be a slip."""
    registry = load_registry()
    declared = set()
    for dashboard in (*CATALOGUE, service_levels(RULES)):
        variables = [variable.name for variable in dashboard.variables]
        for entry in (entry for row in dashboard.rows for entry in row.panels):
            title = resolve(entry, registry, variables).title if isinstance(entry, MetricPanel) else entry.title
            address = (dashboard.uid, panel_number(dashboard.uid, title))
            declared |= {(alert, address) for alert in (*entry.alerts, *entry.runbooks)}
    assert {(alert.name, alert.panel) for alert in RULES.alerts.values()} - declared == set()


def test_an_alert_of_a_project_is_named_by_the_panel_it_links_to() -> None:
    """No catalogue knows it; the panel keeps its own alerts, and other panels stay as they are."""
    number = panel_number("requests", "HTTP response time, p95, by route")
    rule = {
        "alert": "CheckoutSlow",
        "expr": "vector(1)",
        "annotations": {"dashboard_url": f"{{{{ externalURL }}}}/d/requests?viewPanel={number}&from=now-3h&to=now"},
    }
    rules = rule_book([*rule_texts(), yaml.safe_dump({"groups": [{"name": "shop", "rules": [rule]}]})])
    document = json.loads(dashboards(load_registry(), rules, {}).files["grafana/dashboards/requests.json"])
    runbooks = {
        panel["id"]: [link["title"] for link in panel["links"] if link["title"].startswith("Runbook: ")]
        for panel in panels(document)
        if panel["type"] != "row"
    }
    assert runbooks[number] == ["Runbook: SlowRoute", "Runbook: CheckoutSlow"]
    assert [place for place, titles in runbooks.items() if "Runbook: CheckoutSlow" in titles] == [number]


def test_a_panel_keeps_its_id_while_others_come_and_go() -> None:
    """Links in alerts that were sent last week still open it."""
    registry = load_registry()
    event = registry.events["http.request_finished"]
    fewer = tuple(metric for metric in event.metrics if metric.name != "http_error_ratio")
    changed = replace(registry, events={**registry.events, event.name: replace(event, metrics=fewer)})
    before, after = (
        {
            panel["title"]: panel["id"]
            for panel in panels(json.loads(dashboards(one, RULES, {}).files["grafana/dashboards/requests.json"]))
            if panel["type"] != "row"
        }
        for one in (registry, changed)
    )
    assert "HTTP error ratio, by route" in set(before) - set(after)
    assert after.items() <= before.items()


def test_thresholds_are_those_of_the_alert_rules() -> None:
    """Limits are read from the rules' expressions: SlowRoute's second, the two steps of the quota, SyncFailing's floor."""
    steps = {
        (name, panel["title"]): [
            (step["value"], step["color"]) for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        ]
        for name, document in DOCUMENTS.items()
        for panel in panels(document)
        if panel["type"] != "row"
    }
    assert steps["requests", "HTTP response time, p95, by route"] == [(None, "green"), (1000.0, "orange")]
    assert steps["overview", "Requests that fail"] == [(None, "green"), (0.01, "orange")]
    assert steps["google", "Minute quota used, by project"] == [(None, "green"), (0.8, "orange"), (0.95, "red")]
    assert steps["overview", "Syncs that succeed"] == [(None, "red"), (0.9, "green")]
    assert steps["slos", "Burn rate, an hour and 5 minutes"] == [(None, "green"), (14.4, "red")]
    assert steps["slos", "Burn rate, a day and 2 hours"] == [(None, "green"), (3.0, "orange")]
    assert steps["slos", "Burn rate, 6 hours and 30 minutes"] == [(None, "green"), (6.0, "red")]
    assert steps["google", "Day's quota used"] == [(None, "green"), (0.8, "orange"), (0.95, "red")]
    assert steps["database", "N+1 found per second, by route"] == [(None, "green"), (3 / 900, "orange")]
    assert steps["requests", "Requests per second, by route"] == [(None, "green")]


def test_times_are_the_readers_and_addresses_are_fixed() -> None:
    """The time zone is the browser's, the uid is the file's name, and nobody edits what is generated."""
    for name, document in DOCUMENTS.items():
        assert (document["uid"], document["timezone"], document["editable"]) == (name, "browser", False)


def test_ids_in_log_lines_lead_to_their_timeline() -> None:
    """Each derived field of the Loki data source opens a dashboard and sets a variable that are there."""
    loki = next(source for source in yaml.safe_load(SOURCES.read_text())["datasources"] if source["type"] == "loki")
    fields = loki["jsonData"]["derivedFields"]
    assert {field["name"] for field in fields} == {"correlation_id", "request_id", "sync_id", "api_call_id"}
    for field in fields:
        uid, variable = re.fullmatch(
            r"/d/(\w+)\?var-(\w+)=\$\$\{__value\.raw\}&from=\$\$\{__from\}&to=\$\$\{__to\}", field["url"]
        ).groups()  # type: ignore[union-attr]
        assert variable in {entry["name"] for entry in DOCUMENTS[uid]["templating"]["list"]}
        exprs = [target["expr"] for panel in panels(DOCUMENTS[uid]) for target in panel.get("targets", [])]
        assert all(f'{field["name"]}="${variable}"' in expr for expr in exprs)


def test_what_a_timeline_takes_for_no_finding_is_never_one() -> None:
    """The events whose lines it does not look through are the library's, which writes none of them above info."""
    (panel,) = (panel for panel in panels(DOCUMENTS["timeline"]) if panel["title"] == "Findings and errors")
    left_out = re.search(r'event!~"([^"]+)"', panel["targets"][0]["expr"])[1].split("|")  # type: ignore[index]
    assert len(left_out) > 3
    events = load_registry().events
    assert {name: events[name].level for name in left_out} == dict.fromkeys(left_out, "info")


def test_a_timeline_asks_for_nothing_before_an_id_is_pasted() -> None:
    """An empty one would be that of each line without one of the four ids."""
    (variable,) = (entry for entry in DOCUMENTS["timeline"]["templating"]["list"] if entry["name"] == "id")
    assert variable["query"]


def test_data_sources_of_dashboards_are_provisioned() -> None:
    """What the hidden choices of data sources hold at first is what compose.yaml's Grafana has."""
    provisioned = {source["uid"]: source["type"] for source in yaml.safe_load(SOURCES.read_text())["datasources"]}
    for document in DOCUMENTS.values():
        chosen = {
            entry["current"]["value"]: entry["query"]
            for entry in document["templating"]["list"]
            if entry["type"] == "datasource"
        }
        assert chosen == {"prometheus": "prometheus", "loki": "loki"}
        assert chosen.items() <= provisioned.items()


def test_a_field_taken_from_a_schema_breaks_the_check_naming_each_panel() -> None:
    """Those that read the field in LogQL, and those that read a series recorded from it."""
    registry = load_registry()
    event = registry.events["http.request_finished"]
    fields = {name: value for name, value in event.properties.items() if name != "response_time_ms"}
    changed = replace(registry, events={**registry.events, event.name: replace(event, properties=fields)})
    report = lint(PROJECT, changed)
    named = {
        (problem.path, problem.text.split('"title": ')[1].strip(',"'))
        for problem in report.problems
        if problem.check == "dashboards/dead-panel"
    }
    reading = {
        (f"grafana/dashboards/{name}.json", panel["title"])
        for name, document in DOCUMENTS.items()
        for panel in panels(document)
        # An objective is about that field: by way of Prometheus's rules, which read Loki's, they read it too.
        if re.search(r"response_time_ms|slo:", json.dumps(panel.get("targets", [])))
    }
    assert named == reading
    assert len(named) >= 5
    assert report.errors >= len(named)


def test_a_metric_taken_from_a_schema_leaves_its_panels_out_and_tells(tmp_path: Any) -> None:
    """`logpipe generate` writes the other panels, and a sentence for each that is missing."""
    registry = load_registry()
    event = registry.events["http.request_finished"]
    metrics = tuple(metric for metric in event.metrics if metric.name != "http_apdex")
    changed = replace(registry, events={**registry.events, event.name: replace(event, metrics=metrics)})
    left_out = project_dashboards(changed, PROJECT, {RECORDING_RULES: recording_rules(changed)}).left_out
    assert 'Requests, "http_apdex": no metric http_apdex in x-metrics of http.request_finished' in left_out
    assert 'Overview, "Apdex, by service": no rule records route:http_apdex_ratio:avg_5m' in left_out


def test_a_metric_that_no_dashboard_names_is_on_one_all_the_same() -> None:
    """Every metric of every schema is on a dashboard."""
    texts = json.dumps(list(DOCUMENTS.values()))
    missing = [
        metric.name
        for event in load_registry().events.values()
        for metric in event.metrics
        if not re.search(rf":{metric.name}[a-z_]*:", texts)
    ]
    assert missing == []


def test_compose_gives_grafana_these_files() -> None:
    """Dashboards are mounted where the provider looks, and each data source's host is a service of compose.yaml."""
    services = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]
    mounts = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    provider = yaml.safe_load((PROJECT / "grafana/provisioning/dashboards/dashboards.yaml").read_text())["providers"][0]
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    assert mounts["./grafana/provisioning"] == "/etc/grafana/provisioning"
    for source in yaml.safe_load(SOURCES.read_text())["datasources"]:
        host, _, port = source["url"].removeprefix("http://").partition(":")
        assert any(published.endswith(f":{port}:{port}") for published in services[host]["ports"])


def test_the_panels_of_the_manual_can_be_written_so() -> None:
    """What docs/DASHBOARDS.md shows is Python that gives panels, and they resolve."""
    text = (PROJECT / "docs/DASHBOARDS.md").read_text()
    names = {"MetricPanel": MetricPanel, "Panel": Panel, "Query": Query, "_SAMPLES": '{event="process.sampled"}'}
    one, other = [eval(block, names)[0] for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]
    assert resolve(one, load_registry(), []).queries[0].expr.startswith("alias:cache_size_bytes:avg_5m{")
    assert parse(other.queries[0].expr)
    assert {f"/d/{name}" for name in DOCUMENTS} == set(re.findall(r"`(/d/\w+)`", text))
