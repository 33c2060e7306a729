"""vector/mapping: Vector sends the labels and metadata that every query counts on.

In: vector.toml. Out: a problem where its Loki sinks differ from the conventions. Never: compiles VRL.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.lint.source import SourceFile
from logging_pkg.schemas.conventions import STREAM_LABELS, STRUCTURED_METADATA

ID = "vector/mapping"
NEEDS = (Need.PROJECT,)

_PLACES = {"labels": STREAM_LABELS, "structured_metadata": STRUCTURED_METADATA}


def check(project: Project) -> Iterator[Problem]:
    """Keys of `labels` and `structured_metadata` of every loki sink, and that each is filled from its namesake."""
    source = project.vector_config
    if source is None:
        return
    try:
        config = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        yield Problem.about(source, ID, f"not TOML: {error}")
        return
    sinks = {name: sink for name, sink in config.get("sinks", {}).items() if sink.get("type") == "loki"}
    if not sinks:
        yield Problem.about(source, ID, "has no sink of type loki", "see docs/MONITORING.md")
    for name, sink in sinks.items():
        for key, expected in _PLACES.items():
            yield from _compare(source, f"sinks.{name}.{key}", sink.get(key, {}), expected)


def _compare(source: SourceFile, table: str, found: Mapping[str, Any], expected: tuple[str, ...]) -> Iterator[Problem]:
    header = re.search(rf"^\[{re.escape(table)}\]", source.text, re.MULTILINE)
    start, end = header.span() if header else (0, 1)
    for name in expected:
        if name not in found:
            yield Problem.at(source.snippet(start, end), ID, f"lacks {name}", f'{name} = "{{{{ {name} }}}}"')
    for name, template in found.items():
        entry = re.compile(rf'^{re.escape(name)}\s*=\s*("[^"\n]*")', re.MULTILINE).search(source.text, end)
        here = source.snippet(*(entry.span() if entry else (start, end)))
        if name not in expected:
            yield Problem.at(here, ID, "the conventions know no such name", f"known: {', '.join(expected)}")
        elif re.sub(r"\s", "", str(template)) != f"{{{{{name}}}}}":
            yield Problem.at(here, ID, "filled from another field", f'{name} = "{{{{ {name} }}}}"')
