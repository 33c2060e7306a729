"""What the pages show and do, without HTTP.

In: a user, an account, a calendar.
Out: plain values for templates; rows changed.
Never: requests, responses, calls to Google.
"""

from calendar_sync.services.calendars import CalendarService
from calendar_sync.services.dashboard import AccountSummary, Dashboard, DashboardService
from calendar_sync.services.dashboard_cache import forget_dashboard
from calendar_sync.services.engagement import record

__all__ = ["AccountSummary", "CalendarService", "Dashboard", "DashboardService", "forget_dashboard", "record"]
