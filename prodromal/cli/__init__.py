"""The command line: the only place that prints, reads arguments or exits."""

from prodromal.cli.app import main

__all__ = ["main"]
