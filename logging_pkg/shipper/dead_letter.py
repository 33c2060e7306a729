"""Keep what cannot be shipped, with the reason, where a person can look at it.

In: lines and reasons. Out: one JSON line each in dead-letter.ndjson, bounded by size. Never: returns before they are on
disk; ships them.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from logging_pkg.shipper.errors import StateError

DEAD_LETTER_NAME = "dead-letter.ndjson"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A line that could not be shipped.

    Attributes:
        reason: a word of `checks`, or `refused_by_loki`.
        file_id, file, offset: where the line begins.
        line: its bytes, or the beginning of a line that is far too long.
        length: its real length, bytes.
        detail: Loki's own words.
    """

    reason: str
    file_id: str
    file: str
    offset: int
    line: bytes
    length: int
    detail: str = ""


class DeadLetterFile:
    """dead-letter.ndjson and its rotated forms dead-letter.1.ndjson (newest) to dead-letter.<keep>.ndjson.

    Args:
        directory: where they are.
        max_bytes: a file is rotated before it grows past this.
        keep: rotated files kept; the oldest is deleted.
    """

    def __init__(self, directory: Path, max_bytes: int = 16 * 1024 * 1024, keep: int = 4) -> None:
        self.path = directory / DEAD_LETTER_NAME
        self._max_bytes = max_bytes
        self._keep = keep

    def append(self, letters: Sequence[DeadLetter]) -> None:
        """Write letters; they are on disk when this returns.

        Raises:
            StateError: they may not be on disk; append them again.
        """
        if not letters:
            return
        data = b"".join(_encode(letter) for letter in letters)
        try:
            descriptor = self._open(len(data))
            try:
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    data = b"\n" + data
                written = os.write(descriptor, data)
                if written != len(data):
                    os.ftruncate(descriptor, size)
                    raise OSError(28, "No space left on device")
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StateError("dead letter", self.path, error) from error

    def recorded(self, file_ids: Iterable[str]) -> set[tuple[str, int]]:
        """(file_id, offset) of the letters there are for these files: after a crash they are not written twice."""
        wanted = set(file_ids)
        found = set()
        for path in [self.path, *(self._rotated(number) for number in range(1, self._keep + 1))]:
            try:
                lines = path.open("rb")
            except FileNotFoundError:
                continue
            with lines:
                for line in lines:
                    try:
                        letter = orjson.loads(line)
                        if letter["file_id"] in wanted:
                            found.add((letter["file_id"], letter["offset"]))
                    except (orjson.JSONDecodeError, KeyError, TypeError):
                        continue
        return found

    def _open(self, room: int) -> int:
        self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o640)
        size = os.fstat(descriptor).st_size
        if not size or size + room <= self._max_bytes:
            return descriptor
        os.close(descriptor)
        for number in range(self._keep - 1, 0, -1):
            if self._rotated(number).exists():
                os.replace(self._rotated(number), self._rotated(number + 1))
        os.replace(self.path, self._rotated(1))
        return os.open(self.path, flags, 0o640)

    def _rotated(self, number: int) -> Path:
        return self.path.with_name(f"dead-letter.{number}.ndjson")


def _encode(letter: DeadLetter) -> bytes:
    document: dict[str, object] = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "reason": letter.reason,
        "file": letter.file,
        "file_id": letter.file_id,
        "offset": letter.offset,
        "length": letter.length,
    }
    if letter.detail:
        document["detail"] = letter.detail
    try:
        document["line"] = letter.line.decode()
    except UnicodeDecodeError:
        document["line_base64"] = base64.b64encode(letter.line).decode()
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
