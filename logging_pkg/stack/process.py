"""One child process with a log file.

In: a command line. Out: a process that is told from any other by its identity, and that ends with this one. Never: a
signal to a process that this package did not start.

On Linux a child is killed by the kernel when the *thread* that started it ends, kill -9 of this process included; so
children are started from the main thread only. On other systems a killed runner leaves its children to `logpipe stack
down`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from logging_pkg.exceptions import StackError
from logging_pkg.stack import launch

_POLL_S = 0.02


def spawn(
    command: Sequence[str],
    *,
    output: IO[bytes] | int,
    errors: IO[bytes] | int = subprocess.STDOUT,
    directory: Path | None = None,
    environ: Mapping[str, str] | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start a command in its own session (Ctrl-C goes to the runner only), bound to the life of this process.

    Raises:
        RuntimeError: called from a thread other than the main one: the child would end with that thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            f"start {command[0]} from the main thread: on Linux a child ends with the thread that started it"
        )
    return subprocess.Popen(
        [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(int(death_signal)), *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        cwd=directory,
        env=None if environ is None else dict(environ),
        start_new_session=True,
    )


def identity(pid: int) -> str | None:
    """A text that no other process with the same pid has (its start time); None when it is gone or a zombie."""
    if sys.platform == "linux":
        try:
            # The command in parentheses may hold anything; the fields follow the last parenthesis. See proc(5): state
            # is field 3, starttime field 22.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"
    found = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = found.stdout.strip().partition(" ")
    return started.strip() if state and not state.startswith("Z") else None


def is_running(pid: int, expected_identity: str) -> bool:
    """Whether the process that had this pid and identity is still there."""
    return identity(pid) == expected_identity


def end_process(pid: int, expected_identity: str, *, deadline_s: float = 15.0) -> bool:
    """SIGTERM, then SIGKILL after the deadline, to exactly this process. Returns whether it was running."""
    if not is_running(pid, expected_identity):
        return False
    for signal_number, wait_s in ((signal.SIGTERM, deadline_s), (signal.SIGKILL, 10.0)):
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            return True
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            if not is_running(pid, expected_identity):
                return True
            time.sleep(_POLL_S)
    raise StackError(f"process {pid} does not end, not even on SIGKILL; it is probably stuck in the kernel (disk?)")


class Child:
    """A server process; its output is appended to `log`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        directory: Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.command, self.log = name, list(command), log
        self._directory, self._environ = directory, environ
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The process id while it runs, else None."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """The exit code of the last run; negative when a signal ended it; None while it runs or before."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it. Call only from the main thread."""
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._process = spawn(self.command, output=output, directory=self._directory, environ=self._environ)

    def stop(self, *, deadline_s: float = 15.0) -> None:
        """SIGTERM and wait; SIGKILL after the deadline. Nothing happens when it is not running."""
        self._end(signal.SIGTERM, deadline_s)

    def kill(self) -> None:
        """SIGKILL and wait."""
        self._end(signal.SIGKILL, 10.0)

    def last_line(self, text: str) -> str | None:
        """The last line of this run that contains the text; None when there is none."""
        with self.log.open("rb") as stream:
            stream.seek(self._log_start)
            found = [line for line in stream if text.encode() in line]
        return found[-1].decode(errors="replace").strip() if found else None

    def tail(self, lines: int = 3) -> str:
        """The last lines that this run wrote, in one line."""
        try:
            with self.log.open("rb") as stream:
                stream.seek(self._log_start)
                last = deque(stream, maxlen=lines)
        except OSError:
            return ""
        return " | ".join(line.decode(errors="replace").strip()[:300] for line in last)

    def _end(self, signal_number: signal.Signals, wait_s: float) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal_number)
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10.0)
