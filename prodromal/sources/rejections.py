"""Too many rejected rows: what stops the ingest, and what to try for each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.errors import DataError
from prodromal.tables import RULES, TABLES, Kind

if TYPE_CHECKING:
    from prodromal.tables import Account

__all__ = ["refuse_too_many"]

# A rule that rejects this share of the rejected rows is told how to mend.
_WORTH_A_HINT = 0.25
_ATC = "codes must be ATC such as N06AB04"
_COLUMNS = "state the mark between fields, e.g. --delimiter ';'"
_HINTS = {
    "unknown_person": "their person_id is not among persons, or stands in a rejected row there",
    "conflicting_person": "a person stands there twice with different facts",
    "malformed_atc": _ATC,
    "unknown_atc": _ATC,
    "future": "their dates lie after --extracted-on",
    "born_in_future": "their dates lie after --extracted-on",
}
_HINTS_OF_TEXT = {
    "wrong_encoding": "state the encoding, e.g. --encoding latin-1",
    "missing_columns": _COLUMNS,
    "extra_columns": _COLUMNS,
}


def refuse_too_many(account: Account, max_rejected: float, *, of_text: bool = False) -> None:
    """Stop if more than a share of the rows read are rejected.

    Parameters
    ----------
    account : Account
        Of one table.
    max_rejected : float
        Largest share, 0-1.
    of_text : bool
        Whether the source has the options of ``ingest csv``, such as ``--date-format``.

    Raises
    ------
    DataError
        With the rules, how many rows each has, and what to try.
    """
    total = sum(account.rejected.values())
    if total <= max_rejected * account.read:
        return
    by_size = sorted(account.rejected.items(), key=lambda item: (-item[1], item[0]))
    told = dict.fromkeys(
        _hint(account.table, rule, of_text=of_text)
        for place, (rule, rows) in enumerate(by_size)
        if place == 0 or rows >= _WORTH_A_HINT * total
    )
    raise DataError(
        f"{account.table}: {total} of {account.read} rows would be rejected "
        f"({', '.join(f'{rule} {rows}' for rule, rows in by_size)}), more than the {100 * max_rejected:.3g} % allowed: "
        f"{'; '.join(told)}; --max-rejected 100% keeps going and lists each row in rejected.parquet"
    )


def _hint(table: str, rule: str, *, of_text: bool) -> str:
    if hint := _HINTS.get(rule) or (_HINTS_OF_TEXT.get(rule) if of_text else None):
        return hint
    fault, _, name = rule.partition("_")
    if of_text and name in TABLES[table].names:
        if fault == "malformed" and TABLES[table][name].kind is Kind.DATE:
            return f"state the form of {name}, e.g. --date-format %d/%m/%Y or %Y-%m-%d"
        if fault == "malformed":
            return f"state the decimal mark of {name}, e.g. --decimal ,"
        if fault in {"missing", "undated"}:
            return f"{name} is empty; name its column, e.g. --map {table}.{name}=COLUMN"
    sentences = {known.name: known.sentence for known in RULES[table]}
    return sentences.get(rule, "mend the source")
