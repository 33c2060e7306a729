"""Keep a log directory within its limit: shipped files go first, a file not yet shipped goes last and is counted.

In: a directory and its limit. Out: fields of one `logging.file_deleted` per deleted file.
Never: deletes a file a living process writes, deletes anything but event files.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logging_pkg.schemas.conventions import LOG_FILE_SUFFIX, SHIPPED_FILE_NAME

_LOCK_FILE_NAME = ".limit.lock"


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: Path
    size: int
    modified_ns: int
    shipped_bytes: int

    @property
    def is_shipped(self) -> bool:
        return self.shipped_bytes >= self.size


def enforce(directory: Path, max_bytes: int) -> list[dict[str, Any]]:
    """Delete event files until the directory holds at most `max_bytes` of them.

    What was shipped is read from the embedded shipper's checkpoint; without one (Vector keeps its own), every file
    counts as unshipped. One process cleans at a time; others return at once.
    """
    sizes = {}
    for path in directory.glob(f"*{LOG_FILE_SUFFIX}"):
        try:
            sizes[path] = path.stat().st_size
        except FileNotFoundError:
            continue
    excess = sum(sizes.values()) - max_bytes
    if excess <= 0:
        return []
    lock = os.open(directory / _LOCK_FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return []
    deleted = []
    try:
        for candidate in _candidates(list(sizes), _shipped_offsets(directory)):
            if excess <= 0:
                break
            fields = _describe(candidate, max_bytes)
            candidate.path.unlink(missing_ok=True)
            excess -= candidate.size
            deleted.append(fields)
    finally:
        os.close(lock)
    return deleted


def _shipped_offsets(directory: Path) -> dict[str, int]:
    try:
        offsets: dict[str, int] = json.loads((directory / SHIPPED_FILE_NAME).read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return offsets


def _candidates(paths: list[Path], offsets: dict[str, int]) -> list[_Candidate]:
    """Files nobody writes: shipped ones first, each group oldest first."""
    found = []
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(descriptor)
            first = os.pread(descriptor, 65_536, 0).partition(b"\n")[0]
        except BlockingIOError:
            continue  # a living process writes it
        finally:
            os.close(descriptor)
        shipped = offsets.get(str(_loads(first).get("event_id")), 0)
        found.append(_Candidate(path, status.st_size, status.st_mtime_ns, shipped))
    return sorted(found, key=lambda candidate: (not candidate.is_shipped, candidate.modified_ns, candidate.path.name))


def _describe(candidate: _Candidate, limit: int) -> dict[str, Any]:
    """Read from the file what is lost with it."""
    instance_id: str | None = None
    first = last = lost_first = lost_last = None
    lost = offset = 0
    try:
        with candidate.path.open("rb") as lines:
            for raw in lines:
                line = _loads(raw)
                seq = line.get("seq")
                if isinstance(seq, int):
                    instance_id = instance_id or line.get("instance_id")
                    first, last = first or seq, seq
                if offset >= candidate.shipped_bytes:
                    lost += 1
                    if isinstance(seq, int):
                        lost_first, lost_last = lost_first or seq, seq
                offset += len(raw)
    except OSError:
        lost = 0  # gone or unreadable meanwhile; the store's own count of seq still shows the hole
    return {
        "file": candidate.path.name[:200],
        "file_instance_id": instance_id,
        "first_seq": first,
        "last_seq": last,
        "size_bytes": candidate.size,
        "lost_event_count": lost,
        "lost_first_seq": lost_first,
        "lost_last_seq": lost_last,
        "directory_limit_bytes": limit,
    }


def _loads(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
