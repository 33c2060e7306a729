"""The site with Django's own admin, where calendars lead to the waterfall of what asked for their last sync.

In: requests of staff. Out: the admin's pages. Never: another model.
"""

from django.contrib import admin
from django.urls import path

from calendar_sync.models import Calendar
from calendar_sync.urls import urlpatterns as of_the_site
from logging_pkg.console.admin import TraceLinkMixin


class CalendarAdmin(TraceLinkMixin, admin.ModelAdmin):
    """As docs/CONSOLE.md has it."""

    trace_id_field = "requested_by"
    list_display = ("summary", "trace")


site = admin.AdminSite()
site.register(Calendar, CalendarAdmin)
urlpatterns = [*of_the_site, path("admin/", site.urls)]
