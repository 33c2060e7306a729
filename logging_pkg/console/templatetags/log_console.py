"""Tags that lead from a page to its waterfall: `{% load log_console %}{% trace_link %}`.

In: a template's context. Out: the correlation ID, a link for staff. Never: a query.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from logging_pkg.console.desk import Question
from logging_pkg.console.errors import correlation_id_of, error_context, trace_url
from logging_pkg.console.explore import Language, ShownQuery, explore_url
from logging_pkg.console.metrics import declared_series
from logging_pkg.loki_client import Rule

register = template.Library()
#: For IDs of elements that are unlike within any page.
_numbers = itertools.count(1)
#: The name of a recorded series in PromQL.
_SERIES = re.compile(r"[a-z_0-9]+:[a-z_0-9]+:[a-z_0-9]+")


@register.simple_tag(takes_context=True)
def correlation_id(context: dict[str, Any]) -> str:
    """The correlation ID of the request that renders this page."""
    return correlation_id_of(context.get("request"))


@register.simple_tag(takes_context=True)
def trace_link(context: dict[str, Any], some_id: str = "") -> SafeString | str:
    """The correlation ID of this request, or the ID given, as a link to its waterfall for staff, as text for others."""
    told = error_context(context.get("request"))
    some_id = some_id or context.get("correlation_id") or told["correlation_id"]
    user = context.get("user")
    is_staff = bool(told["trace_url"] or context.get("trace_url") or getattr(user, "is_staff", False))
    url = trace_url(some_id) if is_staff else ""
    return format_html('<a href="{}">{}</a>', url, some_id) if url else some_id


@register.simple_tag
def url_of(name: str) -> str:
    """The address of a page of numbers."""
    return reverse(f"logging_pkg_console:{name}")


@register.simple_tag
def unlike() -> str:
    """An element's ID that no other has."""
    return f"unlike-{next(_numbers)}"


@register.inclusion_tag("logging_pkg/console/queries.html")
def queries(questions: Sequence[Question | ShownQuery], about: str) -> dict[str, Any]:
    """A button that shows the queries behind a number; of a recorded series also the LogQL it was recorded with."""
    asked = {question.query: question for question in questions}
    recorded = {
        name: ShownQuery(
            "LogQL", f"Loki by its ruler, recorded as {name}", series.logql, explore_url("LogQL", series.logql, "1h")
        )
        for question in asked.values()
        if question.language == "PromQL"
        for name in _SERIES.findall(question.query)
        if (series := declared_series().get(name)) is not None
    }
    return {"questions": [*asked.values(), *recorded.values()], "about": about, "id": unlike()}


@register.inclusion_tag("logging_pkg/console/queries.html")
def query(question: Question, about: str) -> dict[str, Any]:
    """The same for one query."""
    return queries([question], about)


@register.inclusion_tag("logging_pkg/console/queries.html")
def rule_query(rule: Rule, language: Language) -> dict[str, Any]:
    """The same for a rule, which is asked by Loki's ruler or by Prometheus itself."""
    server = "Loki by its ruler" if language == "LogQL" else "Prometheus by itself"
    return queries([ShownQuery(language, server, rule.query, explore_url(language, rule.query, "1h"))], rule.name)
