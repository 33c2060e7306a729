"""The demonstration: the whole pipeline on real servers, real traffic, and a report made from the logs alone.

In: nothing. Out: running programs and a report. Never: a number of its own.
"""
