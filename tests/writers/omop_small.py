"""A common data model of three people as text, to be changed in one place by each test."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from prodromal.register import Register
from prodromal.sources import Ingested, ingest
from prodromal.sources.omop import OmopOutcome, omop_source

__all__ = ["EXPOSURE", "SMALL", "atcs", "ingested", "write"]

EXPOSURE = (
    "drug_exposure_id,person_id,drug_concept_id,drug_exposure_start_date,days_supply,quantity,drug_type_concept_id,"
    "drug_source_concept_id,drug_source_value\n"
)
# 1 is a product of one ingredient, 2 of two, 3 has two codes by its ancestors, 4 only a mapping, 5 nothing.
SMALL = {
    "person": "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth\n"
    "1,8507,1950,3,1\n2,8532,1960,,\n3,0,1970,5,\n",
    "observation_period": "person_id,observation_period_start_date,observation_period_end_date\n"
    "1,2005-01-01,2020-12-31\n2,2005-01-01,2020-12-31\n3,2005-01-01,2020-12-31\n",
    "death": "person_id,death_date\n2,2015-06-01\n",
    "drug_exposure": EXPOSURE + "1,1,1,2010-01-01,30,60,32825,0,x\n",
    "condition_occurrence": "condition_occurrence_id,person_id,condition_concept_id,condition_start_date\n"
    "1,1,701,2012-02-29\n2,2,700,2014-01-01\n3,2,799,2013-01-01\n",
    "cohort": "cohort_definition_id,subject_id,cohort_start_date,cohort_end_date\n7,1,2012-02-29,2012-02-29\n"
    "8,2,2013-01-01,2013-01-01\n",
    "concept": "concept_id\tconcept_name\tvocabulary_id\tconcept_code\tconcept_class_id\tstandard_concept\n"
    '1\tsertraline 50 MG "film"\tRxNorm\t101\tClinical Drug\tS\n'
    "2\tparacetamol 500 MG / codeine 30 MG\tRxNorm\t102\tClinical Drug\tS\n"
    "3\taspirin 75 MG\tRxNorm\t103\tClinical Drug\tS\n"
    "4\tdiazepam 5 MG\tRxNorm\t104\tClinical Drug\tS\n"
    "5\tpoliovirus vaccine\tCVX\t10\tCVX\tS\n"
    "11\tsertraline\tRxNorm\t201\tIngredient\tS\n"
    "12\tparacetamol\tRxNorm\t202\tIngredient\tS\n"
    "13\tcodeine\tRxNorm\t203\tIngredient\tS\n"
    "14\tdiazepam\tRxNorm\t204\tIngredient\tS\n"
    "21\tsertraline; oral\tATC\tN06AB06\tATC 5th\tC\n"
    "22\tSSRI\tATC\tN06AB\tATC 4th\tC\n"
    "23\tcodeine and paracetamol\tATC\tN02AJ06\tATC 5th\tC\n"
    "24\taspirin; blood\tATC\tB01AC06\tATC 5th\tC\n"
    "25\taspirin; pain\tATC\tN02BA01\tATC 5th\tC\n"
    "700\tALS\tSNOMED\t86\tDisorder\tS\n701\tA kind of ALS\tSNOMED\t87\tDisorder\tS\n",
    "concept_ancestor": "ancestor_concept_id\tdescendant_concept_id\n21\t1\n22\t1\n11\t1\n23\t2\n12\t2\n13\t2\n"
    "24\t3\n25\t3\n14\t4\n700\t700\n700\t701\n",
}


def write(folder: Path, **changes: str | bytes | None) -> Path:
    """The small model as CSV files; a table given as None is left away."""
    folder.mkdir(exist_ok=True)
    for name, text in {**SMALL, **changes}.items():
        if text is not None:
            content = text if isinstance(text, bytes) else text.encode()
            (folder / f"{name}.csv").write_bytes(content)
    return folder


def ingested(cdm: Path | str, output: Path, *outcomes: str, **settings: Any) -> tuple[Ingested, dict[str, Any]]:
    """Ingest a model; what was published, and what the manifest tells of it."""
    settings = {"extracted_on": date(2021, 1, 1), "max_rejected": 1.0, **settings}
    source = omop_source(cdm, [OmopOutcome.parse(text) for text in outcomes], **settings)
    done = ingest(source, output, replace=True)
    register = Register.open(output)
    register.verify()
    return done, register.manifest["settings"]["omop"]


def atcs(output: Path) -> dict[int, list[str]]:
    """ATC codes of each person, in the order of the register."""
    register = Register.open(output)
    found: dict[int, list[str]] = {}
    for part in register.parts:
        rows = part.read(["person_id", "atc"])
        ids, codes = rows.column("person_id").to_pylist(), rows.column("atc").cast(pa.string()).to_pylist()
        for person, code in zip(ids, codes, strict=True):
            found.setdefault(person, []).append(code)
    return found
