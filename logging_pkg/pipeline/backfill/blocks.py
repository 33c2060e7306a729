"""Samples that are too old for remote write, as blocks of Prometheus's storage.

In: samples, a directory. Out: an OpenMetrics text, and blocks made of it by promtool. Never: a stale marker:
OpenMetrics has none, so a series that ended is shown for up to 5 minutes longer (Prometheus's lookback).
"""

from __future__ import annotations

import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.backfill.wire import LabelSet, Points, is_stale
from logging_pkg.stack import find_binary

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def write_blocks(series: Mapping[LabelSet, Points], directory: Path) -> int:
    """Make blocks in `directory`; return the number of samples in them.

    Prometheus takes up what is put into its data directory within a minute or two.

    Raises:
        StackError: no promtool is to be had.
        RuleError: promtool failed; its words.
    """
    lines = list(openmetrics(series))
    if not lines:
        return 0
    promtool = find_binary("promtool")
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="logpipe-backfill-") as temporary:
        text = Path(temporary) / "series.om"
        text.write_text("\n".join([*lines, "# EOF", ""]), encoding="utf-8")
        command = [str(promtool.path), "tsdb", "create-blocks-from", "openmetrics", str(text), str(directory)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise RuleError(f"{directory}: promtool tsdb create-blocks-from openmetrics failed: {said}")
    return len(lines)


def openmetrics(series: Mapping[LabelSet, Points]) -> Iterator[str]:
    """The lines of an OpenMetrics text, without its end; series of one name stand together, as the format wants."""
    by_name: dict[str, list[LabelSet]] = defaultdict(list)
    for labels in series:
        by_name[dict(labels)["__name__"]].append(labels)
    for name in sorted(by_name):
        for labels in by_name[name]:
            pairs = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in labels if key != "__name__")
            for at, value in sorted(series[labels].items()):
                if not is_stale(value):
                    yield f"{name}{{{pairs}}} {value!r} {at / 1000:.3f}"
