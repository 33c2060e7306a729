"""Service level objectives: a small file in, recording rules and burn-rate alerts out.

In: loki/slos.yaml and the declared events. Out: rule files of Loki and Prometheus as text. Never: a file written.
"""

from logging_pkg.pipeline.slo.logql import SLO_LOKI_RULES, slo_loki_rules
from logging_pkg.pipeline.slo.model import Slo
from logging_pkg.pipeline.slo.parse import SLO_FILE, read_slos
from logging_pkg.pipeline.slo.promql import SLO_PROMETHEUS_RULES, slo_prometheus_rules

__all__ = [
    "SLO_FILE",
    "SLO_LOKI_RULES",
    "SLO_PROMETHEUS_RULES",
    "Slo",
    "read_slos",
    "slo_loki_rules",
    "slo_prometheus_rules",
]
