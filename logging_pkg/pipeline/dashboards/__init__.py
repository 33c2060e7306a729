"""Grafana dashboards, written from the catalogue, the schemas and the rules.

In: a registry, rule files, runbooks. Out: dashboard JSON. Never: a Grafana.
"""
