"""From a source column to a typed one, in SQL: each column yields its value and what there is to say about it.

Every row pays for `read`, `value` and `clean`; the other expressions are asked only of rows that are not clean.
"""

from __future__ import annotations

from dataclasses import dataclass

from prodromal import atc
from prodromal.sources.engine import literal
from prodromal.tables import Column, Kind

__all__ = ["Parsed", "SourceColumn", "absent", "as_number", "parse"]

_ISO = "%Y-%m-%d"
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
    def is_text(self) -> bool:
        """Whether it holds text."""
        return self.sql_type == "VARCHAR"

    @property
    def text(self) -> str:
        """The value as text without blanks around it."""
        return f"trim({self.expression})" if self.is_text else f"CAST({self.expression} AS VARCHAR)"

    @property
    def given(self) -> str:
        """Whether something stands there."""
        return f"({self.expression} IS NOT NULL AND {self.text} <> '')"


@dataclass(frozen=True)
class Parsed:
    """SQL expressions for one canonical column.

    Parameters
    ----------
    value : str
        The typed value; may use `read`.
    given : str
        Whether something stands there.
    clean : str
        Whether it is given as it should be, so that there is nothing more to say about it.
    read : str
        What `value` is made from, named ``read_<column>``.
    malformed, partial : str
        Whether it could not be read, and whether it is a year or month only.
    repaired : tuple of (str, str)
        Names and conditions of repairs to a kept value.
    """

    value: str
    given: str
    clean: str
    read: str = "NULL"
    malformed: str = "FALSE"
    partial: str = "FALSE"
    repaired: tuple[tuple[str, str], ...] = ()


def absent(column: Column) -> Parsed:
    """A column that the source does not have."""
    return Parsed(f"CAST(NULL AS {column.kind.sql_type})", given="FALSE", clean="TRUE")


def parse(column: Column, source: SourceColumn, *, id_type: str = "VARCHAR") -> Parsed:
    """Expressions that read the canonical `column` from `source`; ids become `id_type`."""
    match column.kind:
        case Kind.ID:
            return _whole_number_id(column, source) if id_type == "BIGINT" else _text(column, source)
        case Kind.DATE if source.sql_type == "DATE" or source.sql_type.startswith("TIMESTAMP"):
            return Parsed(f"CAST({source.expression} AS DATE)", source.given, _kept(column, source))
        case Kind.DATE if column.name in _MAY_BE_INCOMPLETE:
            return _incomplete_date(column, source)
        case Kind.DATE:
            return _date(column, source)
        case Kind.SEX:
            return _sex(source)
        case Kind.ATC:
            return _atc(column, source)
        case Kind.REAL | Kind.INTEGER:
            return _number(column, source)
        case _:
            return _text(column, source)


def _kept(column: Column, source: SourceColumn) -> str:
    value = f"{column.name} IS NOT NULL"
    return value if column.required else f"({value} OR {source.expression} IS NULL)"


def _text(column: Column, source: SourceColumn) -> Parsed:
    return Parsed(f"CASE WHEN {source.given} THEN {source.text} END", source.given, _kept(column, source))


def _whole_number_id(column: Column, source: SourceColumn) -> Parsed:
    """A whole number written as the persons table writes it; any other id names nobody."""
    number = f"try_cast({source.expression} AS BIGINT)"
    if not source.is_text:
        return Parsed(number, source.given, _kept(column, source))
    read, name = f"CAST({number} AS VARCHAR)", f"read_{column.name}"
    value = f"CASE WHEN {name} = {source.expression} OR {name} = {source.text} THEN {number} END"
    return Parsed(value, source.given, _kept(column, source), read)


def _sex(source: SourceColumn) -> Parsed:
    word = f"upper({source.text})"
    cases = " ".join(f"WHEN {word} IN ({', '.join(map(literal, words))}) THEN '{sex}'" for sex, words in _SEX.items())
    known = ", ".join(literal(word) for words in _SEX.values() for word in words)
    unknown = f"{source.given} AND {word} NOT IN ({known})"
    return Parsed(f"CASE {cases} ELSE 'U' END", source.given, clean="sex <> 'U'", repaired=(("sex_unknown", unknown),))


def _atc(column: Column, source: SourceColumn) -> Parsed:
    text = source.expression if source.is_text else source.text
    code = f"upper(regexp_replace({source.text}, '\\s', '', 'g'))"
    well_formed = f"regexp_full_match({code}, {literal(atc.FORM)})"
    return Parsed(
        f"CASE WHEN {text} = read_atc THEN read_atc WHEN {well_formed} THEN {code} END",
        source.given,
        clean="atc = read_atc" if column.required else f"(atc = read_atc OR {text} IS NULL)",
        read=f"CASE WHEN regexp_full_match({text}, {literal(atc.FORM)}) THEN {text} END",
        malformed=f"({source.given} AND NOT {well_formed})",
        repaired=(("atc_repaired", f"{well_formed} AND {text} <> {code}"),),
    )


def as_number(source: SourceColumn) -> str:
    """The value as a DOUBLE, NULL if it is no number."""
    if not source.is_text:
        return f"CAST({source.expression} AS DOUBLE)"
    plain = f"replace({source.text}, ',', '.')" if source.decimal == "," else source.expression
    return f"try_cast({plain} AS DOUBLE)"


def _number(column: Column, source: SourceColumn) -> Parsed:
    number = f"read_{column.name}"
    whole = f"{number} = floor({number})" if column.kind is Kind.INTEGER else "TRUE"
    readable = f"coalesce({number} BETWEEN -1e30 AND 1e30 AND {whole}, FALSE)"
    low, high = column.plausible or ((-32768, 32767) if column.kind is Kind.INTEGER else (-1e30, 1e30))
    within = f"{number} BETWEEN {low} AND {high}"
    return Parsed(
        f"CASE WHEN {within} AND {whole} THEN try_cast({number} AS {column.kind.sql_type}) END",
        source.given,
        clean=_kept(column, source),
        read=as_number(source),
        malformed=f"({source.given} AND NOT {readable})",
        repaired=((f"{column.name}_implausible", f"{source.given} AND {readable} AND NOT ({within})"),),
    )


def _date(column: Column, source: SourceColumn) -> Parsed:
    read, exact = _strict_date(column, source)
    partial = f"({source.given} AND ({exact}) IS NULL AND regexp_full_match({source.text}, '{_YEAR_OR_MONTH}'))"
    return Parsed(
        exact,
        source.given,
        clean=_kept(column, source),
        read=read,
        malformed=f"({source.given} AND ({exact}) IS NULL AND NOT {partial})",
        partial=partial,
    )


def _incomplete_date(column: Column, source: SourceColumn) -> Parsed:
    """A date of birth or death of which only the year or month is known: mid-period for birth, its end for death."""
    exact = _date(column, source)
    digits = f"regexp_replace({source.text}, '[-/.]', '', 'g')"
    year, month = f"CAST(left({digits}, 4) AS INTEGER)", f"CAST(substr({digits}, 5, 2) AS INTEGER)"
    if column.name == "birth_date":
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
        clean=f"(({exact.value}) IS NOT NULL{'' if column.required else f' OR {source.expression} IS NULL'})",
        read=exact.read,
        malformed=f"({source.given} AND ({value}) IS NULL)",
        partial=exact.partial,
        repaired=((f"{column.name}_incomplete", exact.partial),),
    )


def _strict_date(column: Column, source: SourceColumn) -> tuple[str, str]:
    """What to read, and the date if it stands there in the declared form, every field at its full width.

    Parsers skip blanks and take short fields, so the date is written out again, or the text's length is asked for.
    """
    form, text, read = source.date_format, source.text, f"read_{column.name}"
    if form == _ISO and source.is_text:
        again = f"CAST({read} AS VARCHAR)"
        same = f"{again} = {source.expression} OR {again} = {text}"
        return f"try_cast({source.expression} AS DATE)", f"CASE WHEN ({same}) AND strlen({again}) = 10 THEN {read} END"
    rest, length = form, 0
    for mark, digits in _FIELD_LENGTHS.items():
        length += rest.count(mark) * digits
        rest = rest.replace(mark, "")
    if "%" in rest or " " in rest:
        exact = f"strftime({read}, {literal(form)}) = {text}"
    else:
        exact = f"strlen({text}) = {length + len(rest)} AND left({text}, 1) >= '!' AND right({text}, 1) >= '!'"
    return (
        f"CAST(try_strptime({text}, {literal(form)}) AS DATE)",
        f"CASE WHEN {exact} AND year({read}) > 0 THEN {read} END",
    )
