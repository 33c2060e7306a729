"""Django settings of the test session: the application's own, with a key of no worth.

In: calendar_sync.settings. Out: the same. Never: a setting that makes the tests differ from production code.
"""

import os

os.environ.setdefault("SECRET_KEY", "tests only")

from calendar_sync.settings import *  # noqa: E402, F403
