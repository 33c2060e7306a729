"""`logpipe check`: rules, dashboards, documents and vector.toml against the schemas; or anybody's files.

In: a project's directory, or files and directories; maybe a Loki. Out: problems on stdout, as text or JSON, or the page
of a check; exit 1 when one is an error, 3 when Loki does not answer. Never: a change to a file; a server nobody has
named.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from logging_pkg.cli.exit_codes import SOMETHING_WRONG, UNANSWERED
from logging_pkg.cli.loki import LokiUrl, loki_client
from logging_pkg.cli.markdown import print_page
from logging_pkg.cli.options import AsJson
from logging_pkg.cli.output import say, say_json, terminal
from logging_pkg.cli.schema_directories import Directories, registry_of
from logging_pkg.cli.usage import wrong_usage
from logging_pkg.conf import Settings
from logging_pkg.pipeline.lint.checks import CHECKS
from logging_pkg.pipeline.lint.given import Given
from logging_pkg.pipeline.lint.pages import page_of
from logging_pkg.pipeline.lint.problem import nearest
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.lint.run import lint_project
from logging_pkg.schemas import Registry
from logging_pkg.schemas.loading import load_directory

_NO_SCHEMAS = Registry(MappingProxyType({}), MappingProxyType({"properties": {}, "required": []}), ())


def check(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="Rules, dashboards, documents, or directories of them, anybody's; not the project.",
        ),
    ] = None,
    root: Annotated[Path, typer.Option("--root", help="The project: where loki/, docs/ and vector.toml are.")] = Path(),
    schemas: Directories = None,
    loki: Annotated[bool, typer.Option("--loki", help="Also put every query to Loki.")] = False,
    loki_url: LokiUrl = None,
    disable: Annotated[
        list[str] | None,
        typer.Option(
            "--disable",
            metavar="CHECK",
            help="A check not to run. Repeatable.",
            autocompletion=lambda: list(CHECKS),
        ),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="CHECK",
            help="Print what a check is about and what to do, and check nothing.",
            autocompletion=lambda: list(CHECKS),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that everything which reads events uses declared events and fields, and that alerts are complete.

    Of FILE, whoever's it is, what can be told without knowing the project; --schemas tells what events it has.
    """
    for name in disable or ():
        _known(name, "--disable")
    if explain is not None:
        print_page(terminal(), page_of(_known(explain, "--explain")))
        return
    asked = context.get_parameter_source("loki_url")
    # The variable alone, which other commands need too, is no wish.
    is_online = loki or (asked is not None and asked.name == "COMMANDLINE")
    given = _given(files)
    directories = schemas or list(map(Path, Settings.from_environ().schema_directories))
    has_schemas = given is None or bool(directories)
    registry = registry_of(schemas) if given is None else _own_registry(directories) if has_schemas else _NO_SCHEMAS
    with ExitStack() as stack:
        client = stack.enter_context(loki_client(loki_url)) if is_online else None
        report = lint_project(Project(root, registry, given, has_schemas, client), disable or ())
    if as_json:
        say_json(report.value(), indent=2)
    else:
        say(str(report))
    if report.unanswered:
        say(f"logpipe: {report.unanswered}", err=True)
        raise typer.Exit(UNANSWERED)
    if report.errors:
        raise typer.Exit(SOMETHING_WRONG)


def _known(name: str, option: str) -> str:
    if name not in CHECKS:
        near = nearest(name, CHECKS)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(CHECKS)}"
        raise wrong_usage(f"{option} {name[:60]}: no such check; {hint}")
    return name


def _given(files: list[Path] | None) -> Given | None:
    if not files:
        return None
    try:
        given = Given.of(files)
    except ValueError as error:
        raise wrong_usage(str(error)) from None
    if not given.count:
        raise wrong_usage(f"{', '.join(map(str, files))}: no rules (*.yaml with groups), dashboards or documents there")
    return given


def _own_registry(directories: list[Path]) -> Registry:
    """A directory with an envelope stands alone; others add to the built-in events."""
    if len(directories) == 1 and (directories[0] / "envelope.json").is_file():
        return load_directory(directories[0])
    return registry_of(directories)
