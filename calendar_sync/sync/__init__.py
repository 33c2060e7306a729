"""The sync engine: makes the local copy of an account's calendars equal to Google's.

In: an account, and what set the sync off.
Out: rows as Google has them, a report, and one sync.run_finished per list of calendars and per calendar.
Never: two syncs of one calendar at once, or one calendar's failure stopping another's sync.
"""

from calendar_sync.sync.engine import (
    AccountReport,
    ResourceReport,
    sync_account,
    sync_calendar,
    sync_calendar_list,
)
from calendar_sync.sync.lease import LeaseLost, SyncInProgress
from calendar_sync.sync.requests import late_calendars, request_sync, take_requests

__all__ = [
    "AccountReport",
    "LeaseLost",
    "ResourceReport",
    "SyncInProgress",
    "late_calendars",
    "request_sync",
    "sync_account",
    "sync_calendar",
    "sync_calendar_list",
    "take_requests",
]
