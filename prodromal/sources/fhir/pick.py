"""The few fields that a resource of each type is read for.

A resource that is built otherwise than FHIR has it raises a KeyError, TypeError, AttributeError or ValueError.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prodromal.sources.fhir.references import concept, day, number_of_days, target
from prodromal.sources.fhir.statuses import CONFIRMED, DISPENSED, ORDERED, UNFINISHED, left_out

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prodromal.sources.fhir.outcomes import Outcomes

__all__ = ["Picks", "Row"]

Resource = dict[str, Any]
Row = tuple[Any, ...]

_DDD = frozenset({"DDD", "{DDD}", "{ddd}", "ddd"})


@dataclass(frozen=True)
class Picks:
    """Functions from a resource to a row of its table, the first three columns left to the loader.

    Attributes
    ----------
    outcomes : Outcomes
        Which conditions count.
    by_record : bool
        Whether a condition is dated by its record rather than by its onset.
    servers : set of str
        Filled with the servers that absolute references to patients name.
    """

    outcomes: Outcomes
    by_record: bool = False
    servers: set[str] = field(default_factory=set)

    @property
    def by_type(self) -> Mapping[str, Callable[[Resource], Row]]:
        """The functions."""
        return {
            "Patient": self.patient,
            "Medication": medication,
            "MedicationDispense": self.dispense,
            "MedicationRequest": self.request,
            "Condition": self.condition,
        }

    def patient(self, r: Resource) -> Row:
        """A person; lines of ``type id`` link to other records of the same; an empty date is a death undated."""
        links = [
            f"{link['type']} {target(link['other'].get('reference'), 'Patient', self.servers)}"
            for link in r.get("link") or ()
        ]
        death = day(r.get("deceasedDateTime"))
        return (
            *_identity(r),
            r.get("gender"),
            day(r.get("birthDate")),
            death if death is not None or r.get("deceasedBoolean") is not True else "",
            "\n".join(links) or None,
        )

    def dispense(self, r: Resource) -> Row:
        """What was handed over."""
        status, handed = r.get("status"), day(r.get("whenHandedOver"))
        reason = DISPENSED.get(status, "")
        if handed is None and status in UNFINISHED:
            reason = left_out(str(status))
        return (
            *_identity(r, reason),
            "MedicationDispense",
            self._subject(r),
            handed,
            *_product(r),
            *_amount(r.get("quantity")),
            number_of_days(r.get("daysSupply")),
        )

    def request(self, r: Resource) -> Row:
        """What was ordered; proposals and plans do not count."""
        reason = ORDERED.get(r.get("status"), "")
        if r.get("intent") != "order":
            reason = reason or "not_an_order"
        elif r.get("doNotPerform") is True:
            reason = reason or "not_to_be_performed"
        supply = r.get("dispenseRequest") or {}
        return (
            *_identity(r, reason),
            "MedicationRequest",
            self._subject(r),
            day(r.get("authoredOn")),
            *_product(r),
            *_amount(supply.get("quantity")),
            number_of_days(supply.get("expectedSupplyDuration")),
        )

    def condition(self, r: Resource) -> Row:
        """A diagnosis that is one of the outcomes."""
        verification: Resource = ((r.get("verificationStatus") or {}).get("coding") or ({},))[0]
        outcome = self.outcomes.named(concept(r.get("code")))
        reason = CONFIRMED.get(verification.get("code"), "") if outcome else "other_condition"
        onset, record = r.get("onsetDateTime"), r.get("recordedDate")
        return (
            *_identity(r, reason),
            self._subject(r),
            day((record or onset) if self.by_record else (onset or record)),
            outcome,
        )

    def _subject(self, r: Resource) -> str | None:
        return target((r.get("subject") or {}).get("reference"), "Patient", self.servers)


def medication(r: Resource) -> Row:
    """A product; without codes if it was entered in error."""
    return (*_identity(r), None if r.get("status") == "entered-in-error" else concept(r.get("code")))


def _identity(r: Resource, reason: str | None = None) -> Row:
    """Rule, reason to leave the row out, id, version and when it was made."""
    meta = r.get("meta") or {}
    return (
        "unknown_status" if reason == "" else None,
        reason or None,
        r.get("id"),
        meta.get("versionId"),
        meta.get("lastUpdated"),
    )


def _product(r: Resource) -> tuple[str | None, str | None]:
    """Codings of the medication, else the id of the resource that has them (``#...``: one that is not contained)."""
    named = concept(r.get("medicationCodeableConcept"))
    reference = (r.get("medicationReference") or {}).get("reference")
    if named or not reference:
        return named, None
    if not reference.startswith("#"):
        return None, target(reference, "Medication", set()) or reference
    for inside in r.get("contained") or ():
        if inside.get("id") == reference[1:]:
            return concept(inside.get("code")), None
    return None, reference


def _amount(quantity: Resource | None) -> tuple[float | None, float | None]:
    """Quantity and DDDs: a quantity counts DDDs where its unit says so."""
    if not quantity:
        return None, None
    value = quantity.get("value")
    if value is True or value is False:
        raise TypeError
    return (None, value) if quantity.get("code") in _DDD or quantity.get("unit") in _DDD else (value, None)
