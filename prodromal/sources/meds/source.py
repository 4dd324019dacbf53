"""A MEDS dataset as a source: what its codes are taken to mean, and what the manifest says of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prodromal.errors import DataError, DefinitionError
from prodromal.sources.codes import printable
from prodromal.sources.meds.relations import make_views, relation
from prodromal.sources.meds.survey import Survey, survey
from prodromal.sources.meds.vocabulary import Vocabulary
from prodromal.sources.spec import Source, TableSource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

__all__ = ["Meds"]

_VALUES = (None, "ddd", "days_supply", "quantity")


@dataclass(frozen=True)
class Meds:
    """A dataset in the Medical Event Data Standard, version 0.4.

    Parameters
    ----------
    folder : Path
        Root of the dataset: ``data/**/*.parquet`` and ``metadata/``.
    extracted_on : date
        The last day that the dataset can contain.
    outcomes : mapping of str to tuple of str
        Codes of each outcome; one that ends in ``*`` stands for all that begin so. Without it, the codes
        ``OUTCOME//NAME`` that our own writer uses.
    vocabulary : Vocabulary
        What the other codes mean.
    value : {"ddd", "days_supply", "quantity"}, optional
        What ``numeric_value`` of a dispensing is; MEDS does not say, so without it the number is not used. Extension
        columns of these names are read in any case.
    observed_from, observed_to : date, optional
        Observation of everybody. Without them the codes of the vocabulary, else a subject's first and last event.
    max_rejected : float
        Largest share of rejected rows in any table.
    """

    folder: Path
    extracted_on: date
    outcomes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    value: str | None = None
    observed_from: date | None = None
    observed_to: date | None = None
    max_rejected: float = 0.001

    def __post_init__(self) -> None:
        if self.value not in _VALUES:
            raise DefinitionError(f"numeric_value as '{self.value}': it is ddd, days_supply or quantity")

    def source(self) -> Source:
        """What ``ingest`` takes; reads subjects, times and codes of the whole dataset.

        Raises
        ------
        DataError
            If the dataset is not laid out as MEDS demands, or no event has the code of a dispensing or an outcome.
        """
        found, words = survey(self.folder), self.vocabulary
        roles = {
            "dispensings": found.matching(f"{beginning}*" for beginning in words.atc),
            "relatives": found.matching(f"{beginning}*" for beginning in words.relative),
            "follow_up": found.matching((words.follow_up, f"{words.follow_up}//*")),
        }
        if not roles["dispensings"]:
            raise DataError(
                f"{self.folder}: no code begins with {' or '.join(words.atc)}; codes begin with {_beginnings(found)}. "
                "Name what stands before the ATC code with --atc-prefix"
            )
        outcomes = self._outcomes(found)
        roles["outcomes"] = tuple({code for codes in outcomes.values() for code in codes})
        constants = {
            name: day.isoformat()
            for name, day in (("observed_from", self.observed_from), ("observed_to", self.observed_to))
            if day is not None
        }
        tables = [TableSource("persons", constants=constants, relation=relation("persons", found.files))]
        tables += [
            TableSource(name, relation=relation(name, found.files))
            for name in ("dispensings", "outcomes", "relatives", "follow_up")
            if roles[name]
        ]
        return Source(
            tuple(tables),
            extracted_on=self.extracted_on,
            max_rejected=self.max_rejected,
            name="meds",
            prepare=lambda connection: make_views(
                connection, found, words, outcomes, self.value, f"DATE '{self.extracted_on.isoformat()}'"
            ),
            settings=self._settings(found, roles, outcomes),
        )

    def _outcomes(self, found: Survey) -> dict[str, tuple[str, ...]]:
        beginning = self.vocabulary.outcome
        if not self.outcomes:
            return {code.removeprefix(beginning): (code,) for code in found.matching((f"{beginning}*",))}
        outcomes = {name: found.matching(codes) for name, codes in self.outcomes.items()}
        if absent := [name for name, codes in outcomes.items() if not codes]:
            raise DataError(
                f"{self.folder}: no event has a code of outcome {', '.join(absent)}; codes begin with "
                f"{_beginnings(found)}"
            )
        return outcomes

    def _settings(
        self, found: Survey, roles: Mapping[str, tuple[str, ...]], outcomes: Mapping[str, tuple[str, ...]]
    ) -> dict[str, Any]:
        events = {name: sum(found.codes[code] for code in codes) for name, codes in roles.items()}
        words = self.vocabulary
        coded = all(found.matching((code, f"{code}//*")) for code in (words.observed_from, words.observed_to))
        from_events = "codes" if coded else "first and last event"
        return {
            "events": {"read": found.events, **events},
            "subjects": len(found.subjects),
            "times_of_day": found.timed,
            "outcomes": {name: list(codes) for name, codes in outcomes.items()},
            "numeric_value": self.value or "not used",
            "observed_from": self.observed_from.isoformat() if self.observed_from else from_events,
            "observed_to": self.observed_to.isoformat() if self.observed_to else from_events,
        }


def _beginnings(found: Survey) -> str:
    counted = Counter[str]()
    for code, count in found.codes.items():
        counted[printable(code.split("/", 1)[0][:40])] += count
    return ", ".join(f"{name} ({count})" for name, count in counted.most_common(8) if count >= 5)
