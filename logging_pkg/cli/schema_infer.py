"""`logpipe schema infer`: schemas drafted from JSON logs of any producer.

In: files of JSON lines, or stdin. Out: drafts in --out or on stdout, what to know about them on stderr. Never:
overwrites a file; renames in silence.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from logging_pkg.cli.output import say
from logging_pkg.cli.usage import wrong_usage
from logging_pkg.exceptions import SchemaError
from logging_pkg.pipeline.json_lines import STDIN, json_lines
from logging_pkg.pipeline.schema_infer import Draft, Inference
from logging_pkg.pipeline.schema_infer import infer as infer_schemas
from logging_pkg.schemas import Registry, load_directory, load_registry


def infer(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files of JSON lines, directories of *.ndjson, or - for stdin; stdin when there is none."),
    ] = None,
    event_field: Annotated[
        str | None,
        typer.Option(
            "--event-field", metavar="NAME", help="Names the event; guessed: event, msg, message, type, name."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIRECTORY", help="Write one file per event there, instead of stdout."),
    ] = None,
) -> None:
    """Draft event schemas from existing JSON logs: types, nulls, options, bounds, and candidates for annotations.

    A draft loads and accepts the lines it came from. Its descriptions say
    what a human has to decide: dimensions, sensitive fields, better names.
    """
    if not files and sys.stdin.isatty():
        raise wrong_usage("nothing to read: give files of JSON lines, or pipe them in")
    registry = load_registry()
    found = infer_schemas(json_lines(files or [STDIN]), registry.envelope, event_field)
    if out is None:
        for draft in found.drafts:
            say(_text(draft).rstrip())
    else:
        _write(out, found)
    for line in _told(found, registry):
        say(line, err=True)


def _text(draft: Draft) -> str:
    return json.dumps(draft.document, indent=2, ensure_ascii=False) + "\n"


def _write(directory: Path, found: Inference) -> None:
    """One file per event, all or none."""
    paths = {directory / f"{draft.event}.json": draft for draft in found.drafts}
    for path in paths:
        if path.exists():
            raise SchemaError(f"{path}: is there already, and is not overwritten; give --out an empty directory")
    directory.mkdir(parents=True, exist_ok=True)
    for path, draft in paths.items():
        path.write_text(_text(draft), encoding="utf-8")
        say(str(path))
    load_directory(directory)


def _told(found: Inference, registry: Registry) -> Iterator[str]:
    """What to know, a line each."""
    skipped = [f"{found.unreadable:,} no JSON objects"] if found.unreadable else []
    skipped += [f'{found.nameless:,} without a text in "{found.event_field}"'] if found.nameless else []
    left = f"; left out: {', '.join(skipped)}" if skipped else ""
    yield f'{len(found.drafts)} events by "{found.event_field}" in {found.line_count:,} lines{left}'
    for draft in found.drafts:
        if draft.event != draft.logged_as:
            yield f'{draft.event}: renamed, logged as "{draft.logged_as[:100]}"; expected <domain>.<noun>_<past verb>'
        if draft.event in registry.events:
            yield f"{draft.event}: declared already, and may not be twice; compare: logpipe schema diff"
        if draft.left_out:
            yield f"{draft.event}: the envelope has these, so the event has not: {', '.join(draft.left_out)}"
        for name, suggested in draft.suggestions:
            yield f'{draft.event}: "{name}" {suggested}'
        if "patternProperties" in draft.document:
            yield f"{draft.event}: more fields than can be told apart: are their names values?"
