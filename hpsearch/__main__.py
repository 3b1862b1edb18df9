"""`python -m hpsearch`, the same as the console script."""

from hpsearch.cli import main

main()
