"""From a source column to a typed one, in SQL: each column yields its value and what there is to say about it."""

from __future__ import annotations

from dataclasses import dataclass

from prodromal import atc
from prodromal.sources.engine import literal
from prodromal.tables import Column, Kind

__all__ = ["Parsed", "SourceColumn", "absent", "parse"]

_FIELD_LENGTHS = {"%Y": 4, "%m": 2, "%d": 2}
_YEAR_OR_MONTH = "[0-9]{4}([-/.]?(0[0-9]|1[0-2]))?([-/.]?00)?"
_MAY_BE_INCOMPLETE = ("birth_date", "death_date")
_SEX = {
    "M": ("M", "MALE", "MAN", "MAND", "MANN", "1"),
    "F": ("F", "FEMALE", "W", "WOMAN", "K", "KVINNA", "KVINDE", "KVINNE", "2"),
    "U": ("U", "UNKNOWN", "0", "9"),
}


@dataclass(frozen=True)
class SourceColumn:
    """A column as the source has it: its SQL expression and type, and how its values are written."""

    expression: str
    sql_type: str
    date_format: str = "%Y-%m-%d"
    decimal: str = "."

    @property
    def text(self) -> str:
        """The value as text without blanks around it."""
        return f"trim({self.expression})" if self.sql_type == "VARCHAR" else f"CAST({self.expression} AS VARCHAR)"

    @property
    def given(self) -> str:
        """Whether something stands there."""
        return f"({self.expression} IS NOT NULL AND {self.text} <> '')"


@dataclass(frozen=True)
class Parsed:
    """SQL expressions for one canonical column; `repaired` names and counts kept values that were changed."""

    value: str
    given: str
    malformed: str = "FALSE"
    partial: str = "FALSE"
    repaired: tuple[tuple[str, str], ...] = ()


def absent(column: Column) -> Parsed:
    """A column that the source does not have."""
    return Parsed(f"CAST(NULL AS {column.kind.sql_type})", "FALSE")


def parse(column: Column, source: SourceColumn) -> Parsed:
    """Expressions that read the canonical `column` from `source`."""
    match column.kind:
        case Kind.DATE if source.sql_type == "DATE" or source.sql_type.startswith("TIMESTAMP"):
            return Parsed(f"CAST({source.expression} AS DATE)", source.given)
        case Kind.DATE if column.name in _MAY_BE_INCOMPLETE:
            return _incomplete_date(column.name, source)
        case Kind.DATE:
            return _date(source)
        case Kind.SEX:
            return _sex(source)
        case Kind.ATC:
            return _atc(source)
        case Kind.REAL | Kind.INTEGER:
            return _number(column, source)
        case _:
            return Parsed(f"CASE WHEN {source.given} THEN {source.text} END", source.given)


def _sex(source: SourceColumn) -> Parsed:
    word = f"upper({source.text})"
    cases = " ".join(f"WHEN {word} IN ({', '.join(map(literal, words))}) THEN '{sex}'" for sex, words in _SEX.items())
    known = ", ".join(literal(word) for words in _SEX.values() for word in words)
    unknown = f"{source.given} AND {word} NOT IN ({known})"
    return Parsed(f"CASE {cases} ELSE 'U' END", source.given, repaired=(("sex_unknown", unknown),))


def _atc(source: SourceColumn) -> Parsed:
    code = f"upper(regexp_replace({source.text}, '\\s', '', 'g'))"
    well_formed = f"regexp_full_match({code}, {literal(atc.FORM)})"
    return Parsed(
        f"CASE WHEN {well_formed} THEN {code} END",
        source.given,
        malformed=f"({source.given} AND NOT {well_formed})",
        repaired=(("atc_repaired", f"{well_formed} AND {source.expression} <> {code}"),),
    )


def _number(column: Column, source: SourceColumn) -> Parsed:
    if source.sql_type == "VARCHAR":
        plain = f"replace({source.text}, ',', '.')" if source.decimal == "," else source.text
        number = f"try_cast({plain} AS DOUBLE)"
    else:
        number = f"CAST({source.expression} AS DOUBLE)"
    readable = f"coalesce(isfinite({number}) AND abs({number}) < 1e30, FALSE)"
    if column.kind is Kind.INTEGER:
        readable = f"({readable} AND {number} = floor({number}))"
    low, high = column.plausible or ((-32768, 32767) if column.kind is Kind.INTEGER else (-1e30, 1e30))
    within = f"{number} BETWEEN {low} AND {high}"
    return Parsed(
        f"CASE WHEN {readable} AND {within} THEN CAST({number} AS {column.kind.sql_type}) END",
        source.given,
        malformed=f"({source.given} AND NOT {readable})",
        repaired=((f"{column.name}_implausible", f"{source.given} AND {readable} AND NOT ({within})"),),
    )


def _date(source: SourceColumn) -> Parsed:
    full = _strict_date(source.text, source.date_format)
    partial = f"({source.given} AND {full} IS NULL AND regexp_full_match({source.text}, '{_YEAR_OR_MONTH}'))"
    malformed = f"({source.given} AND {full} IS NULL AND NOT {partial})"
    return Parsed(full, source.given, malformed=malformed, partial=partial)


def _incomplete_date(name: str, source: SourceColumn) -> Parsed:
    """A date of birth or death of which only the year or month is known: mid-period for birth, its end for death."""
    exact = _date(source)
    digits = f"regexp_replace({source.text}, '[-/.]', '', 'g')"
    year, month = f"CAST(left({digits}, 4) AS INTEGER)", f"CAST(substr({digits}, 5, 2) AS INTEGER)"
    if name == "birth_date":
        of_year, of_month = f"make_date({year}, 7, 1)", f"make_date({year}, {month}, 15)"
    else:
        of_year, of_month = f"make_date({year}, 12, 31)", f"last_day(make_date({year}, {month}, 1))"
    value = f"""CASE WHEN NOT {exact.partial} THEN {exact.value}
        WHEN {year} = 0 THEN NULL
        WHEN length({digits}) = 4 OR substr({digits}, 5, 2) = '00' THEN {of_year}
        ELSE {of_month} END"""
    return Parsed(
        value,
        exact.given,
        malformed=f"({source.given} AND ({value}) IS NULL)",
        partial=exact.partial,
        repaired=((f"{name}_incomplete", exact.partial),),
    )


def _strict_date(text: str, form: str) -> str:
    parsed = f"CAST(try_strptime({text}, {literal(form)}) AS DATE)"
    rest, length = form, 0
    for mark, digits in _FIELD_LENGTHS.items():
        length += rest.count(mark) * digits
        rest = rest.replace(mark, "")
    if "%" in rest:
        return f"CASE WHEN strftime({parsed}, {literal(form)}) = {text} THEN {parsed} END"
    return f"CASE WHEN length({text}) = {length + len(rest)} THEN {parsed} END"
