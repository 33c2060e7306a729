"""Pages that are bad on purpose, so that monitoring has something to find. They exist only where DEMO_PAGES is set.

In: requests of signed-in users.
Out: pages that are slow, stuck or failing, ask too much of the database or of others, or leave work behind.
Never: a good example.
"""

from __future__ import annotations

import contextvars
import threading
import time
from typing import TYPE_CHECKING

import requests
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.db.models import Count, F, OuterRef, Subquery
from django.db.models.functions import ExtractYear
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

import logging_pkg
from calendar_sync.models import Event

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    class Request(HttpRequest):
        """A request past the sign-in check."""

        user: User


SLOW_REPORT_S = 1.2
N_PLUS_ONE_ROWS = 50
OVERLAP_ROWS = 10
#: Longer than the setting STUCK_REQUEST_THRESHOLD_S.
STUCK_REPORT_S = 22.0
#: How long after its response a report is still at work.
LATE_REPORT_S = 0.5
NEIGHBOUR_TIMEOUT_S = 5.0


class ReportFailed(RuntimeError):
    """What /reports/error/ raises."""


@require_safe
@login_required
def index(request: Request) -> HttpResponse:
    """Says what each report is there for."""
    return render(request, "calendar_sync/reports/index.html")


@require_safe
@login_required
def slow(request: Request) -> HttpResponse:
    """Events per year, after a sleep of SLOW_REPORT_S seconds that stands for an export nobody has optimised."""
    time.sleep(SLOW_REPORT_S)
    years = (
        Event.objects.filter(calendar__account__user=request.user)
        .order_by()
        .values(year=ExtractYear("starts_at"))
        .annotate(event_count=Count("pk"))
        .order_by("-year")
    )
    return render(request, "calendar_sync/reports/slow.html", {"years": years, "seconds": SLOW_REPORT_S})


@require_safe
@login_required
def n_plus_one(request: Request) -> HttpResponse:
    """The latest events with their calendars' names: one query for the events, and one more for each event's calendar.

    `select_related("calendar")` would make it one; leaving it out is the classic mistake.
    """
    events = Event.objects.filter(calendar__account__user=request.user).order_by("-starts_at")[:N_PLUS_ONE_ROWS]
    rows = [(event, event.calendar.summary) for event in events]
    return render(request, "calendar_sync/reports/n_plus_one.html", {"rows": rows})


@require_safe
@login_required
def error(request: Request) -> HttpResponse:
    """Raises ReportFailed."""
    raise ReportFailed("the report for this demonstration always fails")


@require_safe
@login_required
def overlaps(request: Request) -> HttpResponse:
    """Events with most others at the same time: no index can serve that, so each event is held against all."""
    same_time = (
        Event.objects.filter(starts_at__lt=OuterRef("ends_at"), ends_at__gt=OuterRef("starts_at"))
        .order_by()
        .annotate(one=F("status"))
        .values("one")
        .annotate(count=Count("pk"))
        .values("count")[:1]
    )
    events = Event.objects.filter(calendar__account__user=request.user).annotate(overlap_count=Subquery(same_time))
    rows = list(events.order_by("-overlap_count", "pk")[:OVERLAP_ROWS])
    return render(request, "calendar_sync/reports/overlaps.html", {"rows": rows})


@require_safe
@login_required
def stuck(request: Request) -> HttpResponse:
    """Waits STUCK_REPORT_S seconds for something that does not come."""
    time.sleep(STUCK_REPORT_S)
    return _done(request, "Stuck", f"This page waited {STUCK_REPORT_S:g} s for something that did not come.")


@require_safe
@login_required
def late(request: Request) -> HttpResponse:
    """Answers at once, and goes on in a thread: what that does belongs to a request that has been told of already."""
    user_id = request.user.pk

    def finish() -> None:
        time.sleep(LATE_REPORT_S)
        cache.set(f"late-report-{user_id}", time.time(), 60)

    threading.Thread(target=contextvars.copy_context().run, args=(finish,), name="late report").start()
    return _done(request, "Late", f"This page still works, for {LATE_REPORT_S:g} s after its response.")


@require_safe
@login_required
def neighbour(request: Request) -> HttpResponse:
    """Asks another service over HTTP while the user waits; here it is the site's own health page."""
    try:
        status = requests.get(request.build_absolute_uri(reverse("healthz")), timeout=NEIGHBOUR_TIMEOUT_S).status_code
        answer = f"It answered {status}."
    except requests.RequestException as error:
        answer = f"It did not answer: {type(error).__name__}."
    return _done(request, "Neighbour", f"This page asked another service while you waited. {answer}")


@require_safe
@login_required
def rejected(request: Request) -> HttpResponse:
    """Emits an event that its schema does not allow: in strict mode an error, elsewhere it is told of."""
    logging_pkg.emit("sync.schedule_checked", late_count="many")
    return _done(request, "Rejected", "This page wrote an event that its schema does not allow.")


def _done(request: Request, title: str, text: str) -> HttpResponse:
    return render(request, "calendar_sync/reports/done.html", {"title": title, "text": text})
