"""A small project whose rules, panel, runbook and tests read the event of `declarations`.

In: a directory. Out: its files. Never: the repository's own.
"""

from __future__ import annotations

import json
from pathlib import Path

RULES = """\
groups:
  - name: shop
    rules:
      - alert: PhoneOrders
        expr: sum by (service_name, env, shop) (rate({event="shop.order_placed"} | json shop="shop", channel="channel" | channel="phone" [5m])) > 1
        annotations:
          dashboard_url: '{{ printf `channel:orders:rate_5m{channel=%q}` $labels.channel }}'
          logs_url: '{{ printf `{event="shop.order_placed", env=%q} | json lines="lines[0].sku"` $labels.env }}'
      - alert: AnyEvent
        expr: sum(count_over_time({service_name=~".+"} | json | customer="x" [5m])) > 1
"""
DASHBOARD = {
    "title": "Shop",
    "panels": [
        {
            "title": "Order time",
            "targets": [{"datasource": {"uid": "prometheus"}, "expr": "shop:order_time_ms:p95_5m{shop=~'.+'}"}],
        },
        {
            "title": "Orders",
            "targets": [{"datasource": {"uid": "loki"}, "expr": '{event=~"shop.*"} | json c="channel" | c=~"pho.*"'}],
        },
    ],
}
RUNBOOK = """\
# PhoneOrders

An order is `shop.order_placed`.

```logql
avg_over_time({event="shop.order_placed"} | json duration_ms="duration_ms" | unwrap duration_ms [5m]) by (env)
```
"""
TESTS = """\
rule_files: [../rules/alerts.yaml]
tests:
  - name: fires on phone orders
    input_events:
      - event: shop.order_placed
        fields: {shop: a, channel: phone}
      - {event: shop.order_placed, fields: {channel: web, line_count: 1}}
      - {event: other.thing_done, fields: {channel: phone}}
    logql_expr_test:
      - expr: count_over_time({event="shop.order_placed"}[1m])
"""


def write_project(root: Path) -> Path:
    """Write the files; the project's root."""
    for name, text in (
        ("loki/rules/alerts.yaml", RULES),
        ("grafana/dashboards/shop.json", json.dumps(DASHBOARD, indent=2)),
        ("docs/runbooks/PhoneOrders.md", RUNBOOK),
        ("docs/EVENTS.md", "shop.order_placed channel:orders:rate_5m\n"),
        ("loki/tests/alerts_test.yaml", TESTS),
        ("vector.toml", 'declared_events = ["shop.order_placed"]\n'),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root
