"""Watching Django's databases: queries, transactions, and what a finished unit says about them.

In: what Django hands to its connections. Out: totals of the running unit, `db.*` findings.
Never: changes a statement, its result or its exception; adds a query.
"""
