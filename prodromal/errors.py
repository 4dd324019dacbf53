"""Every error that prodromal raises on purpose, with the exit code that the command line gives it.

Messages carry counts, names of columns, files and settings; never a value from a row and never a person's id.
"""

from __future__ import annotations

__all__ = [
    "BundleError",
    "DataError",
    "DefinitionError",
    "NotEstimable",
    "OutputError",
    "ProdromalError",
]


class ProdromalError(Exception):
    """Base of all errors raised on purpose; ``exit_code`` is what the command line exits with."""

    exit_code = 1


class DefinitionError(ProdromalError, ValueError):
    """A plan, a configuration or an argument asks for something that is not defined (exit 10)."""

    exit_code = 10


class DataError(ProdromalError, ValueError):
    """The data cannot be read as what they are said to be (exit 11)."""

    exit_code = 11


class BundleError(ProdromalError, ValueError):
    """A model bundle is damaged, foreign, or does not fit what it is given (exit 12)."""

    exit_code = 12


class NotEstimable(ProdromalError, ValueError):
    """The data are sound, but the quantity asked for cannot be estimated from them (exit 13)."""

    exit_code = 13


class OutputError(ProdromalError, OSError):
    """An output cannot be written: disk, permission, or another writer holds it (exit 14)."""

    exit_code = 14
