"""Read files in an application's process without its seeing it.

In: a path. Out: bytes, or a file open for reading. Never: calls `open` or a method of `Path`. The tests of an
application put mocks there: a thread of ours must not be among the calls they count, nor be handed what they hand out.
"""

from __future__ import annotations

from io import BufferedReader, FileIO
from pathlib import Path


def content_of(path: str | Path, limit: int = -1) -> bytes:
    """The content of a file; empty where it cannot be read.

    Args:
        path: of the file; of /proc, where a size is not known before, too.
        limit: bytes at most; all when -1.
    """
    try:
        with open_to_read(path) as file:
            return file.read(limit)
    except OSError:
        return b""


def open_to_read(path: str | Path) -> BufferedReader:
    """A file open for reading bytes; who opens it closes it.

    Raises:
        OSError: it cannot be opened.
    """
    return BufferedReader(FileIO(path))
