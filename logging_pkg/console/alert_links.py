"""Where an alert leads: to Grafana where there is one, to the console's own search and runbook in any case.

In: annotations. Out: addresses. Never: a link to a Grafana that no setting names, an address a browser would run.
"""

from __future__ import annotations

import shlex
from urllib.parse import urlencode, urlsplit

from django.urls import reverse

from logging_pkg import conf
from logging_pkg.console.selection import RANGES
from logging_pkg.pipeline.logql import ast
from logging_pkg.pipeline.logql.parser import parse
from logging_pkg.pipeline.logql.tokens import LogQLError
from logging_pkg.stack.enricher import query_of

#: Pages of Grafana's that annotations name behind the ruler's idea of its address.
_PAGES = ("/explore?", "/d/")
_SELECTED = {"service_name": "service", "env": "env"}


def grafana_link(annotation: str) -> str:
    """An annotation's page of Grafana, at the address of EXPLORE_URL; nothing where there is no such.

    What stands before the page's path in the annotation is the ruler's `external_url`: a guess where nobody set it.
    """
    root = conf.settings().explore_url.rstrip("/")
    places = [place for page in _PAGES if (place := annotation.find(page)) >= 0]
    return root + annotation[min(places) :] if root and places and web_address(annotation) else ""


def search_link(logs_url: str) -> str:
    """The console's search for the lines that an alert's `logs_url` shows; nothing where that has no query.

    Conditions joined by `or` cannot be typed there and are left out: the search then finds more.
    """
    asked = query_of({"annotations": {"logs_url": logs_url}})
    if asked is None:
        return ""
    try:
        query = parse(asked[0])
    except LogQLError:
        return ""
    if not isinstance(query, ast.LogQuery):
        return ""
    told, words = {}, []
    for matcher in query.selector.matchers:
        name, value = matcher.name.text, matcher.value.text
        if name == "event" and matcher.op in {"=", "=~"}:
            told["event"] = value.replace("\\", "").strip("()")
        elif name in _SELECTED and matcher.op == "=":
            told[_SELECTED[name]] = value
    for stage in query.stages:
        if isinstance(stage, ast.LabelFilter) and len(stage.conditions) == 1:
            (condition,) = stage.conditions
            number = f"{condition.value:g}" if isinstance(condition.value, float) else str(condition.value)
            operator = "=" if condition.op == "==" else condition.op
            words.append(shlex.quote(f"{condition.name.text}{operator}{number}"))
        elif isinstance(stage, ast.LineFilter) and stage.op == "|=" and len(stage.values) == 1:
            words.append(shlex.quote(stage.values[0].text))
    window = next((name for name, seconds in RANGES.items() if seconds >= asked[1]), "7d")
    told |= {"q": " ".join(words), "range": window}
    return reverse("logging_pkg_console:search") + "?" + urlencode({name: text for name, text in told.items() if text})


def web_address(text: str) -> str:
    """An annotation as a link; nothing where it is a path, or an address a browser would run."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in {"http", "https"} and parts.netloc else ""
