"""People as a FHIR R4 bulk export: the test's own statement of what such an export looks like."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

ATC = "http://www.whocc.no/atc"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
_GENDER = {"M": "male", "F": "female", "U": "unknown"}


def patient(person_id: Any, sex: str = "F", birth: str = "1950-01-01", death: str | None = None, **more: Any) -> dict:
    return {
        "resourceType": "Patient",
        "id": str(person_id),
        "meta": {"versionId": "1"},
        "gender": _GENDER[sex],
        "birthDate": birth,
        **({"deceasedDateTime": f"{death}T08:30:00+02:00"} if death else {}),
        **more,
    }


def coded(*codes: str, system: str = ATC) -> dict:
    return {"coding": [{"system": system, "code": code} for code in codes]}


def dispense(
    number: Any, person_id: Any, day: str | None, atc: str | None = "N05BA01", *, ddd: float | None = None, **more: Any
) -> dict:
    return {
        "resourceType": "MedicationDispense",
        "id": str(number),
        "meta": {"versionId": "1"},
        "status": "completed",
        **({"medicationCodeableConcept": coded(atc)} if atc else {}),
        "subject": {"reference": f"Patient/{person_id}"},
        **({"quantity": {"value": ddd, "unit": "DDD"}} if ddd is not None else {}),
        **({"whenHandedOver": day} if day else {}),
        **more,
    }


def request(number: Any, person_id: Any, day: str, atc: str | None = "N05BA01", **more: Any) -> dict:
    return {
        "resourceType": "MedicationRequest",
        "id": str(number),
        "status": "completed",
        "intent": "order",
        **({"medicationCodeableConcept": coded(atc)} if atc else {}),
        "subject": {"reference": f"Patient/{person_id}"},
        "authoredOn": day,
        **more,
    }


def condition(number: Any, person_id: Any, day: str, code: str = "G12.2", **more: Any) -> dict:
    return {
        "resourceType": "Condition",
        "id": str(number),
        "code": coded(code, system=ICD_10),
        "subject": {"reference": f"Patient/{person_id}"},
        "onsetDateTime": day,
        **more,
    }


def write_ndjson(file: Path, resources: Iterable[Mapping | str | bytes]) -> Path:
    """One line each; text and bytes are written as they are."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(file, "wb") if file.suffix == ".gz" else file.open("wb") as stream:
        for resource in resources:
            line = json.dumps(resource) if isinstance(resource, Mapping) else resource
            stream.write((line.encode() if isinstance(line, str) else line) + b"\n")
    return file


def write_fhir(folder: Path, tables: Mapping[str, pd.DataFrame]) -> Path:
    """Canonical persons, dispensings and outcomes as an export, dispenses gzipped and in two files."""
    days = {name: frame.astype({c: str for c in frame if frame[c].dtype.kind == "M"}) for name, frame in tables.items()}
    people = days["persons"].to_dict("records")
    write_ndjson(
        folder / "Patient.ndjson",
        (patient(p["person_id"], p["sex"], p["birth_date"], _known(p["death_date"])) for p in people),
    )
    bought = [
        dispense(
            number,
            row["person_id"],
            f"{row['dispensed_on']}T17:00:00+01:00",
            row["atc"],
            ddd=None if pd.isna(row["ddd"]) else row["ddd"],
            **({} if pd.isna(row["days_supply"]) else {"daysSupply": {"value": row["days_supply"], "code": "d"}}),
        )
        for number, row in enumerate(days["dispensings"].to_dict("records"))
    ]
    half = len(bought) // 2
    write_ndjson(folder / "MedicationDispense.000.ndjson.gz", bought[:half])
    write_ndjson(folder / "MedicationDispense.001.ndjson.gz", bought[half:])
    found = days["outcomes"].to_dict("records")
    write_ndjson(
        folder / "Condition.ndjson",
        (condition(number, row["person_id"], row["diagnosed_on"]) for number, row in enumerate(found)),
    )
    return folder


def _known(day: Any) -> str | None:
    return None if pd.isna(day) or day == "NaT" else str(day)
