"""The statement that reads one relation into one staged table: parse, then judge by the rules that need no person."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prodromal.sources.engine import identifier, literal
from prodromal.sources.relation import COPY, FILE, LEFT_OUT, RAW, ROW, RULE, Relation
from prodromal.tables import RULES, Kind, Rule, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prodromal.sources.columns import Parsed
    from prodromal.sources.doses import DoseColumns

__all__ = ["COPIED", "LEFT_OUT_MARK", "create", "insert", "raw_name", "rules_of_persons"]

# In front of the reason of a row that is left out, where the rule of a rejected row stands; a kept row has none.
LEFT_OUT_MARK = "-"
# The bit of `repairs` that marks a row added to a source row.
COPIED = 1 << 15
_FLAG = re.compile(r"\b(\w+?)_(given|malformed|partial)\b")
_OF_PERSONS = re.compile(r"\b(person|relative|latest)\b")


def create(table: Table, *, id_type: str, placed: bool, dosed: bool) -> str:
    """SQL that makes the staged table; `placed` rows know their file and row, others are numbered by ``rowid``.

    `dosed` rows know what their DDDs are computed from.
    """
    columns = ", ".join(f"{c.name} {id_type if c.kind is Kind.ID else c.kind.sql_type}" for c in table.columns)
    place = "file INTEGER, row BIGINT, " if placed else ""
    doses = ", amount DOUBLE, unit VARCHAR, route VARCHAR" if dosed else ""
    return (
        f"CREATE TABLE {table.name} "
        f"({place}{columns}, fingerprint UBIGINT, rule VARCHAR, repairs USMALLINT, raw VARCHAR{doses})"
    )


def insert(
    table: Table,
    parsed: Mapping[str, Parsed],
    origin: Relation,
    *,
    used_columns: Iterable[str],
    placed: bool,
    latest: str,
    doses: DoseColumns | None = None,
) -> str:
    """SQL that reads `origin` into the staged table, in the order of its rows.

    Parameters
    ----------
    table : Table
        Canonical table.
    parsed : mapping of str to Parsed
        Expressions for each canonical column.
    origin : Relation
        Where the rows come from.
    used_columns : iterable of str
        Source columns that `parsed` uses: kept as raw text of a rejected row.
    placed : bool
        Whether the staged table has the columns file and row.
    latest : str
        SQL date: the last day that the extract can contain.
    doses : DoseColumns, optional
        What DDDs are computed from, for a table that is `dosed`.
    """
    used = list(dict.fromkeys(used_columns))
    shown = [*used, *(doses.columns if doses else ())]
    wanted = f"{LEFT_OUT} IS NULL" if LEFT_OUT in origin.types else "TRUE"
    clean = " AND ".join([wanted, *(p.clean for p in parsed.values() if p.clean != "TRUE")])
    reads = "".join(f", {p.read} AS read_{name}" for name, p in parsed.items() if p.read != "NULL")
    values = ", ".join(f"{p.value} AS {name}" for name, p in parsed.items())
    copied = f" + {COPIED} * CAST({COPY} > 0 AS INTEGER)" if COPY in origin.types else ""
    left_out = f"CASE WHEN {wanted} THEN rule ELSE '{LEFT_OUT_MARK}' || {LEFT_OUT} END" if wanted != "TRUE" else "rule"
    place = f"{_own(origin, FILE)}, {_own(origin, ROW)}, " if placed else ""
    dose = f", {doses.amount}, {doses.unit}, {doses.route}" if doses else ""
    return f"""
        INSERT INTO {table.name}
        SELECT {place}{", ".join(table.names)}, {_fingerprint(origin, used, wanted)}, {left_out},
            CASE WHEN clean OR NOT {wanted} THEN 0 ELSE {_repairs(parsed)} END{copied},
            CASE WHEN {wanted} AND rule IS NOT NULL THEN {_raw(origin, shown)} END{dose}
        FROM (SELECT *, CASE WHEN {wanted} THEN {_judged(table, parsed, origin)} END AS rule
              FROM (SELECT *, {latest} AS latest, coalesce({clean}, FALSE) AS clean
                    FROM (SELECT *, {values} FROM (SELECT *{reads} FROM {_renamed(origin)}))))"""


def raw_name(column: str) -> str:
    """A source column inside the statement, quoted; the prefix keeps it apart from the canonical ones."""
    return identifier(f"raw {column}")


def rules_of_persons(table: Table) -> tuple[Rule, ...]:
    """Rules that compare a row with its person or the extract; they are asked after all others."""
    rules = RULES[table.name]
    first = next((place for place, rule in enumerate(rules) if _OF_PERSONS.search(rule.condition)), len(rules))
    return () if table.name == "persons" else rules[first:]


def _renamed(origin: Relation) -> str:
    columns = [f"{identifier(name)} AS {raw_name(name)}" for name in origin.columns]
    reserved = [name for name in origin.types if name not in origin.columns]
    return f"(SELECT {', '.join(columns + reserved)} FROM ({origin.sql}))"


def _own(origin: Relation, name: str) -> str:
    default = {FILE: "0", ROW: "row_number() OVER ()"}[name]
    return name if name in origin.types else default


def _judged(table: Table, parsed: Mapping[str, Parsed], origin: Relation) -> str:
    """The first rule that applies; a clean row cannot break a rule about how a value was given."""
    of_persons = rules_of_persons(table)
    own = [rule for rule in RULES[table.name] if rule not in of_persons]
    of_values = [(rule.condition, rule.name) for rule in own if not _FLAG.search(rule.condition)]
    asked = [(_spelled_out(rule.condition, parsed), rule.name) for rule in own]
    if of_persons:
        asked += [(f"{c.name} IS NULL", f"unknown_{c.name[:-3]}") for c in table.columns if c.kind is Kind.ID]
    verdict = f"CASE WHEN clean THEN {_first(of_values)} ELSE {_first(asked)} END"
    return f"coalesce({RULE}, {verdict})" if RULE in origin.types else verdict


def _spelled_out(condition: str, parsed: Mapping[str, Parsed]) -> str:
    return _FLAG.sub(lambda flag: f"({getattr(parsed[flag[1]], flag[2])})", condition)


def _first(rules: Iterable[tuple[str, str]]) -> str:
    cases = " ".join(f"WHEN {condition} THEN {literal(name)}" for condition, name in rules)
    return f"CASE {cases} END" if cases else "NULL"


def _repairs(parsed: Mapping[str, Parsed]) -> str:
    flags = [condition for p in parsed.values() for _, condition in p.repaired]
    return " + ".join(f"CASE WHEN {flag} THEN {1 << bit} ELSE 0 END" for bit, flag in enumerate(flags)) or "0"


def _fingerprint(origin: Relation, used: list[str], wanted: str) -> str:
    """What tells rows with equal values apart: columns that have no value here, and values that were not clean."""
    told = {name for name in used if not origin.types[name].startswith("TIMESTAMP")}
    others = sorted(set(origin.columns) - told)
    unclean = f"CASE WHEN clean THEN 0 ELSE {_hash(sorted(origin.columns))} END"
    whole = f"xor({_hash(others)}, {unclean})" if others else unclean
    return f"CASE WHEN {wanted} THEN {whole} END" if wanted != "TRUE" else whole


def _hash(columns: Iterable[str]) -> str:
    return f"hash({', '.join(map(raw_name, columns))})"


def _raw(origin: Relation, used: Iterable[str]) -> str:
    fields = ", ".join(f"{literal(name)}: {raw_name(name)}" for name in used)
    text = f"CAST(to_json({{{fields}}}) AS VARCHAR)" if fields else "''"
    return f"coalesce({RAW}, {text})" if RAW in origin.types else text
