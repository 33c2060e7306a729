"""Where lines go: one file per process with rotation and a bounded directory, or stdout.

In: whole lines. Out: one write per line. Never: a line torn by another process, a directory over its limit.
"""

from __future__ import annotations

import fcntl
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from logging_pkg.conf import Settings
from logging_pkg.schemas.conventions import LOG_FILE_SUFFIX, MAX_LINE_BYTES, MAX_STDOUT_LINE_BYTES
from logging_pkg.writer.disk_limit import enforce


class Sink(ABC):
    """Something that takes lines. Called under the writer's lock."""

    max_line_bytes = MAX_LINE_BYTES
    #: Fields of the `logging.file_deleted` events that are due; the writer takes them out.
    deleted: Sequence[dict[str, Any]] = ()

    def start(self, service_name: str, instance_id: str) -> None:  # noqa: B027  (most sinks need no name)
        """Learn who writes: at the start of a process and again after a fork."""

    @abstractmethod
    def write(self, line: bytes) -> None:
        """Write one line, newline included.

        Raises:
            OSError: it could not be written whole. The next line starts on a line of its own.
        """

    def forget(self) -> None:  # noqa: B027  (most sinks hold nothing)
        """Drop what was inherited over a fork without disturbing the parent."""

    def close(self) -> None:  # noqa: B027  (most sinks hold nothing)
        """Release what is held. A later write takes it again."""


class NullSink(Sink):
    """Takes lines and keeps none: validation without output."""

    def write(self, line: bytes) -> None:
        """Do nothing."""


class StdoutSink(Sink):
    """Standard output, lines short enough that writes of several processes to one pipe stay whole (PIPE_BUF)."""

    max_line_bytes = MAX_STDOUT_LINE_BYTES

    def __init__(self) -> None:
        self._torn = False

    def __str__(self) -> str:
        return "stdout"

    def write(self, line: bytes) -> None:
        """Write to file descriptor 1, past Python's buffering."""
        if self._torn:
            line = b"\n" + line
        written = os.write(1, line)
        if written == len(line):
            self._torn = False
        else:
            self._torn = _is_torn(line, written, torn_before=self._torn)
            raise OSError(0, f"only {written} of {len(line)} bytes written")


def _is_torn(line: bytes, written: int, *, torn_before: bool) -> bool:
    """Whether what is in the file after a short write ends within a line."""
    return line[written - 1] != ord("\n") if written else torn_before


_clock = time.monotonic
#: Seconds between two looks whether the file is still there and still ours.
_CHECK_INTERVAL_S = 1.0


class FileSink(Sink):
    """`<directory>/<service_name>-<instance_id>.ndjson`, rotated by rename to `….<n>.ndjson`.

    The file stays locked (flock) while this process writes it, so that a cleaner knows it is alive.

    Args:
        directory: made when missing.
        file_max_bytes: a file is rotated before a line would take it past this.
        directory_max_bytes: all files together.
    """

    def __init__(self, directory: Path, file_max_bytes: int, directory_max_bytes: int) -> None:
        self._directory = directory.absolute()
        self._file_max_bytes = file_max_bytes
        self._directory_max_bytes = directory_max_bytes
        self._descriptor: int | None = None
        self._identity: tuple[int, int] | None = None
        self._next_check = 0.0
        #: Bytes until the file is full; below nothing where there is no file.
        self._room = -1
        self._rotations = 0
        self._torn = False
        self.deleted: list[dict[str, Any]] = []
        self._stem = ""

    def __str__(self) -> str:
        return str(self.path)

    @property
    def path(self) -> Path:
        """The file being written."""
        return self._directory / f"{self._stem}{LOG_FILE_SUFFIX}"

    def start(self, service_name: str, instance_id: str) -> None:
        """Name the file after the instance."""
        self._stem = f"{service_name}-{instance_id}"
        self._rotations = 0

    def write(self, line: bytes) -> None:
        """Append one line, rotating first where it would pass the limit."""
        size = len(line)
        # One test for all that is rare: no file yet, one that is full, half a line in it, a second since the last look.
        if size > self._room or self._torn or _clock() > self._next_check:
            self._prepare(size)
            if self._torn:
                line = b"\n" + line
                size += 1
        assert self._descriptor is not None
        try:
            written = os.write(self._descriptor, line)
        except OSError:
            # Full now, or closed behind our back: the next write starts with a fresh descriptor.
            self.close()
            raise
        self._room -= written
        if written != size:
            self._torn = _is_torn(line, written, torn_before=self._torn)
            raise OSError(0, f"only {written} of {size} bytes written")
        self._torn = False

    def _prepare(self, size: int) -> None:
        """Have a file with room for so many bytes more; an empty one has room for a line of any length."""
        if self._descriptor is not None and _clock() > self._next_check:
            self._leave_lost_file()
        if self._descriptor is None:
            self._open()
        elif size > self._room and self._room < self._file_max_bytes:
            self._rotate()

    def _open(self) -> None:
        self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o640)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        status = os.fstat(self._descriptor)
        self._identity = status.st_dev, status.st_ino
        self._room = self._file_max_bytes - status.st_size
        self._torn = self._torn and status.st_size > 0
        self._next_check = _clock() + _CHECK_INTERVAL_S

    def _leave_lost_file(self) -> None:
        """Let go of a file that was deleted, and of a descriptor that was closed and by now is somebody else's."""
        assert self._descriptor is not None
        self._next_check = _clock() + _CHECK_INTERVAL_S
        try:
            status = os.fstat(self._descriptor)
        except OSError:
            self._descriptor, self._room = None, -1
            return
        if (status.st_dev, status.st_ino) != self._identity:
            self._descriptor, self._room = None, -1
        elif not status.st_nlink:
            self.close()

    def _rotate(self) -> None:
        rotated = self._directory / f"{self._stem}.{self._rotations + 1}{LOG_FILE_SUFFIX}"
        try:
            os.rename(self.path, rotated)
        except FileNotFoundError:
            self.close()  # deleted: there is nothing to rotate
        except OSError:
            return  # a file past its limit loses nothing; the next line tries again
        else:
            self._rotations += 1
            self.close()
            self._torn = False
        self._open()
        try:
            self.deleted += enforce(self._directory, self._directory_max_bytes)
        except OSError:
            return  # another user's file, a vanished directory: the next rotation tries again

    def forget(self) -> None:
        """Close the inherited descriptor; the parent's lock is its own open file's and stays."""
        self.close()
        self._torn = False
        self.deleted = []

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor, self._room = self._descriptor, None, -1
        if descriptor is not None:
            try:
                os.close(descriptor)
            except OSError:
                return  # somebody closed it before us; there is nothing left to release


def make_sink(settings: Settings) -> Sink:
    """The sink the settings ask for."""
    if settings.sink == "file":
        return FileSink(settings.directory, settings.file_max_bytes, settings.directory_max_bytes)
    if settings.sink == "stdout":
        return StdoutSink()
    return NullSink()
