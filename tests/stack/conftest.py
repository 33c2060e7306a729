"""What the stack's tests share: programs that stand on PATH, and processes found by what they were started with."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from logging_pkg.stack.process import identity


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes an executable shell script into a directory of its own."""

    def write(name: str, body: str) -> Path:
        path = tmp_path / "programs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def bare_environ(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty cache and nothing but this Python on PATH."""
    empty = tmp_path / "empty"
    empty.mkdir()
    return {"PATH": str(empty), "LOGPIPE_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path)}


@pytest.fixture
def server_environ(stack_binaries: Mapping) -> dict[str, str]:
    """The environment with the session's binaries named, for processes that find them by themselves."""
    found = {f"LOGPIPE_{name.upper()}_BIN": str(binary.path) for name, binary in stack_binaries.items()}
    return {**os.environ, **found, "PYTHONUNBUFFERED": "1"}


def processes_of(directory: Path) -> list[int]:
    """The processes that have a directory in their command line. Reads /proc, so only on Linux; elsewhere it asks ps."""
    if sys.platform != "linux":
        listing = os.popen("ps -axo pid=,command=").read().splitlines()
        return [int(line.split()[0]) for line in listing if str(directory) in line]
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace") if entry.name.isdecimal() else ""
        except OSError:
            continue
        if str(directory) in command and identity(int(entry.name)) is not None:
            found.append(int(entry.name))
    return found


def eventually(condition: Callable[[], object], deadline_s: float = 20.0) -> object:
    """The first true value of the condition; fails when it stays false until the deadline."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    pytest.fail(f"still {condition()!r} after {deadline_s:g} s")
