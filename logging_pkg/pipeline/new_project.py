"""The files that watch an application: from this package, for a project of the user's.

In: the application's name, its schemas; the package's own copy of loki/, grafana/, vector.toml, compose.yaml and
runbooks. Out: path within the project -> text. Never: a file written outside a temporary directory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from logging_pkg.exceptions import ConfigurationError
from logging_pkg.pipeline.dashboards.project import project_dashboards
from logging_pkg.pipeline.generated_files import generated_files, objectives_of
from logging_pkg.schemas import Registry
from logging_pkg.schemas.conventions import SERVICE_NAME_PATTERN
from logging_pkg.shipper.vector_config import render_declared_events

_PACKAGE: Final = Path(__file__).resolve().parents[1]
#: What compose.yaml runs alone, from where it is here and where it will be.
_PROGRAMS: Final = ("enricher.py", "webhook.py")
_PROGRAMS_HERE, _PROGRAMS_THERE = "./logging_pkg/stack/", "./loki/"
_OWN_NAME: Final = "calendar-sync"
#: They test the routes of an application that the user does not have.
_LEFT_OUT: Final = ("loki/tests/slos_test.yaml", "loki/prometheus_tests/slo_budgets_test.yaml")
_SUFFIXES: Final = (".yaml", ".yml", ".tmpl", ".md", ".toml")
_KEY_ROUTES: Final = re.compile(r"^    where:\n      route: \[.*\]\n", re.MULTILINE)
_ANY_ROUTE: Final = """\
    # Every route counts until you name those people wait for, and run `logpipe generate`:
    # where:
    #   route: [/, "/orders/{id}/"]
"""


def new_project(app: str, registry: Registry) -> dict[str, str]:
    """Every file of a project called `app`, as `logpipe check` and `logpipe generate --check` want them.

    Args:
        app: the application's SERVICE_NAME.
        registry: the events its processes may write.

    Raises:
        ConfigurationError: the name cannot be a service name, or this installation lacks the files.
        RuleError: rules or dashboards cannot be made of the schemas.
    """
    if not SERVICE_NAME_PATTERN.fullmatch(app):
        raise ConfigurationError(
            f"--app {app[:40]!r}: expected a service name such as shop or web-api ({SERVICE_NAME_PATTERN.pattern})"
        )
    files = dict(_adapted(app, registry))
    with TemporaryDirectory(prefix="logpipe-init-") as name:
        root = Path(name)
        (root / "grafana/dashboards").mkdir(parents=True)
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        generated = generated_files(registry, objectives_of(root, registry))
        files |= generated
        files |= project_dashboards(registry, root, generated).files
    return dict(sorted(files.items()))


def _adapted(app: str, registry: Registry) -> Iterator[tuple[str, str]]:
    for path, source in _sources():
        text = source.read_text(encoding="utf-8").replace(_OWN_NAME, app)
        if path == "vector.toml":
            text = render_declared_events(registry, text)
        elif path == "compose.yaml":
            text = text.replace(_PROGRAMS_HERE, _PROGRAMS_THERE).replace(
                "\nservices:\n", f"\nname: {app}\n\nservices:\n", 1
            )
        elif path == "loki/slos.yaml":
            text = _KEY_ROUTES.sub(_ANY_ROUTE, text)
        yield path, text
    for name in _PROGRAMS:
        yield f"loki/{name}", (_PACKAGE / "stack" / name).read_text(encoding="utf-8")


def _sources() -> Iterator[tuple[str, Path]]:
    """Path within the project, and where this installation has it: within the package in a wheel, else around it."""
    is_installed = (_PACKAGE / "stack/config/loki.yaml").is_file()
    home = _PACKAGE / "stack/project" if is_installed else _PACKAGE.parent
    loki = _PACKAGE / "stack/config" if is_installed else home / "loki"
    for path in ("vector.toml", "compose.yaml"):
        if not (home / path).is_file():
            raise ConfigurationError(f"{home / path}: not there; install logging-pkg from its wheel")
        yield path, home / path
    for place, directory in (
        ("loki", loki),
        ("grafana/provisioning", home / "grafana/provisioning"),
        ("docs/runbooks", home / "docs/runbooks"),
    ):
        for source in sorted(directory.rglob("*")):
            path = f"{place}/{source.relative_to(directory).as_posix()}"
            if source.is_file() and source.suffix in _SUFFIXES and path not in _LEFT_OUT:
                yield path, source
