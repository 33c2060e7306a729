"""A Google Calendar v3 server for development and tests, on loopback, over real HTTP.

In: HTTP requests as google-api-python-client sends them, and requests to its own `/_control/`.
Out: answers of the shape Google documents, seeded with the public holidays of real countries.
Never: Django, the network outside, or state on disk: a restart starts afresh (old sync tokens answer 410).
"""

from calendar_sync.fake_google.application import FakeGoogle
from calendar_sync.fake_google.clock import Clock
from calendar_sync.fake_google.control_client import ControlClient
from calendar_sync.fake_google.quota import QuotaLimits
from calendar_sync.fake_google.seed import SeedOptions, demo_accounts
from calendar_sync.fake_google.server import FakeGoogleServer

__all__ = [
    "Clock",
    "ControlClient",
    "FakeGoogle",
    "FakeGoogleServer",
    "QuotaLimits",
    "SeedOptions",
    "demo_accounts",
]
