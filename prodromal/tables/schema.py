"""Columns and tables as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Column", "Kind", "Table"]


class Kind(Enum):
    """What a column holds."""

    ID = "id"
    DATE = "date"
    SEX = "sex"
    ATC = "atc"
    TEXT = "text"
    REAL = "number"
    INTEGER = "whole number"

    @property
    def sql_type(self) -> str:
        """The type that DuckDB stores."""
        return {Kind.DATE: "DATE", Kind.REAL: "FLOAT", Kind.INTEGER: "SMALLINT"}.get(self, "VARCHAR")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    name : str
        Canonical name, with its unit where it has one.
    kind : Kind
        What it holds.
    meaning : str
        One phrase, unit included.
    required : bool
        Whether a source must have it.
    plausible : (float, float), optional
        Smallest and largest value that is kept; a value outside becomes missing and is counted.
    """

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    plausible: tuple[float, float] | None = None


@dataclass(frozen=True)
class Table:
    """A table: its name, its columns in order, and the columns that sort it."""

    name: str
    columns: tuple[Column, ...]
    sort: tuple[str, ...]

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that a source must have."""
        return tuple(column.name for column in self.columns if column.required)
