"""The pages that show numbers: each a question it answers, and the panels that answer it.

In: a Desk. Out: Sections. Never: a request, markup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logging_pkg.console.desk import Desk
from logging_pkg.console.pages.alerts import alerts
from logging_pkg.console.pages.google import google
from logging_pkg.console.pages.overview import overview
from logging_pkg.console.pages.pipeline import pipeline
from logging_pkg.console.pages.queries import queries
from logging_pkg.console.pages.routes import routes
from logging_pkg.console.pages.syncs import syncs
from logging_pkg.console.panels import Section


@dataclass(frozen=True, slots=True)
class Page:
    """A page of numbers.

    Attributes:
        name: in its address, and of its URL pattern.
        title: what it is called.
        key: the letter after `g` that leads to it.
        question: what it answers.
        build: makes its sections.
    """

    name: str
    title: str
    key: str
    question: str
    build: Callable[[Desk], Sequence[Section]]


_ALL: Final = (
    Page("overview", "Overview", "o", "Is everything all right, and if not, where to look?", overview),
    Page("routes", "Routes", "r", "Which pages are slow, fail, or ask the database too much?", routes),
    Page("queries", "Queries", "q", "Which SQL is repeated (N+1) or slow, and where is it written?", queries),
    Page("google", "Google API", "a", "How fast does Google answer, what fails, how much quota is left?", google),
    Page("syncs", "Syncs", "y", "Do calendars sync, how long does it take, and why do some fail?", syncs),
    Page("alerts", "Alerts", "l", "What fires now, since when, and which rules stand behind it?", alerts),
    Page("pipeline", "Pipeline", "p", "Can these numbers be believed: is anything late, lost or refused?", pipeline),
)
#: By name, in the order of the menu.
PAGES: Final[Mapping[str, Page]] = {page.name: page for page in _ALL}
