"""The demonstration as tests and pictures use it: traffic for a while, and the console as staff see it.

In: its programs, a browser. Out: traffic, a browser that is signed in. Never: starts or stops a program.
"""

from __future__ import annotations

import time

from calendar_sync.demo.programs import PASSWORD, STAFF, Programs
from calendar_sync.demo.traffic import Scenario
from tests.browser import Browser

#: Until every injected trouble has been seen, recorded and alerted of.
TRAFFIC_S = 170


def drive(programs: Programs) -> Scenario:
    """The demonstration's traffic for `TRAFFIC_S`; it goes on until the scenario is stopped."""
    scenario = Scenario(programs, lambda step: print(f" · {step}"))
    scenario.start()
    begin = time.monotonic()
    while (elapsed := time.monotonic() - begin) < TRAFFIC_S:
        scenario.tick(elapsed)
        time.sleep(1)
    return scenario


def sign_in(browser: Browser, web_url: str) -> None:
    """As a member of staff, to the console's overview."""
    browser.open(f"{web_url}/login/?next=/console/")
    browser.type("input[name=username]", STAFF)
    browser.type("input[name=password]", PASSWORD)
    browser.click("button[type=submit]")
    browser.until(lambda: "/console/overview/" in browser.url, "signed in")
