"""`python -m logging_pkg.cli`: the `logpipe` command where its script is not on the PATH."""

from logging_pkg.cli import main

main()
