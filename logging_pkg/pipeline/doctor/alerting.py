"""The second half of the way: rules, recorded series, alerts, and the alarm for when all of it is silent.

In: what the servers say. Out: Stages, each with its figure and what to do next. Never: a write.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from logging_pkg.analysis.alerts import PIPELINE_ALIVE, KnownAlert, moment_of
from logging_pkg.analysis.words import counted, span
from logging_pkg.loki_client import RuleGroup
from logging_pkg.pipeline import event_queries
from logging_pkg.pipeline.doctor.stage import QUIET_S, Stage
from logging_pkg.prometheus_client import AlertmanagerClient, PrometheusClient

#: The ruler looks once a minute, and sends at once.
RECORDED_S: Final = 180.0
#: An alert that fires reaches Alertmanager with its evaluation; this long it may be on its way.
SENDING_S: Final = 90.0
#: Evaluations of a group that may be missing before it is late.
_MISSED: Final = 3
_SHOWN: Final = 3
_DEADMANSSWITCH: Final = "deadmansswitch"


def rules(name: str, groups: Sequence[RuleGroup], missing: str) -> Stage:
    """Whether every rule is evaluated, and without an error.

    Args:
        name: of the stage.
        groups: as the server tells them.
        missing: what to do where it has no rule.
    """
    every = [rule for group in groups for rule in group.rules]
    if not every:
        return Stage(name, "broken", "no rule is loaded", missing, {"rules": 0})
    failing = [rule for rule in every if rule.health == "err"]
    now = time.time()
    ages = {}
    for group in groups:
        moment = moment_of(group.last_evaluation)
        # Of a group that has not been evaluated since the server started, nothing is known yet.
        if group.interval_s > 0 and moment is not None:
            ages[group.name] = (now - moment - group.interval_s, group.interval_s)
    late = [group for group, (over_s, interval_s) in ages.items() if over_s > _MISSED * interval_s + QUIET_S]
    figures: dict[str, float] = {"rules": len(every), "failing": len(failing), "late_groups": len(late)}
    shown = f"{counted(len(every), 'rule')}, {len(failing) or 'none'} failing"
    if failing:
        named = "; ".join(f"{rule.name}: {' '.join(rule.last_error.split())[:120]}" for rule in failing[:_SHOWN])
        return Stage(name, "broken", f"{shown}: {named}", "logpipe check; then logpipe rules test", figures)
    if late:
        worst = max(ages[group][0] + ages[group][1] for group in late)
        figures["worst_age_s"] = round(worst, 1)
        shown += f", {counted(len(late), 'group')} late ({', '.join(late[:_SHOWN])}: {span(worst)} ago)"
        return Stage(name, "late", shown, "too much to read: docs/PERFORMANCE.md tells what each rule costs", figures)
    return Stage(name, "ok", f"{shown}, all evaluated", figures=figures)


def recorded(prometheus: PrometheusClient) -> Stage:
    """Whether it is ready, and takes what the ruler records."""
    prometheus.check_ready()
    queries = (event_queries.recorded_age_s(),)
    found = prometheus.query(queries[0]).samples
    if not found:
        step = "do processes beat? If so: --web.enable-remote-write-receiver, ruler.remote_write in loki.yaml"
        return Stage("Prometheus", "broken", "ready, no heartbeat recorded in 5 min", step, queries=queries)
    age_s = max(0.0, found[0].value)
    shown, figures = f"ready, newest recorded sample {span(age_s)} old", {"age_s": round(age_s, 1)}
    if age_s > RECORDED_S:
        step = "logpipe backfill --from … fills the gap once samples arrive"
        return Stage("Prometheus", "late", shown, step, figures, queries=queries)
    return Stage("Prometheus", "ok", shown, figures=figures, queries=queries)


def delivery(alertmanager: AlertmanagerClient, alerts: Sequence[KnownAlert]) -> Stage:
    """Whether it is ready, and has what fires."""
    alertmanager.check_ready()
    firing = [alert for alert in alerts if alert.state == "firing"]
    now = time.time()
    missing = sorted(
        {
            alert.name
            for alert in firing
            if alert.delivery.startswith("not ") and alert.since is not None and now - alert.since > SENDING_S
        }
    )
    silenced = sum(bool(alert.silenced) for alert in firing)
    figures = {"firing": len(firing), "missing": len(missing), "silenced": silenced}
    shown = f"ready, {counted(len(firing), 'alert')} firing" + (f", {silenced} silenced" if silenced else "")
    if missing:
        step = "is its address in ruler.alertmanager_url of loki.yaml, and under `alerting` in prometheus.yml?"
        return Stage("Alertmanager", "broken", f"{shown}; not here: {', '.join(missing)}", step, figures)
    return Stage("Alertmanager", "ok", shown, figures=figures)


def dead_mans_switch(alerts: Sequence[KnownAlert], is_silent: bool | None) -> Stage:
    """Whether the alert that always fires gets to whom its silence is the alarm.

    Args:
        alerts: of all servers.
        is_silent: what the receiver of `logpipe stack` says of it; None where there is none.
    """
    name, step = "dead man's switch", "docs/runbooks/PipelineAlive.md"
    alive = [alert for alert in alerts if alert.name == PIPELINE_ALIVE and alert.state == "firing"]
    if not alive:
        return Stage(name, "broken", f"{PIPELINE_ALIVE} does not fire: lines do not reach the rules", step)
    sent = alive[0].delivery
    if not sent or sent.startswith("not "):
        return Stage(name, "broken", f"{PIPELINE_ALIVE} fires, but is {sent or 'with no receiver'}", step)
    if _DEADMANSSWITCH not in sent:
        step = f"route {PIPELINE_ALIVE} to the receiver {_DEADMANSSWITCH} in alertmanager.yml"
        return Stage(name, "broken", f"{PIPELINE_ALIVE} goes to {sent} alone", step)
    if is_silent:
        return Stage(name, "broken", f"{PIPELINE_ALIVE} is sent, but its receiver has not heard it for 2 min", step)
    heard = ", and is heard" if is_silent is False else ""
    return Stage(name, "ok", f"{PIPELINE_ALIVE} fires, goes to {sent}{heard}")
