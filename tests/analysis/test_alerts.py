"""Alerts of rulers and of Alertmanager are one list, the most urgent first."""

from __future__ import annotations

from typing import Any

from logging_pkg.analysis.alerts import known_alerts, moment_of
from logging_pkg.analysis.words import counted, size, span
from logging_pkg.loki_client import Alert

SINCE = "2026-11-26T10:00:00.5Z"


def alert(name: str, severity: str, state: str = "firing", since: str = SINCE) -> Alert:
    return Alert({"alertname": name, "severity": severity}, {"summary": name}, state, since, "1.5e+00")


def held(name: str, severity: str, **more: Any) -> dict[str, Any]:
    labels = {"alertname": name, "severity": severity}
    return {"labels": labels, "fingerprint": name.lower(), "receivers": [{"name": "webhook"}], **more}


def test_urgent_ones_come_first() -> None:
    """Firing before pending, critical before warning, old before new, unknown severities last."""
    found = known_alerts(
        [
            ("Loki", [alert("P", "critical", "pending"), alert("U", "page"), alert("W", "warning")]),
            ("Prometheus", [alert("C2", "critical"), alert("C1", "critical", since="2026-11-26T09:00:00Z")]),
        ],
        None,
    )
    assert [one.name for one in found] == ["C1", "C2", "W", "U", "P"]
    assert (found[0].source, found[0].value, found[0].delivery) == ("Prometheus", 1.5, "")
    assert [one.name for one in found if one.is_breach] == ["C1", "C2"]


def test_what_alertmanager_holds_is_joined_by_labels() -> None:
    """Receivers, IDs, who silenced it and what covers it; what it has not got, and what only it knows."""
    silence = {"id": "s1", "createdBy": "alice", "endsAt": "2026-11-26T12:30:00Z", "comment": "known"}
    found = known_alerts(
        [("Loki", [alert("A", "critical"), alert("B", "critical"), alert("C", "warning", "pending")])],
        [
            held("A", "critical", status={"silencedBy": ["s1", "s2"]}, annotations={"correlation_ids": "a b"}),
            held("D", "warning", status={"inhibitedBy": ["a", "gone"]}, startsAt=SINCE),
        ],
        [silence],
    )
    by_name = {one.name: one for one in found}
    assert by_name["A"].silenced == ("alice until 2026-11-26 12:30 UTC: known", "silence s2")
    assert (by_name["A"].correlation_ids, by_name["A"].delivery, by_name["A"].is_breach) == (
        ("a", "b"),
        "webhook",
        False,
    )
    assert (by_name["A"].summary, by_name["B"].delivery, by_name["C"].delivery) == ("A", "not in Alertmanager", "")
    assert by_name["B"].is_breach
    assert (by_name["D"].source, by_name["D"].inhibited, by_name["D"].value) == ("Alertmanager", ("A", "gone"), None)
    assert by_name["D"].since == by_name["A"].since == 1795687200.5


def test_external_labels_of_prometheus_make_no_second_alert() -> None:
    """It adds them on the way to Alertmanager; the same labels go before more of them."""
    more = held("A", "critical", status={"silencedBy": ["s"]})
    more["labels"] = {**more["labels"], "cluster": "eu"}
    (found,) = known_alerts([("Prometheus", [alert("A", "critical")])], [more])
    assert (found.source, found.silenced, found.labels) == ("Prometheus", ("silence s",), {})
    both = known_alerts([("Prometheus", [alert("A", "critical")])], [more, held("A", "critical")])
    assert {one.source: one.silenced for one in both} == {"Prometheus": (), "Alertmanager": ("silence s",)}


def test_go_s_time_that_is_none_is_none() -> None:
    """The year 1, and what is no time."""
    assert moment_of("0001-01-01T00:00:00Z") is None
    assert moment_of("") is None


def test_lengths_sizes_and_counts_in_one_unit() -> None:
    """The largest that leaves two digits or so."""
    assert [span(s) for s in (-1, 0.4, 119, 120, 7199, 7200, 172_799, 172_800)] == [
        "0 s", "0 s", "119 s", "2 min", "120 min", "2 h", "48 h", "2 days",
    ]  # fmt: skip
    assert [size(b) for b in (0, 1023, 1024, 3 * 2**20, 5 * 2**30, -2048)] == [
        "0 bytes", "1,023 bytes", "1.0 KiB", "3.0 MiB", "5.0 GiB", "-2.0 KiB",
    ]  # fmt: skip
    assert [counted(n, "line") for n in (0, 1, 1204)] == ["0 lines", "1 line", "1,204 lines"]
