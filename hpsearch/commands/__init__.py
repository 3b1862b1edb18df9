"""The commands, one a file: they parse options and print results; the work is done elsewhere.

Heavy packages are imported inside the commands, so that `hpsearch --help` answers at once.
"""
