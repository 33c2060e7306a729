"""The limits of the container this process runs in.

In: /proc/self/cgroup and the files of cgroup v2, or of v1 where those are mounted. Out: bytes and cores.
Never: an exception; where nothing limits the process, None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from logging_pkg.quiet_files import content_of

#: v1 says "no limit" with the largest multiple of a page; nobody has so much memory.
_NO_LIMIT_BYTES = 1 << 60


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """The tightest limit of memory above a process."""

    limit_bytes: int
    #: What counts against it and cannot be dropped at once: all but inactive file pages (what Kubernetes calls the
    #: working set).
    used_bytes: int


def memory_limit(proc: Path = Path("/proc"), mount: Path = Path("/sys/fs/cgroup")) -> MemoryLimit | None:
    """Return the tightest limit of memory above this process, or None. The kernel kills where it is reached."""
    found: MemoryLimit | None = None
    for names, inactive, groups in (
        (("memory.max", "memory.current"), "inactive_file", _groups(proc, mount, "")),
        (("memory.limit_in_bytes", "memory.usage_in_bytes"), "total_inactive_file", _groups(proc, mount, "memory")),
    ):
        for group in groups:
            limit, current = (_number(group / name) for name in names)
            if limit is None or current is None or limit >= _NO_LIMIT_BYTES:
                continue
            if found is None or limit < found.limit_bytes:
                cached = _key(group / "memory.stat", inactive) or 0
                found = MemoryLimit(limit, max(0, current - cached))
    return found


def cpu_limit_cores(proc: Path = Path("/proc"), mount: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return how many cores' time the tightest quota above this process admits, or None."""
    quotas: list[float] = []
    for group in _groups(proc, mount, ""):
        words = _text(group / "cpu.max").split()
        if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]):
            quotas.append(int(words[0]) / int(words[1]))
    for group in _groups(proc, mount, "cpu"):
        quota, period = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
        if quota is not None and period:
            quotas.append(quota / period)
    return min(quotas, default=None)


def pressure_directory(proc: Path = Path("/proc"), mount: Path = Path("/sys/fs/cgroup")) -> Path | None:
    """Return where the pressure of this process's own control group is told (v2), or None."""
    return next((group for group in _groups(proc, mount, "") if _text(group / "cpu.pressure")), None)


def _groups(proc: Path, mount: Path, controller: str) -> Iterator[Path]:
    """The group of this process and those above it. In a container without a namespace of its own the path is the
    host's and its own group is what is mounted at the top: it comes last.
    """
    for line in _text(proc / "self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controller not in controllers.split(",") or ".." in path:
            continue
        top = mount / controller if controller else mount
        group = top / path.lstrip("/")
        yield from (one for one in (group, *group.parents) if one.is_relative_to(top))


def _text(path: Path) -> str:
    try:
        return content_of(path).decode("ascii")
    except ValueError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _key(path: Path, key: str) -> int | None:
    for line in _text(path).splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == key and words[1].isdecimal():
            return int(words[1])
    return None
