"""Pure functions over events: traces, completeness.

In: events as dicts, counts. Out: frozen values. Never: network, files, Django.
"""
