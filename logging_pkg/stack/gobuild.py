"""Builds a server from its pinned Go module.

In: toolchain/<module>/go.mod and go.sum. Out: the program in the user's cache, under a name made from those two files.
Never: a half-made program in the cache (it is built aside and renamed), two builds at a time (they would share the
machine and the module cache), or a Go toolchain downloaded on the side.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from logging_pkg.exceptions import StackError
from logging_pkg.stack.process import spawn
from logging_pkg.stack.tools import Module, Tool, parse_version, version_text

_LOCK_POLL_S = 0.5


@dataclass(frozen=True)
class BuildProgress:
    """Where a build is.

    `phase` is "waiting" (for another build), "downloading" (modules), "compiling" or "done"; `done` counts modules or
    packages; `total` is the number of packages in the program, an upper limit because cached ones are not compiled
    again.
    """

    tool: str
    phase: str
    done: int
    total: int
    elapsed_s: float


OnProgress = Callable[[BuildProgress], None]


def built_path(tool: Tool, module: Module, cache: Path) -> Path:
    """Where the built program is kept."""
    return cache / "bin" / module.key / tool.name


def build(
    tool: Tool, module: Module, cache: Path, environ: Mapping[str, str], on_progress: OnProgress | None = None
) -> Path:
    """Build a program, or return it when it is in the cache.

    Raises:
        StackError: Go is missing or too old, or the build failed; the message names the log file.
    """
    target = built_path(tool, module, cache)
    if target.exists():
        return target
    go = _go(tool, module, environ)
    started = time.monotonic()

    def report(phase: str, done: int = 0, total: int = 0) -> None:
        if on_progress is not None:
            on_progress(BuildProgress(tool.name, phase, done, total, time.monotonic() - started))

    with _lock(cache, lambda: report("waiting")):
        if target.exists():
            return target
        # Nobody else builds now, so whatever lies here was left by a build that was killed.
        workshop = cache / "build"
        shutil.rmtree(workshop, ignore_errors=True)
        workshop.mkdir(parents=True)
        try:
            for file in ("go.mod", "go.sum"):
                shutil.copyfile(module.directory / file, workshop / file)
            log = cache / "log" / f"build-{tool.name}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.unlink(missing_ok=True)
            run = _Run(tool, workshop, log, {**environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOWORK": "off"})
            # Listing loads every package, so this is where the modules are downloaded.
            modules = packages = 0
            with closing(run.lines([go, "list", "-deps", tool.package])) as lines:
                for line in lines:
                    modules, packages = (modules + 1, packages) if line.startswith("go: ") else (modules, packages + 1)
                    report("downloading", modules)
            output = workshop / tool.name
            compiled = 0
            report("compiling", 0, packages)
            flags = ["-v", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"]
            with closing(run.lines([go, "build", *flags, "-o", str(output), tool.package])) as lines:
                for line in lines:
                    compiled += not line.startswith("go: ")
                    report("compiling", compiled, packages)
            target.parent.mkdir(parents=True, exist_ok=True)
            output.replace(target)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
    report("done", compiled, packages)
    return target


def _go(tool: Tool, module: Module, environ: Mapping[str, str]) -> str:
    needed = f"Go {version_text(module.go_version)} or newer builds it"
    go = shutil.which("go", path=environ.get("PATH", ""))
    if go is None:
        raise StackError(
            f"{tool.name}: not found, and no `go` on PATH to build it ({needed}); install Go, put {tool.name} on PATH, "
            f"or set {tool.variable}"
        )
    # GOTOOLCHAIN=local: without it an old Go downloads a newer one by itself, silently.
    answer = subprocess.run(
        [go, "env", "GOVERSION"],
        env={**environ, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    found = parse_version(answer.stdout)
    if found < module.go_version:
        raise StackError(f"{tool.name}: not found, and {go} is {answer.stdout.strip() or 'not a working Go'}; {needed}")
    return go


@contextmanager
def _lock(cache: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "build.lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                time.sleep(_LOCK_POLL_S)
            else:
                break
        # The lock ends with the file's closing, so also with the process, however it ends.
        yield


class _Run:
    """Runs Go commands one after the other, with their output in one log."""

    def __init__(self, tool: Tool, directory: Path, log: Path, environ: Mapping[str, str]) -> None:
        self._tool, self._directory, self._log, self._environ = tool, directory, log, environ

    def lines(self, command: list[str]) -> Generator[str, None, None]:
        """Each line the command prints.

        Raises:
            StackError: it ended with an exit code other than 0.
        """
        process = spawn(
            command,
            output=subprocess.PIPE,
            directory=self._directory,
            environ=self._environ,
            # Not SIGKILL: go passes SIGTERM on to its compilers.
            death_signal=signal.SIGTERM,
        )
        last = ""
        with process, self._log.open("a", encoding="utf-8") as log:
            try:
                assert process.stdout is not None
                log.write(f"$ {' '.join(command)}\n")
                for raw in process.stdout:
                    line = raw.decode(errors="replace").rstrip()
                    log.write(line + "\n")
                    last = line.strip() or last
                    yield line
                code = process.wait()
            except BaseException:
                # The caller's too: an exception in its loop closes this generator, which raises GeneratorExit here.
                os.killpg(process.pid, signal.SIGTERM)
                raise
        if code != 0:
            raise StackError(
                f"{self._tool.name}: the build failed (`go {command[1]}` ended with {code}): {last[:300]}; "
                f"log: {self._log}"
            )
