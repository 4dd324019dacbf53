"""What a table is: its columns, units and rules. Validation is a filter plus an account."""

from prodromal.tables.account import Account
from prodromal.tables.canonical import TABLES
from prodromal.tables.rules import RULES, Rule
from prodromal.tables.schema import Column, Kind, Table

__all__ = ["RULES", "TABLES", "Account", "Column", "Kind", "Rule", "Table"]
