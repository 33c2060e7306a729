"""Panels of dashboards, anybody's, as checks look at them.

In: a dashboard's mapping. Out: Boards of Panels. Never: problems.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from logging_pkg.pipeline.lint.yaml_file import Mapping, YamlFile


def panels_in(mapping: Mapping) -> Iterator[Mapping]:
    """Panels, also those in closed rows."""
    for panel in mapping.mappings("panels"):
        yield panel
        yield from panels_in(panel)


def _texts(mapping: Mapping, *keys: str) -> str:
    return "\n".join(text.text for key in keys if (text := mapping.text(key)) is not None)


@dataclass(frozen=True)
class Panel:
    """One panel with an id.

    Attributes:
        uid: of its dashboard.
        number, title, kind: its id, title and type.
        words: what it says to people: title, description and links.
        reads: its queries, and the addresses of its links, decoded.
    """

    uid: str
    number: int
    title: str
    kind: str
    words: str
    reads: str

    @classmethod
    def of(cls, uid: str, number: int, mapping: Mapping) -> Panel:
        """From its JSON."""
        links = [_texts(link, "title", "url") for link in mapping.mappings("links")]
        queries = [_texts(target, "expr") for target in mapping.mappings("targets")]
        words = "\n".join([_texts(mapping, "title", "description"), *links])
        # A query in a link is within JSON: its quotation marks have backslashes.
        reads = unquote("\n".join([*queries, *links])).replace("\\", "")
        return cls(uid, number, _texts(mapping, "title"), _texts(mapping, "type"), words, reads)

    @property
    def path(self) -> str:
        """The address of it alone, on any Grafana."""
        return f"/d/{self.uid}?viewPanel={self.number}"

    def names(self, alert: str) -> bool:
        """Whether it speaks of an alert."""
        return re.search(rf"\b{re.escape(alert)}\b", self.words) is not None


@dataclass(frozen=True)
class Board:
    """One dashboard: its panels by id, and the names of its variables."""

    uid: str
    panels: dict[int, Panel]
    variables: tuple[str, ...]


def boards(files: Iterable[YamlFile]) -> dict[str, Board]:
    """The dashboards that have a uid, by it."""
    found: dict[str, Board] = {}
    for root in (file.root for file in files if file.root):
        uid = root.text("uid")
        if uid is None or not uid.text:
            continue
        numbered = [(panel.text("id"), panel) for panel in panels_in(root)]
        panels = {
            int(number.text): Panel.of(uid.text, int(number.text), panel)
            for number, panel in numbered
            if number is not None and number.text.isdecimal() and _texts(panel, "type") != "row"
        }
        names = [entry.text("name") for entry in root.mapping("templating").mappings("list")]
        found[uid.text] = Board(uid.text, panels, tuple(name.text for name in names if name is not None))
    return found
