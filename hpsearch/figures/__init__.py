"""The figures of a study, one a file: first plain data, then a plot of it. No PyTorch in here."""
