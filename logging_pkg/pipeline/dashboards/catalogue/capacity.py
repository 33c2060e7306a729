"""Capacity: what processes use, and what runs out when.

In: nothing. Out: CAPACITY. Never: what is no resource.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.model import CHOSEN, Dashboard, MetricPanel, Panel, Query, Row

_SAMPLED: Final = "process.sampled"
_SAMPLES: Final = f'{{event="{_SAMPLED}", {CHOSEN}}}'

CAPACITY: Final = Dashboard(
    uid="capacity",
    title="Capacity",
    description="What processes use of memory, processor and files, and what runs out when.",
    time_from="now-24h",
    rows=(
        Row(
            "Processes",
            (
                MetricPanel(_SAMPLED, "process_memory"),
                MetricPanel(_SAMPLED, "process_heartbeats", ("AppDown",), has_limit=False),
                Panel(
                    "Threads, the process with most",
                    "A number that only rises is a leak of threads.",
                    (
                        Query(
                            f'max_over_time({_SAMPLES} | json thread_count="thread_count" '
                            '| unwrap thread_count | __error__="" [5m]) by (service_name)',
                            "{{service_name}}",
                        ),
                    ),
                    source="loki",
                    logs=_SAMPLES,
                ),
                Panel(
                    "Open files, the process with most",
                    "A number that only rises is a leak; at the limit (`ulimit -n`) nothing can be opened any more.",
                    (
                        Query(
                            f'max_over_time({_SAMPLES} | json open_file_count="open_file_count" '
                            '| unwrap open_file_count | __error__="" [5m]) by (service_name)',
                            "{{service_name}}",
                        ),
                    ),
                    source="loki",
                    logs=_SAMPLES,
                ),
            ),
        ),
    ),
)
