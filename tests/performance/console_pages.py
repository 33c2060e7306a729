"""Ask for every page of the console, so often, with no answer kept, and print how long each took, ms.

In: addresses of Loki, Prometheus and Alertmanager, how often. Out: JSON, `{"overview": [212.0, …]}`. Never: a page that waits
for an answer, or lacks one.
"""

from __future__ import annotations

import os
import sys
import time

import orjson


def main(loki: str, prometheus: str, alertmanager: str, rounds: int) -> None:
    """Measure in this process, as staff."""
    os.environ |= {
        "DATABASE_URL": "sqlite://:memory:",
        "DEBUG": "0",
        "DJANGO_SETTINGS_MODULE": "calendar_sync.settings",
        "LOGPIPE_ALERTMANAGER_URL": alertmanager,
        "LOGPIPE_LOKI_URL": loki,
        "LOGPIPE_PROMETHEUS_URL": prometheus,
        "LOGPIPE_SINK": "none",
        "SECRET_KEY": "of-a-benchmark",
    }
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    from logging_pkg.console import asking, servers, views
    from logging_pkg.console.pages import PAGES

    call_command("migrate", verbosity=0)
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.create_user("operator", is_staff=True))
    # However slow: it is measured here, not given up.
    views.PATIENCE_S = servers.TIMEOUT_S = 30.0
    times: dict[str, list[float]] = {name: [] for name in [*PAGES, "search"]}
    for number in range(rounds + 1):
        for name, taken in times.items():
            asking.forget()
            start = time.perf_counter()
            answer = client.get(f"/console/{name}/")
            length_ms = 1000 * (time.perf_counter() - start)
            text = answer.content.decode()
            if answer.status_code != 200 or 'data-state="ready"' not in text:
                sys.exit(f"{name}: status {answer.status_code}: {text[text.find('banner bad') :][:1000]}")
            if number:  # the first round imports and compiles
                taken.append(length_ms)
    sys.stdout.buffer.write(orjson.dumps(times))


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]))
