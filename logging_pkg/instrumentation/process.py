"""The heartbeat: that a process lives, what it uses, and what its logging has done so far.

In: /proc and getrusage. Out: `process.sampled` every few seconds. Never: has a thread of its own.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from typing import Any

from logging_pkg import conf
from logging_pkg.instrumentation import background
from logging_pkg.instrumentation.guard import emit_safely
from logging_pkg.instrumentation.totals import unattributed
from logging_pkg.writer import get_writer

_TASK = "heartbeat"


def start_heartbeat() -> None:
    """Emit `process.sampled` now and every `heartbeat_interval_s` from a daemon thread. Idempotent; survives fork.

    Long-running programs call it: the Django middleware does, a worker command should. One-shot commands should not,
    or their end would look like a program that went down.
    """
    background.every(_TASK, _interval_s, _beat, at_once=True)
    background.start()


def stop_heartbeat() -> None:
    """Beat no more. For tests and orderly ends."""
    background.cancel(_TASK)


def _interval_s() -> float:
    return conf.settings().heartbeat_interval_s


def _beat() -> None:
    interval = _interval_s()
    if interval > 0:  # may have been switched off a moment ago
        emit_safely("process.sampled", sample(interval))


def sample(interval_s: float) -> dict[str, Any]:
    """The fields of one `process.sampled`."""
    writer = get_writer()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "interval_s": interval_s,
        "uptime_s": round(time.monotonic() - writer.started, 3),
        "pid": os.getpid(),
        "rss_bytes": _resident_bytes(usage.ru_maxrss),
        "cpu_user_s": round(usage.ru_utime, 3),
        "cpu_system_s": round(usage.ru_stime, 3),
        "thread_count": threading.active_count(),
        "open_file_count": _open_files(),
        "written_count": writer.written,
        "rejected_count": writer.rejected,
        "failed_count": writer.failed,
        "fault_count": writer.faults,
        "shortened_count": writer.shortened,
        "queries_unattributed": unattributed.query_count,
        "emit_time_us": round(writer.emit_nanoseconds / 1000 / max(1, writer.emitted), 1),
    }


def _resident_bytes(peak: int) -> int:
    """Resident memory now (Linux); elsewhere the peak, in KiB except on macOS (getrusage(2))."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return peak if sys.platform == "darwin" else peak * 1024


def _open_files() -> int | None:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return None
