"""The tables and columns of the OMOP common data model (5.3, 5.4) that are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from prodromal.errors import DataError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["CDM", "CdmTable", "Content", "check_columns", "cohort_table", "staged", "unsplit"]


class Content(Enum):
    """What a column of the model holds."""

    ID = "whole number"
    DATE = "date"
    NUMBER = "number"
    TEXT = "text"


@dataclass(frozen=True)
class CdmTable:
    """A table of the model: the columns that must be there, and those that are used if they are."""

    name: str
    required: Mapping[str, Content]
    optional: Mapping[str, Content]

    @property
    def columns(self) -> dict[str, Content]:
        """All columns that are read."""
        return {**self.required, **self.optional}


def _table(name: str, required: Mapping[str, Content], optional: Mapping[str, Content]) -> CdmTable:
    return CdmTable(name, MappingProxyType(dict(required)), MappingProxyType(dict(optional)))


_ID, _DATE, _NUMBER, _TEXT = Content.ID, Content.DATE, Content.NUMBER, Content.TEXT
CDM: Mapping[str, CdmTable] = MappingProxyType(
    {
        table.name: table
        for table in (
            _table(
                "person",
                {"person_id": _ID, "gender_concept_id": _ID, "year_of_birth": _ID},
                {"month_of_birth": _ID, "day_of_birth": _ID, "birth_datetime": _DATE},
            ),
            _table(
                "observation_period",
                {"person_id": _ID, "observation_period_start_date": _DATE, "observation_period_end_date": _DATE},
                {},
            ),
            _table("death", {"person_id": _ID, "death_date": _DATE}, {}),
            _table(
                "drug_exposure",
                {
                    "drug_exposure_id": _ID,
                    "person_id": _ID,
                    "drug_concept_id": _ID,
                    "drug_exposure_start_date": _DATE,
                },
                {
                    "days_supply": _NUMBER,
                    "quantity": _NUMBER,
                    "drug_type_concept_id": _ID,
                    "drug_source_concept_id": _ID,
                    "drug_source_value": _TEXT,
                },
            ),
            _table(
                "condition_occurrence",
                {
                    "condition_occurrence_id": _ID,
                    "person_id": _ID,
                    "condition_concept_id": _ID,
                    "condition_start_date": _DATE,
                },
                {"condition_source_concept_id": _ID},
            ),
            _table(
                "concept",
                {"concept_id": _ID, "concept_name": _TEXT, "vocabulary_id": _TEXT, "concept_code": _TEXT},
                {"concept_class_id": _TEXT, "standard_concept": _TEXT},
            ),
            _table("concept_ancestor", {"ancestor_concept_id": _ID, "descendant_concept_id": _ID}, {}),
            _table(
                "drug_strength",
                {"drug_concept_id": _ID, "ingredient_concept_id": _ID},
                {"amount_value": _NUMBER, "amount_unit_concept_id": _ID},
            ),
            _table("concept_relationship", {"concept_id_1": _ID, "concept_id_2": _ID, "relationship_id": _TEXT}, {}),
        )
    }
)


def cohort_table(name: str) -> CdmTable:
    """The layout of a cohort table, whatever its name.

    Raises
    ------
    DefinitionError
        If the name is not one of letters, digits and underscores.
    """
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
        raise DefinitionError("the name of a cohort table holds letters, digits and underscores only")
    return _table(name.lower(), {"cohort_definition_id": _ID, "subject_id": _ID, "cohort_start_date": _DATE}, {})


def staged(name: str) -> str:
    """The name that a table of the model bears in the staging connection."""
    return f"cdm_{name}"


def unsplit(name: str) -> str:
    """The staged table of a CSV table's lines that could not be split into columns; absent from other places."""
    return f"{staged(name)}_rejects"


def check_columns(table: CdmTable, there: Iterable[str], place: str) -> None:
    """Raise DataError if a column that must be there is not; `there` in lower case.

    Raises
    ------
    DataError
        Names the table, the columns that are missing and those that are there.
    """
    names = list(there)
    if missing := [name for name in table.required if name not in names]:
        more = f" and {len(names) - 25} more" if len(names) > 25 else ""
        raise DataError(f"{place} has no column {', '.join(missing)}; it has {', '.join(names[:25])}{more}")
