"""Is each stage of the pipeline alive, how late, and what is lost?

In: a log directory, clients of the servers. Out: Stages, each with its figure and what to do next. Never: prints.
"""

from logging_pkg.pipeline.doctor.alerting import dead_mans_switch, delivery, recorded, rules
from logging_pkg.pipeline.doctor.arriving import log_files, loki_stage, losses, shipper
from logging_pkg.pipeline.doctor.stage import Stage, looked_at

__all__ = [
    "Stage",
    "dead_mans_switch",
    "delivery",
    "log_files",
    "loki_stage",
    "looked_at",
    "losses",
    "recorded",
    "rules",
    "shipper",
]
