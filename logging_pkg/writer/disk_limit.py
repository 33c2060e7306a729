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
from typing import Any, BinaryIO

from logging_pkg.quiet_files import content_of, open_to_read
from logging_pkg.schemas.conventions import INSTANCE_ID_PATTERN, LOG_FILE_SUFFIX, MAX_LINE_BYTES, SHIPPED_FILE_NAME

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
        except OSError:
            continue  # gone meanwhile
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
            try:
                candidate.path.unlink(missing_ok=True)
            except OSError:
                continue  # another user's
            excess -= candidate.size
            deleted.append(fields)
    finally:
        os.close(lock)
    return deleted


def _shipped_offsets(directory: Path) -> dict[str, int]:
    files = _loads(content_of(directory / SHIPPED_FILE_NAME)).get("files")
    if not isinstance(files, dict):
        return {}
    return {event_id: offset for event_id, offset in files.items() if isinstance(offset, int)}


def _candidates(paths: list[Path], offsets: dict[str, int]) -> list[_Candidate]:
    """Files nobody writes: shipped ones first, each group oldest first."""
    found = []
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # gone meanwhile, or another user's
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(descriptor)
            first = os.pread(descriptor, MAX_LINE_BYTES, 0).partition(b"\n")[0]
        except BlockingIOError:
            continue  # a living process writes it
        finally:
            os.close(descriptor)
        shipped = offsets.get(str(_loads(first).get("event_id")), 0)
        found.append(_Candidate(path, status.st_size, status.st_mtime_ns, shipped))
    return sorted(found, key=lambda candidate: (not candidate.is_shipped, candidate.modified_ns, candidate.path.name))


def _describe(candidate: _Candidate, limit: int) -> dict[str, Any]:
    """Read from the file what is lost with it: ends parsed, lines between only counted, for an emitter waits."""
    first, last, lost_first, lost = {}, {}, {}, 0
    try:
        with open_to_read(candidate.path) as file:
            first = _loads(file.readline(MAX_LINE_BYTES))
            file.seek(max(0, candidate.size - 2 * MAX_LINE_BYTES))
            # The very last line may be torn; the one before it is whole.
            last = next(filter(None, map(_loads, reversed(file.read().splitlines()))), {})
            if not candidate.is_shipped:
                file.seek(candidate.shipped_bytes)
                lost_first = _loads(file.readline(MAX_LINE_BYTES))
                file.seek(candidate.shipped_bytes)
                lost = _count_lines(file)
    except OSError:
        lost = 0  # gone or unreadable meanwhile; the store's own count of seq still shows the hole
    return {
        "file": os.fsencode(candidate.path.name).decode("utf-8", "replace")[:200],
        "file_instance_id": _instance_id_of(first) or _instance_id_of(last),
        "first_seq": _seq_of(first),
        "last_seq": _seq_of(last),
        "size_bytes": candidate.size,
        "lost_event_count": lost,
        "lost_first_seq": _seq_of(lost_first),
        "lost_last_seq": _seq_of(last) if lost else None,
        "directory_limit_bytes": limit,
    }


def _count_lines(file: BinaryIO) -> int:
    count, chunk, end = 0, b"", b"\n"
    while chunk := file.read(1024 * 1024):
        count += chunk.count(b"\n")
        end = chunk[-1:]
    return count + (end != b"\n")


def _seq_of(line: dict[str, Any]) -> int | None:
    seq = line.get("seq")
    return seq if type(seq) is int and seq > 0 else None


def _instance_id_of(line: dict[str, Any]) -> str | None:
    instance_id = line.get("instance_id")
    return instance_id if isinstance(instance_id, str) and INSTANCE_ID_PATTERN.fullmatch(instance_id) else None


def _loads(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
