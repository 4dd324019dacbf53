"""A bulk export as a source: what is asked of it, and how it is prepared for the canonical tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from prodromal.errors import DefinitionError
from prodromal.sources.codes import SeveralCodes, read_mapping
from prodromal.sources.fhir.checks import check_codes, check_outcomes, check_resources
from prodromal.sources.fhir.coverage import coverage
from prodromal.sources.fhir.drugs import ATC_SYSTEMS, RXNORM, Codes
from prodromal.sources.fhir.files import contents
from prodromal.sources.fhir.load import Loaded, load
from prodromal.sources.fhir.outcomes import Outcomes
from prodromal.sources.fhir.pick import Picks
from prodromal.sources.fhir.relations import conditions, make_views, patients, supplies
from prodromal.sources.fhir.settle import settle_codes, settle_persons, settle_versions
from prodromal.sources.spec import Source, TableSource
from prodromal.sources.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    import duckdb

__all__ = ["QUANTITIES", "Fhir", "Resources"]

QUANTITIES = ("units", "packages", "ddd")


class Resources(StrEnum):
    """What counts as a dispensing: dispenses, else requests where there are none; or one of them."""

    AUTO = "auto"
    DISPENSES = "MedicationDispense"
    REQUESTS = "MedicationRequest"


@dataclass(frozen=True)
class Fhir:
    """FHIR R4 resources in NDJSON files, as a bulk export delivers them.

    Parameters
    ----------
    files : tuple of Path
        NDJSON files, plain or gzip, from ``find_files``.
    extracted_on : date
        The last day that the export can contain.
    outcomes : mapping of str to tuple of str
        Names of outcomes with codes of conditions as ``system|code``; a code that ends in ``*`` stands for all that
        begin so.
    resources : Resources
        What counts as a dispensing.
    atc_systems : tuple of str
        Code systems whose codes are ATC codes.
    mapping : tuple of Path
        Files that map codes of `mapped_system` to ATC, for medications without an ATC code.
    mapped_system : str
        The code system that `mapping` maps from.
    several_codes : SeveralCodes
        What becomes of a medication with several ATC codes.
    quantity : {"units", "packages", "ddd"}
        What a quantity counts that does not say that it counts DDDs; units are not used.
    by_record : bool
        Date conditions by their record rather than by their onset.
    observed_from, observed_to : date, optional
        Observation of everybody. FHIR has none: without them a person's own first and last event stand for it.
    max_rejected : float
        Largest share of rejected rows in any table.
    processes : int
        How many processes read JSON. With more than one, a script that is no module needs the guard
        ``if __name__ == "__main__"``.

    Notes
    -----
    A dispense counts if it is completed, or unfinished but handed over; a request if it is an order that was not
    cancelled, drafted or entered in error. Dates are the local day as written. Of several versions of a resource the
    latest counts; two resources with ids of their own are two, however alike. A patient who is not active is a patient
    (the dead often are not); one that is replaced by another gives their dispensings to that other. Quantities are
    DDDs where their unit says so. A month of supply is 30.4 days; units that have no days are rejected. Names of drugs
    are not read, only codes. Nobody's age, death or observation is guessed from anything else.
    """

    files: tuple[Path, ...]
    extracted_on: date
    outcomes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    resources: Resources = Resources.AUTO
    atc_systems: tuple[str, ...] = ATC_SYSTEMS
    mapping: tuple[Path, ...] = ()
    mapped_system: str = RXNORM
    several_codes: SeveralCodes = SeveralCodes.ALL
    quantity: str = "units"
    by_record: bool = False
    observed_from: date | None = None
    observed_to: date | None = None
    max_rejected: float = 0.001
    processes: int = field(default=1, compare=False)

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise DefinitionError(f"quantity '{self.quantity}': it is one of {', '.join(QUANTITIES)}")
        for name, codes in self.outcomes.items():
            if not name or not codes or not all(all(code.rpartition("|")) for code in codes):
                raise DefinitionError(f"outcome '{name}': write its codes as SYSTEM|CODE or SYSTEM|BEGINNING*")

    def source(self) -> Source:
        """What ``ingest`` takes; reads the beginning of each file."""
        content = contents(self.files, self._wanted)
        constants = {
            name: day.isoformat()
            for name, day in (("observed_from", self.observed_from), ("observed_to", self.observed_to))
            if day is not None
        }
        files = tuple(content.usual)
        tables = [
            TableSource("persons", constants=constants, relation=patients(files)),
            TableSource("dispensings", relation=supplies(files)),
        ]
        if self.outcomes:
            tables.append(TableSource("outcomes", relation=conditions(files)))
        return Source(
            tuple(tables),
            extracted_on=self.extracted_on,
            max_rejected=self.max_rejected,
            name="fhir",
            prepare=lambda connection: self._prepare(connection, content.usual),
            settings={"files_not_read": dict(content.not_read), **self._settings},
            readable=self.mapping,
        )

    def _wanted(self, types: set[str | None]) -> set[str]:
        both = {Resources.DISPENSES.value, Resources.REQUESTS.value}
        if self.resources is not Resources.AUTO:
            supplied = {self.resources.value}
        else:
            supplied = {Resources.DISPENSES.value} if Resources.DISPENSES.value in types else both
        return {"Patient", "Medication", *supplied, *(("Condition",) if self.outcomes else ())}

    @property
    def _settings(self) -> dict[str, Any]:
        return {
            "outcomes": {name: list(codes) for name, codes in self.outcomes.items()},
            "conditions_dated_by": "record" if self.by_record else "onset, else record",
            "quantity": self.quantity,
            "several_codes": self.several_codes.value,
            "mapping": [file.name for file in self.mapping],
            "atc_systems": list(self.atc_systems),
            "mapped_system": self.mapped_system,
            "observed_from": self.observed_from.isoformat() if self.observed_from else "first event",
            "observed_to": self.observed_to.isoformat() if self.observed_to else "last event",
        }

    def _prepare(self, connection: duckdb.DuckDBPyConnection, usual: Mapping[Path, str]) -> dict[str, Any]:
        mapping = {f"{self.mapped_system}|{code}": found for code, found in read_mapping(self.mapping).items()}
        picks = Picks(Outcomes.of(self.outcomes), self.by_record)
        steps = Steps(connection)
        loaded = load(connection, usual, picks, processes=self.processes, steps=steps)
        resource = self._resource(loaded)
        check_resources(loaded, resource)
        check_outcomes(connection, loaded, self.outcomes)
        steps.once("settled: versions", lambda: settle_versions(connection))
        links = steps.once("settled: links", lambda: settle_persons(connection))
        codes = Codes(self.atc_systems, mapping, self.several_codes)
        steps.once("settled: codes", lambda: settle_codes(connection, codes))
        latest = f"DATE '{self.extracted_on.isoformat()}'"
        steps.once("made: views", lambda: make_views(connection, resource, self.quantity, latest))
        found = coverage(connection)
        check_codes(found["coverage"]["ways"], resource)
        return {
            "dispensings_from": resource,
            "read": dict(sorted(loaded.read.items())),
            "links": links,
            **found,
        }

    def _resource(self, loaded: Loaded) -> str:
        if self.resources is not Resources.AUTO:
            return self.resources.value
        dispenses = loaded.read[Resources.DISPENSES.value]
        return (Resources.DISPENSES if dispenses else Resources.REQUESTS).value
