"""Capacity: what processes use, and what runs out when.

In: nothing. Out: CAPACITY. Never: what is no resource.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue import guides
from logging_pkg.pipeline.dashboards.catalogue.run_out import ROW
from logging_pkg.pipeline.dashboards.model import CHOSEN, Dashboard, MetricPanel, Panel, Query, Row

_SAMPLED: Final = "process.sampled"
_SIZES: Final = "db.size_sampled"
_SAMPLES: Final = f'{{event="{_SAMPLED}", {CHOSEN}}}'

CAPACITY: Final = Dashboard(
    uid="capacity",
    title="Capacity",
    description="What processes use of memory, processor and files, and what runs out when.",
    guide=guides.CAPACITY,
    time_from="now-24h",
    rows=(
        Row(
            "Processes",
            (
                MetricPanel(
                    _SAMPLED,
                    "process_memory",
                    no_limit="what is much depends on the machine; the share of memory used is judged.",
                ),
                MetricPanel(
                    _SAMPLED,
                    "process_heartbeats",
                    runbooks=("AppDown",),
                    no_limit="AppDown asks whether any came within a minute; how many do depends on the number "
                    "of processes.",
                ),
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
                    no_limit="how many are usual depends on the server; it is the rise that tells.",
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
                    no_limit="the limit is the machine's; the share of the files that may be open is judged.",
                ),
            ),
        ),
        Row(
            "Processor, memory and files",
            (
                MetricPanel(
                    _SAMPLED,
                    "process_cpu_core_ratio",
                    title="Processor cores used, mean of processes",
                    description="Processor time per second, in cores, mean of all processes.",
                    no_limit="a busy processor is well used; requests that wait for it are judged by their p95.",
                ),
                MetricPanel(
                    _SAMPLED,
                    "memory_used_ratio",
                    ("MemoryNearLimit",),
                    title="Share of memory used",
                ),
                MetricPanel(
                    _SAMPLED,
                    "process_private_memory",
                    no_limit="what is much depends on the machine; the share of memory used is judged.",
                ),
                MetricPanel(
                    _SAMPLED,
                    "process_open_file_ratio",
                    title="Share of the files that may be open",
                    alerts=("FileDescriptorsNearLimit",),
                ),
                MetricPanel(
                    _SAMPLED,
                    "process_gc_pause",
                    title="Pauses of the garbage collector, in 5m",
                    no_limit="what a pause does to requests is judged by their p95.",
                ),
                MetricPanel(
                    _SAMPLED,
                    "worker_busy_ratio",
                    title="Share of workers that are busy",
                    alerts=("WorkersSaturated",),
                    empty="No server tells how busy its workers are",
                ),
            ),
            needs="service:process_cpu_core_ratio:avg_5m",
        ),
        Row(
            "Disk and database",
            (
                MetricPanel(
                    _SAMPLED,
                    "log_disk_free",
                    runbooks=("DiskFillsUp", "DiskFullInDays"),
                    no_limit="DiskFillsUp and DiskFullInDays judge when it will be full, below.",
                ),
                MetricPanel(
                    _SAMPLED,
                    "process_db_connections",
                    empty="No process tells of its connections",
                    no_limit="how many there may be is the database's setting, which no event has.",
                ),
                MetricPanel(
                    _SIZES,
                    "db_size",
                    no_limit="DatabaseFillsUp judges the days that are left.",
                ),
                MetricPanel(
                    _SIZES,
                    "db_size_left",
                    runbooks=("DatabaseFillsUp",),
                    empty="No database tells what room is left",
                    no_limit="DatabaseFillsUp judges the days that are left.",
                ),
                MetricPanel(
                    "db.table_size_sampled",
                    "db_table_size",
                    no_limit="DatabaseFillsUp judges the days that are left to the whole database.",
                ),
                MetricPanel(
                    "db.table_size_sampled",
                    "db_table_rows",
                    no_limit="how many rows are many depends on the table.",
                ),
            ),
            needs="alias:db_size_bytes:avg_5m",
        ),
        ROW,
    ),
)
