"""The console's views.

In: requests of staff. Out: pages; for HTMX only their middle. Never: a 500 because a server is away, a page that waits
for one: what is not there in time is shown when the page looks again.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings as django_settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from logging_pkg.analysis.filters import ConditionError
from logging_pkg.console import metrics
from logging_pkg.console.access import staff_only, staff_or_token
from logging_pkg.console.desk import Desk
from logging_pkg.console.lists import EventList
from logging_pkg.console.pages import PAGES
from logging_pkg.console.panels import Section
from logging_pkg.console.search import Request, is_id, registry
from logging_pkg.console.selection import RANGES, Selection
from logging_pkg.console.trace_page import View, trace_context

#: How long a page waits for answers, s. What is missing then is shown as under way, and the page looks again at once.
PATIENCE_S = 0.8
#: A metrics endpoint has no second look: s.
METRICS_PATIENCE_S = 5.0
#: Lines of a search.
LINES = 100
_TEMPLATES = "logging_pkg/console"


@staff_only
def home(request: HttpRequest) -> HttpResponse:
    """The console's address leads to the overview."""
    return redirect(reverse("logging_pkg_console:overview") + Selection.of(request.GET).query())


@staff_only
def page(request: HttpRequest, name: str) -> HttpResponse:
    """A page of numbers."""
    shown = PAGES[name]
    desk = Desk(Selection.of(request.GET))
    sections = shown.build(desk)
    context = {"sections": sections, "title": shown.title, "question": shown.question, "name": name}
    return _render(request, desk, "page", context, is_live=True)


@staff_only
def search(request: HttpRequest) -> HttpResponse:
    """Events that fit conditions; an ID leads to its waterfall."""
    asked = Request(request.GET.get("q", "")[:2000], request.GET.get("event", "")[:200])
    if asked.some_id and not asked.event:
        return redirect(reverse("logging_pkg_console:trace_of", args=[asked.some_id]))
    desk = Desk(Selection.of(request.GET))
    context: dict[str, Any] = {
        "title": "Search",
        "question": "Which events have these values?",
        "name": "search",
        "asked": asked,
        "event_names": sorted(registry().events),
        "limit": LINES,
    }
    try:
        query = asked.search(desk.selection).logql()
    except ConditionError as error:
        return _render(request, desk, "search", {**context, "mistake": str(error)}, status=400)
    found = EventList("Events, newest first", (desk.lines(query, LINES),), empty="no such event in this time")
    context |= {"sections": (Section((found,)),), "found": found}
    return _render(request, desk, "search", context, is_live=True)


@staff_only
def trace(request: HttpRequest, some_id: str = "") -> HttpResponse:
    """The waterfall of whatever an ID belongs to."""
    typed = request.GET.get("id", "").strip()[:64]
    if not some_id and is_id(typed):
        # Links of the page are relative to the address of the ID.
        return redirect(reverse("logging_pkg_console:trace_of", args=[typed]))
    some_id = (some_id or typed).strip()[:64]
    desk, view = Desk(Selection.of(request.GET)), View.of(request.GET)
    context: dict[str, Any] = {
        "title": "Trace",
        "question": "What did one cause set off, and what took the time?",
        "name": "trace",
        "some_id": some_id,
    }
    if not some_id:
        return _render(request, desk, "trace", context)
    question = desk.trace(some_id, view.at_ns)
    desk.settle(PATIENCE_S)
    answer = question.answer
    context["answer"] = answer
    if answer.state == "ready":
        context |= trace_context(answer.value, view)
    return _render(request, desk, "trace", context, is_live=context.pop("is_live", answer.state != "ready"))


@staff_only
def runbook(request: HttpRequest, alert: str) -> HttpResponse:
    """The text of an alert's runbook, of this project or of the package."""
    from logging_pkg.pipeline.alert_story import alert_rules  # reads every rule file: not needed to serve other pages

    text = next((rule.runbook() for rule in alert_rules() if rule.rule.name == alert), None)
    if text is None:
        raise Http404(f"no alert {alert!r} with a runbook")
    context = {"title": alert, "question": "What does this alert mean, and what is to be done?", "name": "runbook"}
    desk = Desk(Selection.of(request.GET))
    return _render(request, desk, "runbook", {**context, "alert": alert, "text": text})


@staff_or_token
def metrics_text(_request: HttpRequest) -> HttpResponse:
    """The newest value of every recorded series, for Prometheus."""
    desk = Desk(Selection())
    question = metrics.ask(desk)
    desk.settle(METRICS_PATIENCE_S)
    answer = question.answer
    if answer.state != "ready":
        return HttpResponse(f"# {_reason(answer.problem)}\n", status=503, content_type=metrics.TEXT_TYPE)
    return HttpResponse(metrics.as_text(answer.value), content_type=metrics.TEXT_TYPE)


@staff_or_token
def metrics_json(_request: HttpRequest) -> HttpResponse:
    """The same as JSON."""
    desk = Desk(Selection())
    question = metrics.ask(desk)
    desk.settle(METRICS_PATIENCE_S)
    answer = question.answer
    if answer.state != "ready":
        return JsonResponse({"problem": _reason(answer.problem)}, status=503)
    return JsonResponse(metrics.as_json(answer.value), json_dumps_params={"ensure_ascii": False})


def _reason(problem: str) -> str:
    return " ".join((problem or f"no answer of Prometheus in {METRICS_PATIENCE_S:g} s").split())


def _render(
    request: HttpRequest,
    desk: Desk,
    template: str,
    context: dict[str, Any],
    *,
    is_live: bool = False,
    status: int = 200,
) -> HttpResponse:
    is_part = request.headers.get("HX-Request") == "true"
    environments, services = desk.label_values("env"), desk.label_values("service_name")
    desk.settle(PATIENCE_S)
    chosen = desk.selection
    kept = {name: value for name, value in request.GET.items() if name not in {"range", "env", "service"}}
    context |= {
        "selection": chosen,
        "ranges": list(RANGES),
        "environments": _choices(environments.answer.value, chosen.env),
        "services": _choices(services.answer.value, chosen.service),
        "menu": PAGES.values(),
        "kept": kept,
        "query": chosen.query(),
        "address": request.path + ("?" + urlencode(request.GET) if request.GET else ""),
        "is_live": is_live,
        "is_waiting": desk.is_waiting,
        "body": f"{_TEMPLATES}/{template}.html",
        "now": time.strftime("%H:%M:%S", time.gmtime()),
        "problems": _problems(desk),
        "chosen_fields": [
            item for item in (("range", chosen.range), *sorted(chosen.labels.items())) if item[1] != "1h"
        ],
    }
    response = render(request, f"{_TEMPLATES}/{'live' if is_part else 'base'}.html", context, status=status)
    response.headers.setdefault("Content-Security-Policy", content_security_policy())
    return response


def content_security_policy() -> str:
    """Nothing but the console's own files: no inline script or style, whatever a log line holds."""
    parts = urlsplit(django_settings.STATIC_URL or "")
    files = f"'self' {parts.scheme}://{parts.netloc}" if parts.netloc else "'self'"
    return (
        f"default-src 'none'; script-src {files}; style-src {files}; img-src {files}; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _problems(desk: Desk) -> list[dict[str, str]]:
    """What went wrong, once per server."""
    found: dict[str, str] = {}
    for question in desk.questions:
        answer = question.answer
        if answer.state == "failed" and question.server not in found:
            found[question.server] = answer.problem
    return [{"server": server, "text": text} for server, text in found.items()]


def _choices(found: Any, chosen: str) -> list[str]:
    return sorted({*(found or ()), *([chosen] if chosen else [])})
