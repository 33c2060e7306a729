"""What a process uses, and how much there is of it: CPU, memory, files, collections, connections, disk, pressure.

In: /proc, cgroups, Python's own counters. Out: plain fields of `process.sampled`; what the system does not tell is left
out. Never: a query, a third-party library, an exception.
"""
