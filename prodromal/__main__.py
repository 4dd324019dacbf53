"""``python -m prodromal``."""

from prodromal.cli import main

main()
