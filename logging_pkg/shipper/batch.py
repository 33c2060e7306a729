"""Turn segments of files into one push.

In: segments from the tail. Out: what to send, what to dead-letter, and the bounds both came from; the push body.
Never: I/O.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from logging_pkg.schemas.conventions import STREAM_LABELS
from logging_pkg.shipper.checks import LineChecker, Shippable, StreamKey
from logging_pkg.shipper.dead_letter import DeadLetter
from logging_pkg.shipper.state import Bounds
from logging_pkg.shipper.tail import Segment

REFUSED_BY_LOKI = "refused_by_loki"
#: Level 1: level 6 makes the body a quarter smaller for three times the CPU.
_GZIP_LEVEL = 1


@dataclass(slots=True)
class Batch:
    """Lines that are journalled, sent and checkpointed together; `last_seqs` is the last seq per instance."""

    items: list[Shippable] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    last_seqs: dict[str, int] = field(default_factory=dict)
    line_count: int = 0
    line_bytes: int = 0

    def add(self, segment: Segment, checker: LineChecker) -> int:
        """Check the lines of a segment; return the time of its last good event in ns, 0 when it has none."""
        check, keep = checker.check, self.items.append
        before = len(self.items)
        offset = segment.start
        for line in segment.lines:
            found = check(line)
            if found.__class__ is str:
                # A line that is far too long is the only one of its segment, and cut.
                length = len(line) if len(segment.lines) > 1 else max(len(line), segment.end - segment.start - 1)
                self.letters.append(DeadLetter(found, segment.file_id, segment.name, offset, line, length))
            else:
                keep(found)  # type: ignore[arg-type]  # a str is excluded one line above
            offset += len(line) + 1
        self.segments.append(segment)
        self.line_count += len(segment.lines)
        self.line_bytes += segment.end - segment.start
        if len(self.items) == before:
            return 0
        last = self.items[-1]
        # A file is written by one instance, in the order of seq.
        instance_id, _, seq = last.event_id.partition("-")
        self.last_seqs[instance_id] = int(seq)
        return int(last.timestamp_ns)

    def leave_out(self, recorded: Collection[tuple[str, int]]) -> None:
        """Drop the lines, by file_id and offset, that an earlier run has dead-lettered already."""
        if not recorded:
            return
        self.letters = [letter for letter in self.letters if (letter.file_id, letter.offset) not in recorded]
        dropped = set()
        for segment in self.segments:
            offset = segment.start
            for line in segment.lines:
                if (segment.file_id, offset) in recorded:
                    dropped.add(line)
                offset += len(line) + 1
        self.items = [item for item in self.items if item.line.encode() not in dropped]

    @property
    def bounds(self) -> list[Bounds]:
        """One [start, end) per file; the segments of a file lie end to end."""
        merged: dict[str, tuple[int, int]] = {}
        for segment in self.segments:
            start, _ = merged.get(segment.file_id, (segment.start, 0))
            merged[segment.file_id] = (start, segment.end)
        return [Bounds(file_id, start, end) for file_id, (start, end) in merged.items()]

    def refuse(self, refused: Mapping[str, str]) -> list[DeadLetter]:
        """Letters for the events (by event_id) that Loki refused, with its own words."""
        by_line = {item.line.encode(): refused[item.event_id] for item in self.items if item.event_id in refused}
        letters = []
        for segment in self.segments:
            offset = segment.start
            for line in segment.lines:
                detail = by_line.get(line)
                if detail is not None:
                    letters.append(
                        DeadLetter(REFUSED_BY_LOKI, segment.file_id, segment.name, offset, line, len(line), detail)
                    )
                offset += len(line) + 1
        return letters


def group_by_stream(items: Iterable[Shippable]) -> dict[StreamKey, list[Shippable]]:
    """Items by the stream they belong to, in order."""
    streams: dict[StreamKey, list[Shippable]] = {}
    for item in items:
        found = streams.get(item[0])
        if found is None:
            streams[item[0]] = [item]
        else:
            found.append(item)
    return streams


def encode(items: Sequence[Shippable]) -> bytes:
    """The body of a push as JSON: {"streams": [{"stream": labels, "values": [[time, line, metadata], …]}, …]}."""
    return orjson.dumps(
        {
            "streams": [
                {
                    "stream": dict(zip(STREAM_LABELS, key, strict=True)),
                    "values": [(timestamp_ns, line, metadata) for _, timestamp_ns, line, metadata in entries],
                }
                for key, entries in group_by_stream(items).items()
            ]
        }
    )


def compress(body: bytes) -> bytes:
    """The body as gzip."""
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return compressor.compress(body) + compressor.flush()
