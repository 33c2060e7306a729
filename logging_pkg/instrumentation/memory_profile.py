"""Profile a process's memory while it runs: which lines of code allocate what is not freed.

In: a request, as a small file beside the log files (`manage.py profile_memory`); tracemalloc.
Out: one `process.memory_profiled`.
Never: holds the process up for longer than a snapshot takes, traces for longer than asked, stops tracing that somebody
else has begun, tells a value.
"""

from __future__ import annotations

import os
import sysconfig
import threading
import time
import tracemalloc
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from logging_pkg import conf
from logging_pkg.instrumentation.guard import emit_safely, faults_kept_in
from logging_pkg.instrumentation.resources.system import resident_bytes
from logging_pkg.quiet_files import content_of

#: Name of the request, in the directory of the log files.
REQUEST_FILE = "memory-profile-request.json"
MAX_SECONDS = 600.0
MAX_TOP = 50
#: A request that nobody took within this is forgotten: a process started tomorrow must not begin to trace.
REQUEST_VALID_S = 120.0
#: The profile ends early when tracing itself needs more than this.
MAX_OVERHEAD_BYTES = 256 * 1024 * 1024
#: Share of the time before the first snapshot: what is allocated and freed all the time has filled up by then.
_WARM_UP = 0.1
_LOOK_EVERY_S = 0.5
_MAX_REQUEST_BYTES = 4096

_lock = threading.Lock()
_is_running = False
#: Whether tracing was begun here, and ends here.
_is_ours = False
_seen: str | None = None


def ask(directory: Path, *, seconds: float, top: int, pid: int | None = None) -> str:
    """Ask the processes that log into a directory for a profile; returns its name, the event's `profile`.

    Args:
        directory: of the log files.
        seconds: how long to trace, more than 0 and at most MAX_SECONDS.
        top: how many lines of code to tell of, at most MAX_TOP.
        pid: the one process to profile; all of them if None.

    Raises:
        OSError: the request could not be written.
    """
    profile = os.urandom(8).hex()
    request = {"profile": profile, "seconds": seconds, "top": top, "pid": pid, "expires": time.time() + REQUEST_VALID_S}
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / f".{REQUEST_FILE}.{profile}"
    draft.write_bytes(orjson.dumps(request))
    draft.replace(directory / REQUEST_FILE)
    return profile


def take_request() -> bool:
    """Begin the profile that was asked for, in a thread of its own, once; tells whether one was begun.

    Called with each heartbeat: without a request it is one failing `open`.
    """
    global _seen
    settings = conf.settings()
    if not settings.memory_profiles:
        return False
    try:
        request = orjson.loads(content_of(settings.directory / REQUEST_FILE, _MAX_REQUEST_BYTES))
        profile, seconds, top = str(request["profile"])[:64], float(request["seconds"]), int(request["top"])
        pid, expires = request["pid"], float(request["expires"])
    except (ValueError, KeyError, TypeError):
        return False
    is_for_us = pid is None or pid == os.getpid()
    if profile == _seen or not is_for_us or not time.time() <= expires <= time.time() + REQUEST_VALID_S:
        return False
    _seen = profile
    seconds, top = min(max(seconds, 0.1), MAX_SECONDS), min(max(top, 1), MAX_TOP)
    threading.Thread(
        target=_profile_quietly, args=(profile, seconds, top), name="logging_pkg memory profile", daemon=True
    ).start()
    return True


def profile_memory(seconds: float, *, top: int = 25, profile: str = "") -> bool:
    """Trace for so long, in this thread, and emit `process.memory_profiled`. False when a profile is under way already.

    Args:
        seconds: how long, s.
        top: lines of code to tell of.
        profile: name to find the event by.
    """
    global _is_running, _is_ours
    with _lock:
        if _is_running:
            return False
        _is_running = True
    _is_ours = not tracemalloc.is_tracing()
    fields: dict[str, Any] = {}
    try:
        fields = _trace(seconds, top)
    finally:
        if _is_ours:
            tracemalloc.stop()
        with _lock:
            _is_running = False
    emit_safely("process.memory_profiled", {"pid": os.getpid(), "profile": profile, **fields})
    return True


def _profile_quietly(profile: str, seconds: float, top: int) -> None:
    with faults_kept_in():
        profile_memory(seconds, top=top, profile=profile)


def _trace(seconds: float, top: int) -> dict[str, Any]:
    rss_before = resident_bytes() or 0
    if not tracemalloc.is_tracing():
        tracemalloc.start(1)  # one frame: the line that allocates; more cost several times as much
    _wait(seconds * _WARM_UP)
    first = _snapshot()
    began = time.monotonic()
    is_whole = _wait(seconds * (1 - _WARM_UP))
    lasted = time.monotonic() - began
    overhead = tracemalloc.get_tracemalloc_memory()
    traced, peak = tracemalloc.get_traced_memory()
    rss_after = resident_bytes() or 0
    try:
        differences = _snapshot().compare_to(first, "lineno")
    except RuntimeError:  # the application has stopped tracing, its own or ours
        differences = []
    differences.sort(key=lambda one: (-one.size_diff, -one.count_diff, str(one.traceback)))
    return {
        "outcome": "failed" if not tracemalloc.is_tracing() else "finished" if is_whole else "cut_short",
        "duration_s": round(lasted, 3),
        "size_diff_bytes": sum(one.size_diff for one in differences),
        "count_diff": sum(one.count_diff for one in differences),
        "traced_bytes": traced,
        "peak_bytes": peak,
        "overhead_bytes": overhead,
        "rss_before_bytes": rss_before,
        "rss_after_bytes": rss_after,
        "place_count": len(differences),
        "allocations": [
            {
                "place": f"{short_path(one.traceback[0].filename)}:{one.traceback[0].lineno}"[-300:],
                "size_diff_bytes": one.size_diff,
                "count_diff": one.count_diff,
                "size_bytes": one.size,
                "count": one.count,
            }
            for one in differences[:top]
        ],
    }


def _snapshot() -> tracemalloc.Snapshot:
    """All traces but those of tracemalloc and of this module, whose snapshots would look like a leak."""
    return tracemalloc.take_snapshot().filter_traces(
        (tracemalloc.Filter(False, tracemalloc.__file__), tracemalloc.Filter(False, __file__))
    )


def _wait(seconds: float) -> bool:
    """Sleep; False when tracing came to need too much memory, or somebody stopped it."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_EVERY_S))
        if not tracemalloc.is_tracing():
            return False
        if tracemalloc.get_tracemalloc_memory() > MAX_OVERHEAD_BYTES:
            return False
    return True


@lru_cache(maxsize=1024)
def short_path(filename: str) -> str:
    """A file below the project's roots relative to them, a library's relative to where libraries are, else its name."""
    if filename.startswith("<"):
        return filename
    libraries = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib", "platstdlib")]
    # Libraries first: an environment may be inside the project.
    for root in (*libraries, *(conf.settings().project_roots or (Path.cwd(),))):
        if Path(filename).is_relative_to(root):
            return str(Path(filename).relative_to(root))
    return Path(filename).name


def _after_fork() -> None:
    """The thread that traced is not here: neither is its lock, and tracing would never end."""
    global _lock, _is_running
    _lock = threading.Lock()
    if _is_running:
        _is_running = False
        if _is_ours:
            tracemalloc.stop()


os.register_at_fork(after_in_child=_after_fork)
