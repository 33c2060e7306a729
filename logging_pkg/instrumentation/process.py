"""The heartbeat: that a process lives, what it uses, and what its logging has done so far.

In: getrusage, what `resources` finds, the writer's counts. Out: `process.sampled` every few seconds.
Never: has a thread of its own, a query, an exception.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from typing import Any

from logging_pkg import conf
from logging_pkg.instrumentation import background, memory_profile
from logging_pkg.instrumentation.guard import emit_safely, faults_kept_in
from logging_pkg.instrumentation.late_work import unattributed
from logging_pkg.instrumentation.request.watchdog import in_flight
from logging_pkg.instrumentation.resources import system
from logging_pkg.instrumentation.resources.cgroup import cpu_limit_cores
from logging_pkg.instrumentation.resources.connections import connection_fields
from logging_pkg.instrumentation.resources.garbage import CollectionWatch
from logging_pkg.writer import get_writer

_TASK = "heartbeat"
#: Taken now: an application's tests put a mock in its place, and the heartbeat must not be among what that counts.
_listdir = os.listdir
_collections = CollectionWatch()
#: Wall clock and CPU time (user, system) of the last sample, s; None before the first, and in a forked child.
_last: tuple[float, float, float] | None = None


def start_heartbeat() -> None:
    """Emit `process.sampled` now and every `heartbeat_interval_s` from a daemon thread. Idempotent; survives fork.

    Long-running programs call it: the Django middleware does, a worker command should. One-shot commands should not,
    or their end would look like a program that went down.
    """
    if conf.settings().enabled and _interval_s() > 0:
        _collections.install()
    background.every(_TASK, _interval_s, _beat, at_once=True)
    background.start()


def stop_heartbeat() -> None:
    """Beat no more. For tests and orderly ends."""
    background.cancel(_TASK)
    _collections.remove()


def _interval_s() -> float:
    return conf.settings().heartbeat_interval_s


def _beat() -> None:
    interval = _interval_s()
    if interval > 0:  # may have been switched off a moment ago
        emit_safely("process.sampled", sample(interval))
        memory_profile.take_request()


def sample(interval_s: float) -> dict[str, Any]:
    """The fields of one `process.sampled`."""
    writer = get_writer()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    open_files = _open_files()
    fields = {
        "interval_s": interval_s,
        "uptime_s": round(time.monotonic() - writer.started, 3),
        "pid": os.getpid(),
        "rss_bytes": _resident_bytes(usage.ru_maxrss),
        "cpu_user_s": round(usage.ru_utime, 3),
        "cpu_system_s": round(usage.ru_stime, 3),
        "thread_count": threading.active_count(),
        "open_file_count": open_files,
        "written_count": writer.written,
        "rejected_count": writer.rejected,
        "failed_count": writer.failed,
        "fault_count": writer.faults,
        "shortened_count": writer.shortened,
        "queries_unattributed": unattributed.query_count,
        "emit_time_us": round(writer.emit_nanoseconds / 1000 / max(1, writer.emitted), 1),
    }
    # The heartbeat has to come, whatever is wrong with the rest.
    with faults_kept_in():
        fields |= _cpu_fields(usage)
        fields |= system.present(system.memory_fields())
        fields |= system.present(system.file_fields(open_files))
        fields |= system.present(system.disk_fields(conf.settings().directory))
        fields |= system.present(system.pressure_fields())
        fields |= _collections.take()
        fields |= _worker_fields()
        fields |= connection_fields()
    return fields


def _cpu_fields(usage: resource.struct_rusage) -> dict[str, Any]:
    """CPU time since the last sample, as a share of one core and of what the process may use; limits, in cores."""
    global _last
    now = (time.monotonic(), usage.ru_utime, usage.ru_stime)
    last, _last = _last, now
    available = [cores for cores in (cpu_limit_cores(), system.cpu_count()) if cores]
    fields: dict[str, Any] = {"cpu_limit_cores": round(min(available), 3)} if available else {}
    if last is None or now[0] <= last[0]:
        return fields
    period, user, kernel = (max(0.0, new - old) for new, old in zip(now, last, strict=True))
    fields["period_s"] = round(period, 3)
    fields["cpu_user_used_s"] = round(user, 3)
    fields["cpu_system_used_s"] = round(kernel, 3)
    fields["cpu_core_ratio"] = round((user + kernel) / period, 4)
    if available:
        fields["cpu_limit_ratio"] = round((user + kernel) / period / min(available), 4)
    return fields


def _worker_fields() -> dict[str, Any]:
    """Requests that wait for their response, and of how many this process can serve at a time, where that was told."""
    busy = len(in_flight)
    fields: dict[str, Any] = {"worker_busy_count": busy}
    capacity = conf.settings().worker_capacity
    if capacity:
        fields["worker_capacity_count"] = capacity
        fields["worker_busy_ratio"] = round(busy / capacity, 4)
    return fields


def _resident_bytes(peak: int) -> int:
    """Resident memory now (Linux); elsewhere the peak, in KiB except on macOS (getrusage(2))."""
    resident = system.resident_bytes()
    if resident is not None:
        return resident
    return peak if sys.platform == "darwin" else peak * 1024


def _open_files() -> int | None:
    try:
        return len(_listdir("/proc/self/fd"))
    except OSError:
        return None


def _after_fork() -> None:
    global _last
    _last = None


os.register_at_fork(after_in_child=_after_fork)
