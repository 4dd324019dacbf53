"""The list that a page about several people opens with: one line a person, highest score first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.explain.observed import AGE_AND_SEX, SEXES, flag_words, percentile
from prodromal.page import Cell, Column, Least, Section, listing, one_in, per_100k

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from prodromal.explain.explanation import Explanation
    from prodromal.register import Register

__all__ = ["list_section"]

_REASONS = 3
_COLUMNS = (
    Column("Person"),
    Column("Risk per 100,000", numeric=True),
    Column("Times peers", numeric=True, sorted="descending"),
    Column("Percentile", numeric=True),
    Column("Age", numeric=True),
    Column("Sex"),
    Column("Strongest reasons"),
    Column("Flags"),
)
_TIMES = 2


def list_section(
    register: Register, explanation: Explanation, risks: pd.DataFrame, *, shown: int, chosen: int
) -> Section:
    """List explained people.

    Parameters
    ----------
    register : Register
        For age and sex.
    explanation : Explanation
        By class, highest score first.
    risks : DataFrame
        From ``RiskModel.score``, rows as in `explanation`.
    shown : int
        How many of them, from the first, have a section ``person-1``, ``person-2``, ... to lead to.
    chosen : int
        How many people were asked about.

    Returns
    -------
    Section
    """
    matrix = explanation.matrix
    age = register.persons.age_years(matrix.person_row, matrix.days)
    sex = register.persons.sex[matrix.person_row]
    reasons = explanation.reasons(_REASONS).to_numpy()
    rows = [
        _row(risk, int(age[i]), SEXES[sex[i]], [r for r in reasons[i] if r], f"person-{i + 1}" if i < shown else "")
        for i, risk in enumerate(risks.to_dict("records"))
    ]
    flagged = any(row[-1].text for row in rows)
    table = listing(
        _COLUMNS if flagged else _COLUMNS[:-1],
        rows if flagged else [row[:-1] for row in rows],
        caption=_caption(len(rows), shown, chosen) + ("" if flagged else " Nobody has a flag."),
        find="Find a person, class or flag",
        least=Least(_TIMES, "Times peers, at least"),
    )
    return Section("list", _title(risks), table, listed=False)


def _row(risk: Mapping[Any, Any], age: int, sex: str, reasons: list[str], link: str) -> list[Cell]:
    own, times, place = (float(risk[name]) for name in ("risk", "relative_risk", "percentile"))
    return [
        Cell(str(risk["person_id"]), (str(risk["index_date"])[:10],), link),
        Cell(per_100k(own), (one_in(own).removeprefix("about "),), value=own),
        Cell(f"{times:.2f}", value=times),
        Cell(percentile(place), value=place),
        Cell(str(age), value=age),
        Cell(sex),
        Cell(reasons[0] if reasons else "none", tuple(reasons[1:])),
        Cell(", ".join(flag_words(str(risk["flags"])))),
    ]


def _title(risks: pd.DataFrame) -> str:
    times = risks["relative_risk"].to_numpy()
    return f"Their rates are {np.min(times):.2f} to {np.max(times):.2f} times those of people of the same age and sex"


def _caption(rows: int, shown: int, chosen: int) -> str:
    told = (
        "Highest score first. Peers are people of the same age and sex. "
        f"Reasons are factors on the rate in the model, largest first. {AGE_AND_SEX}"
    )
    if chosen > rows:
        told = f"Listed are the {rows:,} highest scores of the {chosen:,} people asked about. {told}"
    if rows > shown:
        told += f" The first {shown:,} have a section of their own below; for others name them with --index-dates."
    return told
