"""The calendar application: it syncs its users' Google calendars, and it is what logging_pkg watches.

In: browser requests, management commands, answers of the Google Calendar API.
Out: pages, rows in the database, and (through logging_pkg) events.
Never: a metric computed in the process; every number comes from the events.
"""
