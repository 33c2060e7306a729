"""What the shipper has to remember across a crash, and the lock that keeps it alone.

In: offsets by file id, batch bounds. Out: the same, after any crash. Never: a half-written checkpoint.

Order of writing, per batch: journal (fsync) → dead letter (fsync) → push → checkpoint (fsync, rename). So whatever is
in the journal and not in the checkpoint may or may not be in Loki, and nothing else is in doubt.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson

from logging_pkg.schemas.conventions import SHIPPED_FILE_NAME
from logging_pkg.shipper.errors import AlreadyRunningError, ShipperError, StateError

LOCK_NAME = ".shipper.lock"
JOURNAL_NAME = ".shipper.journal"
#: The journal is started afresh at this size; only its last record matters.
_JOURNAL_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes [start, end) of one file."""

    file_id: str
    start: int
    end: int


class DirectoryLock:
    """Held while one shipper works on a directory; the kernel releases it when the process dies."""

    def __init__(self, directory: Path) -> None:
        path = directory / LOCK_NAME
        try:
            directory.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise StateError("lock", path, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise AlreadyRunningError(
                f"{path}: another shipper (process {owner}) has {directory}; two would store every event twice. "
                "Stop that one, or give this one another --directory and --state-directory"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let another shipper have the directory."""
        os.close(self._descriptor)


class Checkpoint:
    """`.shipped.json`: shipped bytes by file id. The file sink reads it too, to know what may be deleted first."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / SHIPPED_FILE_NAME

    def load(self) -> dict[str, int]:
        """The offsets of the last checkpoint; empty when there is none.

        Raises:
            ShipperError: the file is there and cannot be read as a checkpoint. Starting from nothing would store every
                event again.
        """
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StateError("checkpoint", self._path, error) from error
        try:
            document = orjson.loads(raw)
            files = document["files"]
            if document["version"] != 1 or not all(type(offset) is int for offset in files.values()):
                raise ValueError
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
            raise ShipperError(
                f'{self._path}: expected {{"version": 1, "files": {{<event_id>: <bytes>}}}}, found '
                f"{raw[:60].decode(errors='replace')!r}. Repair it, or delete it to ship every file from its beginning "
                "(what is stored already will be counted twice)"
            ) from None
        return dict(files)

    def save(self, offsets: Mapping[str, int]) -> None:
        """Replace the checkpoint, atomically and durably."""
        write_atomically(self._path, orjson.dumps({"version": 1, "files": dict(offsets)}), "checkpoint")


class Journal:
    """Bounds of the batch that is being shipped, on disk before its first byte is sent."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / JOURNAL_NAME
        self._descriptor: int | None = None
        self._size = 0

    def last(self) -> list[Bounds]:
        """The bounds recorded last; empty when there are none. A torn record was never acted upon and is skipped."""
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StateError("journal", self._path, error) from error
        for line in reversed(lines):
            try:
                return [Bounds(*item) for item in orjson.loads(line)["batch"]]
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue
        return []

    def record(self, batch: Sequence[Bounds]) -> None:
        """Record a batch; it is on disk when this returns.

        Raises:
            StateError: it is not on disk, so the batch must not be sent.
        """
        line = orjson.dumps({"batch": [(item.file_id, item.start, item.end) for item in batch]}) + b"\n"
        try:
            if self._descriptor is None or self._size + len(line) > _JOURNAL_MAX_BYTES:
                self._restart(line)
                return
            # A leading newline, so that a record torn by a full disk cannot spoil this one.
            written = os.write(self._descriptor, b"\n" + line)
            self._size += written
            if written != len(line) + 1:
                raise OSError(28, "No space left on device")
            os.fdatasync(self._descriptor)
        except OSError as error:
            self.close()
            raise StateError("journal", self._path, error) from error

    def _restart(self, line: bytes) -> None:
        self.close()
        write_atomically(self._path, line, "journal")
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._size = len(line)

    def close(self) -> None:
        """Close the file; the next record starts it afresh."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_atomically(path: Path, data: bytes, what: str) -> None:
    """Replace a file's content so that a crash at any moment leaves the old or the new one.

    Raises:
        StateError: the old content is still there.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        # Half of it may lie there and fill the disk further.
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StateError(what, path, error) from error
