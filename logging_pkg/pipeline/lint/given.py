"""Files and directories somebody wants checked, whoever's they are, sorted by what they are.

In: paths. Out: a Given of rule files, dashboards and documents. Never: a layout expected of them; judges their content.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logging_pkg.pipeline.lint.kubernetes import has_rule_resources, rule_files_in
from logging_pkg.pipeline.lint.source import SourceFile

_RULES: Final = (".yaml", ".yml")
_DASHBOARD: Final = ".json"
_DOCUMENT: Final = ".md"
_GROUPS = re.compile(r"^[\"']?groups[\"']?\s*:", re.MULTILINE)
_PANELS = re.compile(r"\"panels\"\s*:")
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|`[^`]*`|'(?:\\.|[^'\\])*'|#[^\n]*")
#: A selector with no name of a series before it.
_LOGQL = re.compile(r"(?:^|[^\w:\s}])\s*\{(?!\s*__name__)")


@dataclass(frozen=True)
class Given:
    """Files by kind, and those in given directories that are none of them."""

    rules: tuple[Path, ...] = ()
    prometheus_rules: tuple[Path, ...] = ()
    dashboards: tuple[Path, ...] = ()
    documents: tuple[Path, ...] = ()

    @property
    def count(self) -> int:
        """How many files are looked at."""
        return sum(map(len, (self.rules, self.prometheus_rules, self.dashboards, self.documents)))

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Given:
        """Sort files, and those below directories; hidden directories are left out.

        A file that is named is taken for what its suffix says; one in a directory only if it looks like that.

        Raises:
            ValueError: a path is not there, or a file's suffix is none of .yaml, .yml, .json and .md.
            OSError: a file cannot be read.
        """
        found: dict[str, list[Path]] = {"rules": [], "prometheus_rules": [], "dashboards": [], "documents": []}
        seen: set[Path] = set()
        for path, is_named in _files(paths):
            kind = _kind(path, is_named=is_named)
            if kind and path not in seen:
                found[kind].append(path)
            seen.add(path)
        return cls(**{kind: tuple(sorted(files)) for kind, files in found.items()})


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Each file, and whether it was named itself."""
    for path in paths:
        if path.is_dir():
            for directory, below, names in os.walk(path):
                below[:] = sorted(name for name in below if not name.startswith("."))
                yield from ((Path(directory) / name, False) for name in sorted(names))
        elif not path.exists():
            raise ValueError(f"{path}: no such file or directory")
        elif path.suffix.lower() not in (*_RULES, _DASHBOARD, _DOCUMENT):
            raise ValueError(f"{path}: expected rules (.yaml, .yml), a dashboard (.json) or a document (.md)")
        else:
            yield path, True


def _kind(path: Path, *, is_named: bool) -> str | None:
    suffix = path.suffix.lower()
    if suffix == _DOCUMENT:
        return "documents"
    if suffix not in (*_RULES, _DASHBOARD):
        return None
    source = SourceFile.read(path, None)
    if suffix == _DASHBOARD:
        return "dashboards" if is_named or _PANELS.search(source.text) else None
    if not is_named and not _GROUPS.search(source.text) and not has_rule_resources(source):
        return None
    return "rules" if _is_lokis(source) else "prometheus_rules"


def _is_lokis(source: SourceFile) -> bool:
    """Whether an expression of a rule file has a selector without the name of a series; so has one that is broken."""
    files = rule_files_in(source)
    if any(file.root is None for file in files):
        return _LOGQL.search(_QUOTED.sub("", source.text)) is not None
    exprs = [
        expr.text
        for file in files
        for group in (file.root.mappings("groups") if file.root else [])
        for rule in group.mappings("rules")
        if (expr := rule.text("expr"))
    ]
    return any(_LOGQL.search(_QUOTED.sub("", expr)) for expr in exprs)
