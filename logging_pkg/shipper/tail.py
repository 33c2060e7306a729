"""Follow every event file of a directory: new ones, renamed ones, deleted ones.

In: a log directory and how far each file has been shipped. Out: segments of whole lines, the oldest events first.
Never: parses more of a line than its identity, holds more than one segment in memory, writes anything.

A file is known by its inode while this process runs and by the event_id of its first line for ever, so neither rotation
(by rename) nor a restart makes it another file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from logging_pkg.schemas.conventions import LOG_FILE_SUFFIX, MAX_LINE_BYTES, parse_timestamp
from logging_pkg.shipper.errors import ShipperError

#: Bytes read from one file before the oldest file is looked for again. At least one legal line.
SEGMENT_BYTES = 4 * MAX_LINE_BYTES
#: A file that is read to its end and rests this long is closed; until then its descriptor survives a deletion.
_CLOSE_AFTER_S = 30.0
#: With more files than this, those waiting to be read are not kept open.
_MAX_OPEN = 200
#: Shipped offsets kept of files that are gone, in case they come back (a listing can miss a file during a rename).
_KEEP_MISSING = 200


@dataclass(frozen=True, slots=True)
class Segment:
    """Whole lines of one file, without their newlines; `start` and `end` are byte offsets in it."""

    file_id: str
    name: str
    start: int
    end: int
    lines: list[bytes]


class LogFile:
    """One file being followed. `offset` is how far it has been read, `position_ns` the time of the last event read."""

    def __init__(self, path: Path, key: tuple[int, int]) -> None:
        self.path = path
        self.key = key
        self.file_id: str | None = None
        self.offset = 0
        self.size = 0
        self.modified_ns = -1
        self.position_ns = 0
        self.is_deleted = False
        self.is_copy = False
        self._descriptor: int | None = None
        self._stuck_at = -1

    @property
    def unread(self) -> int:
        """Bytes not read yet; 0 also where all there is, is the beginning of a line that may still be completed."""
        return 0 if self.file_id is None or self.size == self._stuck_at else max(0, self.size - self.offset)

    def descriptor(self) -> int:
        """The open file.

        Raises:
            FileNotFoundError: the file is gone, or its name belongs to another file by now.
            ShipperError: it may not be read.
        """
        if self._descriptor is None:
            try:
                descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except PermissionError as error:
                raise ShipperError(
                    f"{self.path}: cannot be read: {error.strerror}. Give the shipper's user the right to read it"
                ) from error
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) != self.key:
                os.close(descriptor)
                raise FileNotFoundError(self.path)
            self._descriptor = descriptor
        return self._descriptor

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def is_open(self) -> bool:
        """Whether a descriptor is held."""
        return self._descriptor is not None

    @property
    def is_resting(self) -> bool:
        """Whether it is read to its end and has not been written for a while."""
        return not self.unread and time.time_ns() - self.modified_ns > _CLOSE_AFTER_S * 1e9

    @property
    def has_torn_end(self) -> bool:
        """Whether it ends in a line without newline that nobody is going to complete."""
        if self.is_copy or self.unread or self.size <= self.offset:
            return False
        try:
            return self.is_abandoned(0.0)
        except FileNotFoundError:
            return False

    def read(self, torn_after_s: float) -> Segment | None:
        """The next whole lines, about SEGMENT_BYTES of them; None when there is no whole line.

        A last line without newline counts as a line once nobody holds the file open for writing (the writer keeps a
        shared lock on it) and it has rested for `torn_after_s`: its writer died.
        """
        assert self.file_id is not None
        start = self.offset
        raw = os.pread(self.descriptor(), SEGMENT_BYTES, start)
        end = raw.rfind(b"\n")
        if end >= 0:
            lines = raw[:end].split(b"\n")
            self.offset = start + end + 1
        elif len(raw) == SEGMENT_BYTES and (line_end := self._find_newline(start + SEGMENT_BYTES)) is not None:
            # Far too long to be an event: enough of it to see that, and on to the next line.
            lines = [raw[:MAX_LINE_BYTES]]
            self.offset = line_end + 1
        elif raw and self.is_abandoned(torn_after_s):
            lines = [raw[:MAX_LINE_BYTES]]
            self.offset = os.fstat(self.descriptor()).st_size
        else:
            self._stuck_at = start + len(raw)
            return None
        return Segment(self.file_id, self.path.name, start, self.offset, lines)

    def recheck_torn(self) -> None:
        """Have the next read look again whether the unfinished last line has been given up."""
        self._stuck_at = -1

    def read_again(self, start: int, end: int) -> Iterator[Segment]:
        """The lines of [start, end), which an earlier run has read; less when the file is shorter now."""
        assert self.file_id is not None
        self.offset = start
        while self.offset < end:
            before = self.offset
            segment = self.read(torn_after_s=0.0)
            if segment is None:
                return
            if segment.end > end:
                raw = b"\n".join(segment.lines)[: end - before - 1]
                self.offset = end
                segment = Segment(segment.file_id, segment.name, before, end, raw.split(b"\n"))
            yield segment

    def _find_newline(self, offset: int) -> int | None:
        while raw := os.pread(self.descriptor(), SEGMENT_BYTES, offset):
            found = raw.find(b"\n")
            if found >= 0:
                return offset + found
            offset += len(raw)
        return None

    def is_abandoned(self, torn_after_s: float) -> bool:
        """Whether no living writer holds it, and nothing has been written to it for `torn_after_s`."""
        descriptor = self.descriptor()
        if time.time_ns() - os.fstat(descriptor).st_mtime_ns < torn_after_s * 1e9:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return True


class Tail:
    """The event files of one directory.

    Args:
        directory: where the files are; it may not exist yet.
        offsets: shipped bytes by file id, from the checkpoint.
        torn_after_s: see LogFile.read.
    """

    def __init__(self, directory: Path, offsets: Mapping[str, int], torn_after_s: float = 5.0) -> None:
        self._directory = directory
        self._torn_after_s = torn_after_s
        self._shipped = dict(offsets)
        self._files: dict[tuple[int, int], LogFile] = {}
        self._next_recheck = 0.0

    @property
    def shipped(self) -> Mapping[str, int]:
        """Shipped bytes by file id."""
        return self._shipped

    @property
    def files(self) -> list[LogFile]:
        """The files whose identity is known."""
        return [file for file in self._files.values() if file.file_id is not None]

    @property
    def backlog_bytes(self) -> int:
        """Bytes that can be read now."""
        return sum(file.unread for file in self._files.values())

    @property
    def unshipped_bytes(self) -> int:
        """Bytes not shipped, unfinished lines included."""
        return sum(file.size - self._shipped.get(file.file_id, 0) for file in self.files if file.file_id is not None)

    def find(self, file_id: str) -> LogFile | None:
        """The file with this id."""
        return next((file for file in self._files.values() if file.file_id == file_id), None)

    def has_torn_ends(self) -> bool:
        """Whether a file ends in an unfinished line that will be given up soon."""
        return any(file.has_torn_end for file in self._files.values())

    def set_position(self, file_id: str, timestamp_ns: int) -> None:
        """Record the time of the last event read from a file."""
        file = self.find(file_id)
        if file is not None:
            file.position_ns = timestamp_ns

    def mark_shipped(self, file_id: str, offset: int) -> None:
        """Record that a file is shipped up to here."""
        self._shipped[file_id] = max(offset, self._shipped.get(file_id, 0))

    def scan(self, *, keep_deleted: bool = True) -> None:
        """Bring the list of files up to date.

        Args:
            keep_deleted: go on reading a deleted file to its end. False while Loki does not take anything: holding it
                would keep the disk full that deleting it was to free.
        """
        seen = self._list()
        for key, file in list(self._files.items()):
            if key not in seen:
                file.is_deleted = True
                if file.is_open:
                    file.size = os.fstat(file.descriptor()).st_size
                if not (keep_deleted and file.is_open and file.unread):
                    self._forget(key)
        for key, (path, status) in seen.items():
            file = self._files.setdefault(key, LogFile(path, key))
            file.path, file.is_deleted = path, False
            if (file.size, file.modified_ns) != (status.st_size, status.st_mtime_ns):
                self._refresh(file, status)
            elif file.is_open and file.is_resting:
                file.close()
        now = time.monotonic()
        if now >= self._next_recheck:
            self._next_recheck = now + max(self._torn_after_s, 0.2)
            for file in self._files.values():
                file.recheck_torn()
                if file.file_id is None and file.size:
                    self._identify(file, is_whole=False)

    def next_segment(self) -> Segment | None:
        """The next lines of the file whose events are oldest, so that no stream runs ahead of its own past."""
        while waiting := [file for file in self._files.values() if file.unread]:
            file = min(waiting, key=lambda file: (file.position_ns, file.path.name))
            try:
                segment = file.read(self._torn_after_s)
            except FileNotFoundError:
                self._forget(file.key)
                continue
            if segment is not None:
                return segment
        return None

    def oldest_unshipped_ns(self) -> int | None:
        """Time of the oldest event not shipped yet, ns; None when everything is shipped."""
        times = []
        for file in self.files:
            shipped = self._shipped.get(file.file_id or "", 0)
            if file.size > shipped:
                try:
                    line = os.pread(file.descriptor(), MAX_LINE_BYTES, shipped).partition(b"\n")[0]
                except FileNotFoundError:
                    continue
                times.append(_identity(line, file.key)[1] or file.position_ns)
        return min(times, default=None)

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()

    def _list(self) -> dict[tuple[int, int], tuple[Path, os.stat_result]]:
        seen = {}
        try:
            entries = sorted(self._directory.iterdir())
        except FileNotFoundError:
            return {}
        for path in entries:
            if path.suffix != LOG_FILE_SUFFIX or path.name.startswith("."):
                continue
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # renamed or deleted since the listing; the next scan sees it
            if stat.S_ISREG(status.st_mode):
                seen[status.st_dev, status.st_ino] = (path, status)
        return seen

    def _refresh(self, file: LogFile, status: os.stat_result) -> None:
        # An inode may be another file by now: only its first line tells, unless we have held it open all the time.
        if not file.is_open or status.st_size < file.offset:
            file.close()
            file.file_id = None
        file.size, file.modified_ns = status.st_size, status.st_mtime_ns
        if file.file_id is None and file.size:
            self._identify(file, is_whole=True)

    def _identify(self, file: LogFile, *, is_whole: bool) -> None:
        """Read the first line. `is_whole`: wait for its newline, unless the file has been given up by its writer."""
        try:
            raw = os.pread(file.descriptor(), SEGMENT_BYTES, 0)
        except FileNotFoundError:
            return
        first, newline, _ = raw.partition(b"\n")
        if not newline and len(raw) < SEGMENT_BYTES and (is_whole or not file.is_abandoned(self._torn_after_s)):
            return
        file_id, position_ns = _identity(first, file.key)
        other = self.find(file_id)
        if other is not None and other is not file:
            file.is_copy = not other.is_deleted
            if file.is_copy:
                return  # the file it was copied from is being shipped
            self._forget(other.key)
        file.file_id, file.position_ns, file.is_copy = file_id, position_ns, False
        # Longer than the file: it was cut short after shipping. What is written from here on is new.
        file.offset = min(self._shipped.get(file_id, 0), file.size)
        self._shipped.setdefault(file_id, 0)
        if file.is_resting or len(self._files) > _MAX_OPEN:
            file.close()

    def _forget(self, key: tuple[int, int]) -> None:
        self._files.pop(key).close()
        present = {file.file_id for file in self._files.values()}
        missing = [file_id for file_id in self._shipped if file_id not in present]
        for file_id in missing[: max(0, len(missing) - _KEEP_MISSING)]:
            del self._shipped[file_id]


def _identity(first_line: bytes, key: tuple[int, int]) -> tuple[str, int]:
    """The id of a file and the time of its first event, ns; 0 when that cannot be read."""
    try:
        data = orjson.loads(first_line)
        event_id = data["event_id"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        event_id = None
    if not isinstance(event_id, str) or not event_id:
        # Not a line of ours: many files may begin so, and only the inode tells them apart.
        return f"sha256:{hashlib.sha256(first_line).hexdigest()[:32]}:{key[0]}:{key[1]}", 0
    try:
        return event_id, parse_timestamp(data["timestamp"])
    except (KeyError, TypeError, ValueError):
        return event_id, 0
