"""Watching Django's caches: what is done with them per unit and outside, and what they hold.

In: calls of the backends. Out: totals of the running unit, `cache.usage_reported`.
Never: a changed key, value or result.
"""
