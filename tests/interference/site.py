"""Serve scenarios in a process of its own: `python -m tests.interference.site VARIANT SCRATCH [--interfering CLASS] [NAME …]`.

In: a variant (with, without, strict, off), a scratch directory, names of scenarios; all when none. Out: a JSON file in
the scratch directory, per interface and scenario all that was seen, and the events emitted. Never: two variants in one process; what is installed
into Django cannot be taken out again.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
from collections import Counter
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from tests.interference.project import Project
from tests.interference.scenarios import SCENARIOS, Scenario

#: The file's name.
RESULT = "seen.json"


def main() -> None:
    """Serve and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("variant")
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--interfering")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    project = Project(options.variant, options.scratch, options.interfering)

    from tests.interference import trail
    from tests.interference.serve import as_text

    trail.follow()
    # Where the collector happens to run is where a forgotten file is warned of; so it runs between scenarios alone.
    gc.disable()
    seen: dict[str, str] = {}
    events: dict[str, dict[str, int]] = {}
    problems: list[str] = []
    log = _Log(project.logs)
    for name in options.names or SCENARIOS:
        for interface in SCENARIOS[name].interfaces:
            key = f"{interface}: {name}"
            # What is there now stays, so that the scenario's own garbage is collected in no time.
            gc.collect()
            gc.freeze()
            project.prepare(SCENARIOS[name])
            trail.take()
            try:
                answers = _serve(interface, SCENARIOS[name])
                gc.collect()
            finally:
                noticed = trail.take()
                project.restore()
            seen[key] = as_text({"answers": answers, "noticed": noticed})
            events[key], found = log.new()
            problems += [f"{key}: {problem}" for problem in found]
    faults = _own_faults() if project.is_observed else 0
    result = {"seen": seen, "events": events, "problems": problems, "faults": faults}
    (options.scratch / RESULT).write_text(json.dumps(result), "utf-8")


def _serve(interface: str, scenario: Scenario) -> list[dict[str, Any]]:
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler

    from tests.interference.serve import serve_asgi, serve_wsgi

    cookies = SimpleCookie()
    if interface == "wsgi":
        handler = WSGIHandler()
        return [serve_wsgi(handler, call, cookies) for call in scenario.calls]

    async def serve() -> list[dict[str, Any]]:
        handler = ASGIHandler()
        return [await serve_asgi(handler, call, cookies) for call in scenario.calls]

    return asyncio.run(serve())


def _own_faults() -> int:
    from logging_pkg.writer import get_writer

    writer = get_writer()
    return writer.failed + writer.faults + writer.rejected


class _Log:
    """What the instrumentation has written since the last look."""

    def __init__(self, directory: Path) -> None:
        from logging_pkg.schemas import load_registry

        self._directory = directory
        self._registry = load_registry()
        self._read: Counter[str] = Counter()

    def new(self) -> tuple[dict[str, int], list[str]]:
        """How many of each event, and what is wrong with them."""
        events: Counter[str] = Counter()
        problems: list[str] = []
        for path in self._directory.glob("*"):
            lines = path.read_bytes().split(b"\n")[:-1]  # whole ones: other threads write meanwhile
            for line in lines[self._read[path.name] :]:
                event = json.loads(line)
                events[event["event"]] += 1
                problems += self._registry.problems(event)
            self._read[path.name] = len(lines)
        return dict(events), problems


if __name__ == "__main__":
    main()
