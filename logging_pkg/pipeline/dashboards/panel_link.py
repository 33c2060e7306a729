"""Links to a panel: the id a panel keeps, and what an alert's `dashboard_url` says.

In: a dashboard's uid and a panel's title, or the text of a link. Out: an id, or a PanelLink. Never: whether that panel
exists (`logpipe check` tells, check rules/panel-link).
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Final

#: Ids below are those of headings, counted from 1; nobody links to a heading.
FIRST_NUMBER: Final = 1_000
_NUMBERS: Final = 999_000
#: What stands before the path has neither a question mark (Explore's link holds other texts) nor a raw string.
_LINK: Final = re.compile(r"^\s*(?P<root>[^?#`]*?)/d/(?P<uid>[\w-]+)(?:/[\w-]*)?(?:\?(?P<query>.*))?$", re.DOTALL)
_VIEW_PANEL: Final = re.compile(r"(?:^|&)viewPanel=(?:panel-)?(?P<number>\d+)(?![^&{])")
#: A value ends where `{{ with $labels.route }}&var-route=…` makes the next one depend on its label.
_VARIABLE: Final = re.compile(
    r"(?:^|&)var-(?P<name>\w+)=(?P<value>(?:\{\{(?!-?\s*(?:with|if|else|end|range)\b).*?\}\}|[^&{])*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class LinkedVariable:
    """`var-name=value` in a link, the value as it is written; it stands at text[start:end]."""

    name: str
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class PanelLink:
    """A link to a dashboard: `root` is what stands before `/d/`, `number` the panel's id, None where it names none."""

    root: str
    uid: str
    number: int | None
    variables: tuple[LinkedVariable, ...]


def panel_number(uid: str, title: str) -> int:
    """Id of a panel: it stays the same while others come and go, and changes with the title.

    Grafana takes it as `viewPanel=ID` in every version that reads classic JSON.
    """
    return FIRST_NUMBER + zlib.crc32(f"{uid}/{title}".encode()) % _NUMBERS


def panel_link(text: str) -> PanelLink | None:
    """What a link to a dashboard names; None of any other text, such as a link to Explore.

    Args:
        text: an address, or the template of one: `{{ externalURL }}/d/UID?viewPanel=ID&var-route={{ … | urlquery }}`.
    """
    found = _LINK.match(text)
    if found is None:
        return None
    query, offset = found["query"] or "", found.start("query")
    number = _VIEW_PANEL.search(query)
    variables = tuple(
        LinkedVariable(var["name"], var["value"], offset + var.start("name") - len("var-"), offset + var.end())
        for var in _VARIABLE.finditer(query)
    )
    return PanelLink(found["root"].strip(), found["uid"], int(number["number"]) if number else None, variables)
