"""The dashboards of a project: what is generated elsewhere and written by hand, brought together.

In: a registry, the project's directory, the texts of generated files. Out: Dashboards. Never: writes a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from logging_pkg.pipeline.dashboards.build import DASHBOARDS_DIRECTORY, Dashboards, dashboards
from logging_pkg.pipeline.dashboards.rule_book import rule_book
from logging_pkg.schemas import Registry

#: Loki's rules and Prometheus's.
_RULE_DIRECTORIES: Final = ("loki/rules", "loki/prometheus_rules")
_RUNBOOKS: Final = "docs/runbooks"


def project_dashboards(registry: Registry, root: Path, generated: Mapping[str, str]) -> Dashboards:
    """The dashboards, for a project that has their directory; the same rules and runbooks give the same bytes.

    Args:
        registry: the project's schemas.
        root: its directory; rules and runbooks are read there.
        generated: path within the project -> text of what is written beside the dashboards; it goes before the file.

    Raises:
        OSError: a file cannot be read.
        RuleError: two dashboards or panels have one name.
    """
    if not (root / DASHBOARDS_DIRECTORY).is_dir():
        return Dashboards({}, ())
    found = (path for name in _RULE_DIRECTORIES for path in (root / name).glob("*.y*ml"))
    texts = {path.relative_to(root).as_posix(): _text(path) for path in found}
    texts |= {name: text for name, text in generated.items() if name.startswith(_RULE_DIRECTORIES)}
    runbooks = {path.stem: _text(path) for path in (root / _RUNBOOKS).glob("*.md")}
    return dashboards(registry, rule_book(texts[name] for name in sorted(texts)), runbooks)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
