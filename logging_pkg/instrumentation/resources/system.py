"""Memory, files, disk and pressure, as the system tells them.

In: /proc, getrlimit, statvfs. Out: fields of `process.sampled`. Never: an exception; a field the system does not tell.
"""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from logging_pkg.instrumentation.resources import cgroup
from logging_pkg.quiet_files import content_of

_PROC = Path("/proc")
_KIB = re.compile(rb"(?m)^(\w+):\s+(\d+) kB$")
#: Pause between two looks at smaps_rollup, as a multiple of what the last took.
_ROLLUP_PAUSE = 1_000
_rollup_due = 0.0
_SOME = re.compile(rb"(?m)^some avg10=(\d+\.\d+) ")


def memory_fields(proc: Path = _PROC, mount: Path = Path("/sys/fs/cgroup")) -> Iterator[tuple[str, int | float]]:
    """Tell `uss_bytes`, and what is used of the container's memory, or the machine's where that is less."""
    rollup = _rollup(proc / "self/smaps_rollup")
    if "Private_Clean" in rollup and "Private_Dirty" in rollup:
        yield "uss_bytes", 1024 * (rollup["Private_Clean"] + rollup["Private_Dirty"])
    machine = _kibibytes(proc / "meminfo")
    limit = cgroup.memory_limit(proc, mount)
    total = 1024 * machine.get("MemTotal", 0)
    if limit is not None and (not total or limit.limit_bytes < total):
        total, used = limit.limit_bytes, limit.used_bytes
    elif total and "MemAvailable" in machine:
        used = total - 1024 * machine["MemAvailable"]
    else:
        return
    yield "memory_limit_bytes", total
    yield "memory_used_bytes", used
    if total:
        yield "memory_used_ratio", round(used / total, 6)


def resident_bytes() -> int | None:
    """Resident memory of this process; None where the system does not tell it."""
    pages = content_of("/proc/self/statm").split()[1:2]
    return int(pages[0]) * resource.getpagesize() if pages else None


def _rollup(path: Path) -> Mapping[str, int]:
    """The kernel walks all pages for it, some 25 ms per GiB: at most a thousandth of a core's time is spent on it."""
    global _rollup_due
    began = time.monotonic()
    if began < _rollup_due:
        return {}
    found = _kibibytes(path)
    _rollup_due = time.monotonic() + (time.monotonic() - began) * _ROLLUP_PAUSE
    return found


def file_fields(open_files: int | None) -> Iterator[tuple[str, int | float]]:
    """Tell how many descriptors this process may open, and the share that is open."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit not in (resource.RLIM_INFINITY, 0):
        yield "max_open_file_count", limit
        if open_files is not None:
            yield "open_file_ratio", round(open_files / limit, 6)


def disk_fields(directory: Path) -> Iterator[tuple[str, int | float]]:
    """Tell the size of a directory's file system and what a process without privileges may still write, bytes."""
    with suppress(OSError):
        found = os.statvfs(directory)
        size, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
        if size:
            yield "log_disk_size_bytes", size
            yield "log_disk_free_bytes", free
            yield "log_disk_free_ratio", round(free / size, 6)


def pressure_fields(proc: Path = _PROC, mount: Path = Path("/sys/fs/cgroup")) -> Iterator[tuple[str, float]]:
    """Tell the share of the last 10 s in which something waited for CPU, memory or disk (PSI, "some avg10").

    Of this process's own control group where that is told, else of the machine.
    Source: Documentation/accounting/psi.rst of the Linux kernel.
    """
    group = cgroup.pressure_directory(proc, mount)
    for name in ("cpu", "memory", "io"):
        path = proc / "pressure" / name if group is None else group / f"{name}.pressure"
        if (found := _SOME.search(content_of(path))) is not None:
            yield f"{name}_pressure_ratio", round(float(found[1]) / 100, 4)


def cpu_count() -> int | None:
    """How many cores this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count()


def _kibibytes(path: Path) -> Mapping[str, int]:
    return {name.decode("ascii"): int(number) for name, number in _KIB.findall(content_of(path))}


def present(fields: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    """The fields as a dict; those of a system that fails half-way as far as they came."""
    found: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        found.update(fields)
    return found
