"""Explaining slow SELECTs, after their request and on a connection of its own.

In: slow statements with their parameters. Out: `db.query_explained`. Never: runs what it explains; on by default in
production.
"""
