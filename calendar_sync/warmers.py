"""What is warmed before users come: their dashboards.

In: users who have an account and were here lately. Out: items for `manage.py warm_caches`, the latest user's first.
Never: more than WARMED_USERS.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from calendar_sync.models import GoogleAccount
from calendar_sync.services import DashboardService
from logging_pkg.instrumentation.cache_warming import WarmItem, warmer

WARMED_USERS = 500
ACTIVE_WITHIN = dt.timedelta(days=30)


@warmer("dashboards", order=10)
def dashboards() -> Iterator[WarmItem]:
    """The dashboard of each user who signed in, or was created, within the last 30 days."""
    if settings.DASHBOARD_CACHE_S <= 0:
        return
    since = timezone.now() - ACTIVE_WITHIN
    users = (
        User.objects.filter(Exists(GoogleAccount.objects.filter(user=OuterRef("pk"))), is_active=True)
        .filter(Q(last_login__gte=since) | Q(date_joined__gte=since))
        .order_by(F("last_login").desc(nulls_last=True), "pk")
    )
    for user in users[:WARMED_USERS]:
        service = DashboardService(user)
        # The key first: it holds the version of what is read afterwards.
        yield WarmItem(service.cache_key(), service.read_dashboard, settings.DASHBOARD_CACHE_S)
