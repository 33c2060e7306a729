"""What watches an application: requests, database, Google API, syncs, functions, the process.

In: calls of the watched libraries. Out: events. Never: changes a result, adds a query, raises into what it watches.
"""
