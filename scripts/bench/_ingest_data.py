"""Deliveries of known content for scripts/bench/ingest: how many rows are kept is known before they are read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

ROWS_PER_PERSON = 40
FIRST_DAY, LAST_DAY = 12965, 18627  # 1 July 2005 to 31 December 2020
OBSERVED = ("2005-07-01", "2020-12-31")
CHUNK = 1_000_000
_PLAIN = pc.WriteOptions(quoting_style="none")


@dataclass(frozen=True)
class Delivery:
    """A folder, how many rows lie in it, and what must become of them."""

    folder: Path
    rows: int
    account: dict[str, int] = field(default_factory=dict)


def codes(rng: np.random.Generator, n: int) -> np.ndarray:
    """Well-formed ATC codes, psychiatric ones among them."""
    drawn = {
        f"{main}{rng.integers(1, 20):02d}{a}{b}{rng.integers(1, 60):02d}"
        for main, a, b in zip(
            *(rng.choice(list(letters), 2 * n) for letters in ("ABCNNNR", "ABC", "ABCDX")), strict=True
        )
    }
    return np.array(sorted(drawn)[:: max(1, len(drawn) // n)][:n])


def chunks(rng: np.random.Generator, rows: int, n_codes: int) -> list[tuple[int, dict[str, np.ndarray]]]:
    """Pieces of shuffled dispensings; a person's days differ, so that no two rows are alike by chance."""
    for first in range(0, rows, CHUNK):
        people = min(CHUNK, rows - first) // ROWS_PER_PERSON
        gaps = rng.integers(1, (LAST_DAY - FIRST_DAY) // ROWS_PER_PERSON, (people, ROWS_PER_PERSON))
        order = rng.permutation(people * ROWS_PER_PERSON)
        person = np.repeat(np.arange(people) + first // ROWS_PER_PERSON + 100_000, ROWS_PER_PERSON)[order]
        day = (FIRST_DAY + gaps.cumsum(1)).ravel().astype(np.int32)[order]
        yield first, {"person": person, "day": day, "code": rng.integers(0, n_codes, len(order)).astype(np.int32)}


def write_csv(folder: Path, rows: int) -> Delivery:
    """The canonical layout; one row in 1,000 delivered twice, one in 2,000 dated after the extract."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True)
    atc, twice, late, sink = codes(rng, 900), 0, 0, None
    for _, piece in chunks(rng, rows, len(atc)):
        n = len(piece["day"])
        piece["day"][::2_000] = LAST_DAY + 400
        table = pa.table(
            {
                "person_id": piece["person"],
                "dispensed_on": pa.array(piece["day"], pa.date32()),
                "atc": pa.DictionaryArray.from_arrays(pa.array(piece["code"]), pa.array(atc)).cast(pa.string()),
                "ddd": rng.choice([7, 14, 28, 30, 50, 90, 98, 100, 16.67], n),
                "days_supply": rng.choice([7, 14, 28, 30, 90, 100], n),
                "quantity": rng.integers(1, 4, n),
            }
        )
        again = table.take(pa.array(np.arange(1, n, 1_000)))
        sink = sink or pc.CSVWriter(folder / "dispensings.csv", table.schema, write_options=_PLAIN)
        sink.write_table(table)
        sink.write_table(again)
        twice, late = twice + again.num_rows, late + len(piece["day"][::2_000])
    sink.close()
    write_persons(folder / "persons.csv", rows // ROWS_PER_PERSON, rng)
    return Delivery(
        folder, rows + twice, {"read": rows + twice, "kept": rows - late, "duplicate": twice, "rejected": late}
    )


def write_persons(file: Path, people: int, rng: np.random.Generator) -> None:
    births = rng.integers(-14_000, 0, people).astype(np.int32)
    table = {
        "person_id": np.arange(people) + 100_000,
        "sex": rng.choice(["M", "F"], people),
        "birth_date": pa.array(births, pa.date32()),
        **{f"observed_{end}": np.full(people, day) for end, day in zip(("from", "to"), OBSERVED, strict=True)},
    }
    pc.write_csv(pa.table(table), file, _PLAIN)


def write_omop(folder: Path, rows: int) -> Delivery:
    """A common data model in CSV with all columns of drug_exposure; a fifth of the rows has no ATC code."""
    rng = np.random.default_rng(2)
    folder.mkdir(parents=True)
    people, atc = rows // ROWS_PER_PERSON, codes(rng, 800)
    products = np.arange(1_000) + 40_000_000  # the last 200 have no code
    unmapped, sink = 0, None
    for first, piece in chunks(rng, rows, len(products)):
        n, days = len(piece["day"]), pa.array(piece["day"], pa.date32())
        text = pa.array([""]).take(pa.array(np.zeros(n, dtype=np.int32)))
        stamp = pa.array(piece["day"].astype("datetime64[D]").astype("datetime64[s]"))
        unmapped += int((piece["code"] >= len(atc)).sum())
        table = pa.table(
            {
                "drug_exposure_id": np.arange(first, first + n),
                "person_id": piece["person"],
                "drug_concept_id": products[piece["code"]],
                "drug_exposure_start_date": days,
                "drug_exposure_start_datetime": stamp,
                "drug_exposure_end_date": days,
                "drug_exposure_end_datetime": stamp,
                "verbatim_end_date": days,
                "drug_type_concept_id": np.full(n, 32825),
                "stop_reason": text,
                "refills": np.zeros(n, np.int8),
                "quantity": rng.choice([28, 30, 98, 100], n),
                "days_supply": rng.choice([14, 28, 30, 90], n),
                "sig": text,
                "route_concept_id": np.full(n, 4132161),
                "lot_number": text,
                "provider_id": rng.integers(1, 5_000, n),
                "visit_occurrence_id": rng.integers(1, 10**8, n),
                "visit_detail_id": text,
                "drug_source_value": piece["code"] + 500_000,
                "drug_source_concept_id": np.zeros(n, np.int8),
                "route_source_value": text,
                "dose_unit_source_value": text,
            }
        )
        sink = sink or pc.CSVWriter(folder / "drug_exposure.csv", table.schema, write_options=_PLAIN)
        sink.write_table(table)
    sink.close()
    write_cdm(folder, people, atc, products, rng)
    account = {"read": rows, "kept": rows - unmapped, "left_out": unmapped}
    return Delivery(folder, rows, account)


def write_cdm(folder: Path, people: int, atc: np.ndarray, products: np.ndarray, rng: np.random.Generator) -> None:
    """The small tables: people, observation periods, concepts and their ancestors."""
    ids = np.arange(people) + 100_000
    years = rng.integers(1932, 1970, people)
    person = {
        "person_id": ids,
        "gender_concept_id": rng.choice([8507, 8532], people),
        "year_of_birth": years,
        "month_of_birth": rng.integers(1, 13, people),
        "day_of_birth": rng.integers(1, 29, people),
        "race_concept_id": np.zeros(people, np.int8),
        "ethnicity_concept_id": np.zeros(people, np.int8),
    }
    period = {
        "observation_period_id": ids,
        "person_id": ids,
        "observation_period_start_date": np.full(people, OBSERVED[0]),
        "observation_period_end_date": np.full(people, OBSERVED[1]),
        "period_type_concept_id": np.full(people, 32817),
    }
    classes = np.arange(len(atc)) + 21_600_000
    concept = {
        "concept_id": np.concatenate([classes, products]),
        "concept_name": [f"class {c}" for c in atc] + [f"product {p}" for p in products],
        "domain_id": np.full(len(atc) + len(products), "Drug"),
        "vocabulary_id": ["ATC"] * len(atc) + ["RxNorm"] * len(products),
        "concept_class_id": ["ATC 5th"] * len(atc) + ["Clinical Drug"] * len(products),
        "standard_concept": ["C"] * len(atc) + ["S"] * len(products),
        "concept_code": [*atc, *(str(p - 39_500_000) for p in products)],
    }
    ancestor = {
        "ancestor_concept_id": classes,
        "descendant_concept_id": products[: len(atc)],
        "min_levels_of_separation": np.ones(len(atc), np.int8),
        "max_levels_of_separation": np.ones(len(atc), np.int8),
    }
    for name, columns in (("person", person), ("observation_period", period)):
        pc.write_csv(pa.table(columns), folder / f"{name}.csv", _PLAIN)
    for name, columns in (("concept", concept), ("concept_ancestor", ancestor)):
        tabs = pc.WriteOptions(delimiter="\t", quoting_style="none")
        pc.write_csv(pa.table(columns), folder / f"{name}.csv", tabs)


def write_fhir(folder: Path, resources: int) -> Delivery:
    """A bulk export: people and their dispenses, made from 4,000 templates; one dispense in 100 entered in error."""
    rng = np.random.default_rng(3)
    folder.mkdir(parents=True)
    people = resources // (ROWS_PER_PERSON + 1)
    with (folder / "Patient.ndjson").open("w") as stream:
        for number, birth in enumerate(rng.integers(1932, 1970, people)):
            stream.write(json.dumps(patient(number + 100_000, int(birth))) + "\n")
    templates = [dispense(code, rng) for code in rng.choice(codes(rng, 900), 4_000)]
    rows = people * ROWS_PER_PERSON
    wrong = 0
    with (folder / "MedicationDispense.ndjson").open("w") as stream:
        for first, piece in chunks(rng, rows, len(templates)):
            status = np.where(rng.random(len(piece["day"])) < 0.01, "entered-in-error", "completed")
            wrong += int((status != "completed").sum())
            days = np.datetime_as_string(piece["day"].astype("datetime64[D]"))
            which = piece["code"].tolist()
            lines = zip(which, range(first, first + len(which)), status, piece["person"], days, strict=True)
            stream.writelines(templates[t] % (number, s, person, day) for t, number, s, person, day in lines)
    account = {"read": rows, "kept": rows - wrong, "left_out": wrong}
    return Delivery(folder, rows + people, account)


def patient(number: int, birth: int) -> dict:
    return {
        "resourceType": "Patient",
        "id": f"p{number}",
        "meta": {"versionId": "1", "lastUpdated": "2021-01-01T00:00:00Z"},
        "active": True,
        "name": [{"use": "official", "family": f"Family{number}", "given": ["Given"]}],
        "gender": "female" if number % 2 else "male",
        "birthDate": f"{birth}-06-15",
    }


def dispense(code: str, rng: np.random.Generator) -> str:
    """A MedicationDispense with places for its number, status, person and day."""
    resource = {
        "resourceType": "MedicationDispense",
        "id": "d%d",
        "meta": {"versionId": "1", "lastUpdated": "2021-01-01T00:00:00Z"},
        "status": "%s",
        "medicationCodeableConcept": {
            "coding": [
                {"system": "http://www.whocc.no/atc", "code": code, "display": f"Substance {code}"},
                {"system": "http://example.org/product", "code": str(rng.integers(10**6))},
            ],
            "text": f"Substance {code} tablets",
        },
        "subject": {"reference": "Patient/p%d"},
        "quantity": {"value": int(rng.choice([28, 30, 98, 100])), "unit": "tablet"},
        "daysSupply": {"value": int(rng.choice([14, 28, 30, 90])), "unit": "d", "code": "d"},
        "whenHandedOver": "%sT10:15:00+01:00",
        "dosageInstruction": [
            {"text": "1 daily", "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}}
        ],
    }
    return json.dumps(resource) + "\n"
