"""A build's progress for people.

In: BuildProgress values. Out: on a terminal, one line that changes; elsewhere (a CI log) a line per phase and every
half minute. Never: control characters in a file.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from logging_pkg.stack.gobuild import BuildProgress
from logging_pkg.stack.tools import TOOLS

_PLAIN_INTERVAL_S = 30.0
_WORDS = {
    "waiting": "waiting for another build to end",
    "downloading": "downloading Go modules",
    "compiling": "building from source, packages compiled",
}


class BuildDisplay:
    """Called with each BuildProgress; a context manager, so that the terminal is put right again."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._last = ("", "", 0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress.live.is_started:
            self._progress.stop()

    def __call__(self, progress: BuildProgress) -> None:
        """Show where the build is."""
        if progress.phase == "done":
            self._finish(progress)
        elif self._console.is_terminal:
            self._draw(progress)
        else:
            self._print(progress)

    def _draw(self, progress: BuildProgress) -> None:
        if not self._tasks:
            self._progress.start()
        name = f"{progress.tool} {TOOLS[progress.tool].pinned_version}"
        if progress.tool not in self._tasks:
            self._tasks[progress.tool] = self._progress.add_task(name, count="")
        self._progress.update(
            self._tasks[progress.tool],
            description=f"{name}  {_WORDS[progress.phase]}",
            # No total while modules are downloaded: the bar then moves without a measure.
            total=progress.total or None,
            completed=progress.done,
            count=f"{progress.done:,}" + (f" / {progress.total:,}" if progress.total else ""),
        )

    def _print(self, progress: BuildProgress) -> None:
        tool, phase, at = self._last
        now = time.monotonic()
        if (tool, phase) == (progress.tool, progress.phase) and now - at < _PLAIN_INTERVAL_S:
            return
        self._last = (progress.tool, progress.phase, now)
        total = f" of at most {progress.total:,}" if progress.total else ""
        count = f" {progress.done:,}{total}" if progress.done or total else ""
        self._console.print(
            f"{progress.tool}: {_WORDS[progress.phase]}{count} ({progress.elapsed_s:.0f} s)", highlight=False
        )

    def _finish(self, progress: BuildProgress) -> None:
        if (task := self._tasks.pop(progress.tool, None)) is not None:
            self._progress.remove_task(task)
        minutes, seconds = divmod(round(progress.elapsed_s), 60)
        version = TOOLS[progress.tool].pinned_version
        self._console.print(
            f" ✓ {progress.tool} {version}  built from source  {minutes}:{seconds:02d}  (cached for next time)",
            highlight=False,
        )
