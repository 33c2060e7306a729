"""Where each objective stands, from the series that Prometheus has recorded of it.

In: objectives, a PrometheusClient. Out: a Standing per objective, service and environment. Never: a ratio computed a
second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from logging_pkg.pipeline.slo.model import WINDOWS, Slo
from logging_pkg.prometheus_client import PrometheusClient

BUDGET_QUERY: Final = "slo:error_budget_left:ratio"
BURN_QUERY: Final = '{__name__=~"slo:burn_rate:avg_.+"}'
#: Objective, service, environment.
Key = tuple[str, str, str]
ERROR_QUERY: Final = '{__name__=~"slo:error_ratio:avg_.+"}'


@dataclass(frozen=True, slots=True)
class Standing:
    """One objective of one service.

    Attributes:
        objective: the share of events that has to be good; None where loki/slos.yaml does not have this objective.
        good_ratio: the share that was, over the objective's window.
        budget_left: 1 is all of it, 0 none, below 0 the promise is broken.
        burn_rates: by window, shortest first; at 1 the budget lasts exactly as long as the objective's window.
    """

    name: str
    service_name: str
    env: str
    description: str
    objective: float | None
    window_days: int | None
    good_ratio: float | None
    budget_left: float | None
    burn_rates: dict[str, float] = field(default_factory=dict)

    @property
    def is_spent(self) -> bool:
        """Whether nothing of the budget is left."""
        return self.budget_left is not None and self.budget_left <= 0


def standings(slos: Sequence[Slo], prometheus: PrometheusClient) -> list[Standing]:
    """Least budget left first. An objective without a series has one Standing, without a service.

    Raises:
        ServerError: Prometheus does not answer.
    """
    declared = {slo.name: slo for slo in slos}
    budgets: dict[Key, float] = {}
    errors: dict[Key, float] = {}
    burns: dict[Key, dict[str, float]] = {}
    for sample in prometheus.query(BUDGET_QUERY).samples:
        budgets[_key(sample.labels)] = sample.value
    for sample in prometheus.query(ERROR_QUERY).samples:
        errors[_key(sample.labels)] = sample.value
    for sample in prometheus.query(BURN_QUERY).samples:
        window = sample.labels["__name__"].removeprefix("slo:burn_rate:avg_")
        burns.setdefault(_key(sample.labels), {})[window] = sample.value
    found = []
    for key in {**budgets, **errors, **burns}:
        slo = declared.get(key[0])
        rates = burns.get(key, {})
        found.append(
            Standing(
                key[0],
                key[1],
                key[2],
                slo.description if slo else "",
                slo.objective if slo else None,
                slo.window_days if slo else None,
                1 - errors[key] if key in errors else None,
                budgets.get(key),
                {window: rates[window] for window in WINDOWS if window in rates},
            )
        )
    names = {standing.name for standing in found}
    found += [
        Standing(slo.name, "", "", slo.description, slo.objective, slo.window_days, None, None)
        for slo in slos
        if slo.name not in names
    ]
    return sorted(found, key=lambda one: (one.budget_left is None, one.budget_left or 0.0, one.name, one.service_name))


def _key(labels: Mapping[str, str]) -> Key:
    return labels.get("slo", ""), labels.get("service_name", ""), labels.get("env", "")
