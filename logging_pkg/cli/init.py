"""`logpipe init`: shipping, rules, alerts, dashboards and compose.yaml for the user's own project.

In: the application's name, a directory. Out: files, what they are and what to do next; exit code 1 when a file is there
already that says something else. Never: a file overwritten without --force.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Final

import typer

from logging_pkg.cli.schema_directories import Directories, registry_of
from logging_pkg.cli.usage import wrong_usage
from logging_pkg.exceptions import ConfigurationError

_SHOWN: Final = 5
_PARTS: Final = {
    "vector.toml": "ships the event files with Vector; `logpipe ship` does without it",
    "compose.yaml": "the servers in containers, from these files",
    "loki/": "Loki, Prometheus, Alertmanager: configuration, rules, their tests, objectives",
    "grafana/": "data sources and dashboards",
    "docs/": "a runbook for each alert; events and metrics",
}


def init(
    directory: Annotated[Path, typer.Argument(help="The project's directory.")] = Path(),
    app: Annotated[
        str, typer.Option("--app", metavar="NAME", help="The application: SERVICE_NAME in its settings.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    schemas: Directories = None,
) -> None:
    """Write what watches your application: vector.toml, loki/, grafana/, runbooks and compose.yaml."""
    from logging_pkg.pipeline.new_project import new_project

    app = app or directory.resolve().name.lower().replace("_", "-").replace(" ", "-")
    try:
        files = new_project(app, registry_of(schemas))
    except ConfigurationError as error:
        raise wrong_usage(str(error)) from error
    there = {name: _text(directory / name) for name in files}
    changed = [name for name, text in there.items() if text is not None and text != files[name]]
    if changed and not force:
        shown = ", ".join(changed[:_SHOWN]) + (f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else "")
        typer.echo(
            f"logpipe: {directory}: nothing written: there already, and not the same: {shown}; "
            "--force overwrites them, another directory leaves them alone",
            err=True,
        )
        raise typer.Exit(1)
    written = [name for name in files if there[name] != files[name]]
    for name in written:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(files[name], encoding="utf-8")
    _tell(directory, app, list(files), written, len(changed))


def _text(path: Path) -> str | None:
    """What is in a file; None where there is none. Bytes that are no text are another text."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _tell(directory: Path, app: str, names: list[str], written: list[str], overwritten: int) -> None:
    counts = Counter(next(part for part in _PARTS if name.startswith(part)) for name in names)
    for part, words in _PARTS.items():
        number = f"{counts[part]} files" if part.endswith("/") else ""
        typer.echo(f" ✓ {part:13} {number:9} {words}")
    same = len(names) - len(written)
    notes = [f"{overwritten} overwritten"] * bool(overwritten) + [f"{same} were there already"] * bool(same)
    typer.echo(
        f"   {len(written)} files written to {directory.resolve()}" + (f" ({', '.join(notes)})" if notes else "")
    )
    typer.echo(f"""
Next, in {directory.resolve()}:
  1. settings.py                       LOGPIPE = {{"SERVICE_NAME": "{app}"}}
     INSTALLED_APPS += ["logging_pkg.django"]
     MIDDLEWARE.insert(0, "logging_pkg.django.middleware.ObservabilityMiddleware")
  2. logpipe stack up                  starts the servers here, or in containers:
     mkdir -p .logpipe/logs .logpipe/shipper/vector .logpipe/secrets && docker compose up
  3. logpipe ship                      where no Vector runs; then: logpipe doctor
  4. loki/slos.yaml                    name the routes people wait for, then: logpipe generate
  5. loki/alertmanager.yml             who is told; Grafana's address in loki/loki.yaml and loki/prometheus.yml
  6. logpipe check && logpipe rules test
     .logpipe/ belongs into .gitignore, everything else into version control""")
