"""Fault injection: real searches killed, stopped, starved of disk, damaged and watched.

A scenario does one kind of harm to a search that it runs as a user would, `hpsearch run` in a
process of its own, and carries it on with the same command. What the finished database must hold in
spite of it is in `checker`; what came of it is a `Row` of the table that `scripts/inject` prints.
"""
