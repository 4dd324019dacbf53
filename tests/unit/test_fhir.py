"""A FHIR R4 export, resource by resource: what counts, what is left out, and under which name it is counted."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import date
from importlib import import_module

import pandas as pd
import pytest

from prodromal.errors import DataError, DefinitionError
from prodromal.register import Register
from prodromal.sources import ingest
from prodromal.sources.codes import SeveralCodes
from prodromal.sources.fhir import ATC_SYSTEMS, RXNORM, Fhir, Resources, find_files
from tests.writers.fhir import ICD_10, coded, condition, dispense, patient, request, write_fhir, write_ndjson

SETTINGS = {"observed_from": date(2005, 1, 1), "observed_to": date(2020, 12, 31), "max_rejected": 1.0}
GOOD = dispense("good", 1, "2010-01-01")


def run(folder, lines, people=(), **settings):
    """Ingest one file of patients (person 1 among them) and one of everything else."""
    write_ndjson(folder / "in" / "Patient.ndjson", [patient(1), *people])
    write_ndjson(folder / "in" / "others.ndjson", lines)
    source = Fhir(find_files([folder / "in"]), date(2021, 1, 1), **{**SETTINGS, **settings}).source()
    done = ingest(source, folder / "register", replace=True)
    return done.accounts, Register.open(folder / "register"), done.facts


def history(register, row=0):
    return register.history(row).drop(columns="quantity").to_numpy().tolist()


def test_one_dispense(tmp_path):
    accounts, register, _ = run(
        tmp_path, [dispense(1, 1, "2010-01-01", ddd=12.5, daysSupply={"value": 4, "unit": "wk", "code": "wk"})]
    )
    assert accounts["dispensings"].kept == 1
    ((day, atc, ddd, days),) = history(register)
    assert (f"{day:%Y-%m-%d}", atc, ddd, days) == ("2010-01-01", "N05BA01", 12.5, 28)


DISPENSES_LEFT_OUT = [
    ({"status": "cancelled"}, "status_cancelled"),
    ({"status": "declined"}, "status_declined"),
    ({"status": "entered-in-error"}, "status_entered_in_error"),
    ({"status": "preparation"}, "status_preparation"),
    ({"status": "in-progress", "whenHandedOver": None}, "status_in_progress"),
    ({"medicationCodeableConcept": {"text": "some tablets"}}, "without_code"),
    ({"medicationCodeableConcept": coded("1234", system=RXNORM)}, "unmapped_code"),
]


def test_dispenses_left_out(tmp_path):
    lines = [{**dispense(n, 1, "2010-02-01"), **change} for n, (change, _) in enumerate(DISPENSES_LEFT_OUT)]
    accounts, _, _ = run(tmp_path, [GOOD, *lines])
    assert accounts["dispensings"].kept == 1
    assert accounts["dispensings"].left_out == Counter(reason for _, reason in DISPENSES_LEFT_OUT)


def test_what_was_handed_over_counts(tmp_path):
    statuses = ("completed", "unknown", "in-progress", "on-hold", "stopped")
    accounts, _, _ = run(tmp_path, [{**GOOD, "id": status, "status": status} for status in statuses])
    assert accounts["dispensings"].kept == 5


REQUESTS_LEFT_OUT = [
    ({"intent": "plan"}, "not_an_order"),
    ({"intent": None}, "not_an_order"),
    ({"doNotPerform": True}, "not_to_be_performed"),
    ({"status": "draft"}, "status_draft"),
    ({"status": "cancelled"}, "status_cancelled"),
    ({"status": "entered-in-error", "intent": "plan"}, "status_entered_in_error"),
]


def test_requests_left_out(tmp_path):
    lines = [{**request(n, 1, "2010-02-01"), **change} for n, (change, _) in enumerate(REQUESTS_LEFT_OUT)]
    accounts, _, _ = run(tmp_path, [request("good", 1, "2010-01-01"), *lines])
    assert accounts["dispensings"].kept == 1
    assert accounts["dispensings"].left_out == Counter(reason for _, reason in REQUESTS_LEFT_OUT)


DISPENSES_REJECTED = [
    ({"status": "sent by owl"}, "unknown_status"),
    ({"status": None}, "unknown_status"),
    ({"status": {"value": "completed"}}, "wrong_structure"),
    ({"whenHandedOver": None}, "undated_dispensed_on"),
    ({"whenHandedOver": "2010-02"}, "partial_dispensed_on"),
    ({"whenHandedOver": "2010-02-30"}, "malformed_dispensed_on"),
    ({"whenHandedOver": "2010-02-01T25:00:00Z"}, "malformed_dispensed_on"),
    ({"whenHandedOver": "1900-01-01"}, "placeholder_dispensed_on"),
    ({"whenHandedOver": "2021-01-02T00:00:00Z"}, "future"),
    ({"subject": {"reference": "Patient/2"}}, "unknown_person"),
    ({"subject": {"reference": "Group/1"}}, "missing_person_id"),
    ({"subject": {"display": "someone"}}, "missing_person_id"),
    ({"medicationCodeableConcept": coded("N05-BA01")}, "malformed_atc"),
    ({"medicationCodeableConcept": None, "medicationReference": {"reference": "#a"}}, "unknown_medication"),
    (
        {"medicationCodeableConcept": None, "medicationReference": {"reference": "Medication/7"}},
        "unknown_medication",
    ),
    ({"daysSupply": {"value": 3, "unit": "strips"}}, "malformed_days_supply"),
    ({"daysSupply": 3}, "wrong_structure"),
    ({"quantity": {"value": "3"}}, "wrong_structure"),
    ({"quantity": {"value": True}}, "wrong_structure"),
    ({"id": 7}, "wrong_structure"),
]


def test_dispenses_rejected(tmp_path):
    lines = [{**dispense(n, 1, "2010-02-01"), **change} for n, (change, _) in enumerate(DISPENSES_REJECTED)]
    accounts, register, _ = run(tmp_path, [GOOD, *lines])
    assert accounts["dispensings"].kept == 1
    rejected = register.table("rejected").to_pylist()
    assert [row["rule"] for row in rejected] == [rule for _, rule in DISPENSES_REJECTED]
    assert {(row["file"], row["row"] - 2) for row in rejected} == {("others.ndjson", n) for n in range(len(lines))}


DAYS = [
    ("2010-01-01", "2010-01-01"),
    ("2010-01-01T23:30:00-11:00", "2010-01-01"),
    ("2010-01-01T00:30:00+14:00", "2010-01-01"),
    ("2012-02-29T12:00:00.123456Z", "2012-02-29"),
    ("2010-03-28T02:30:00+01:00", "2010-03-28"),
    ("2016-12-31T23:59:60Z", "2016-12-31"),
]


def test_the_day_is_the_local_day_as_written(tmp_path):
    _, register, _ = run(tmp_path, [dispense(n, 1, written) for n, (written, _) in enumerate(DAYS)])
    assert [f"{row[0]:%Y-%m-%d}" for row in history(register)] == sorted(day for _, day in DAYS)


def test_ways_to_refer_to_a_patient(tmp_path):
    ways = [
        "Patient/1",
        "Patient/1/_history/3",
        "https://host/fhir/Patient/1",
        "https://host/fhir/Patient/1/_history/3",
    ]
    lines = [{**GOOD, "id": str(n), "subject": {"reference": way}} for n, way in enumerate(ways)]
    assert run(tmp_path, lines)[0]["dispensings"].kept == 4


def test_a_patient_by_urn(tmp_path):
    name = "9cb07669-494a-498c-87e4-4d6a3e14b5f7"
    accounts, _, _ = run(tmp_path, [{**GOOD, "subject": {"reference": f"urn:uuid:{name}"}}], [patient(name)])
    assert accounts["dispensings"].kept == 1


def test_two_servers_are_refused_since_an_id_may_be_two_people(tmp_path):
    bought = [
        {**dispense(n, 1, "2010-01-01"), "subject": {"reference": f"https://{host}/Patient/1"}}
        for n, host in enumerate(("a", "b"))
    ]
    with pytest.raises(DataError, match="2 servers"):
        run(tmp_path, bought)


MEDICATION = {"resourceType": "Medication", "id": "m1", "code": coded("N06AB04")}


REFERENCES = [
    {"medicationReference": {"reference": "Medication/m1"}},
    {"medicationReference": {"reference": "https://host/fhir/Medication/m1/_history/2"}},
    {"medicationReference": {"reference": "urn:uuid:m1"}},
    {"medicationReference": {"reference": "#in"}, "contained": [{**MEDICATION, "id": "in"}]},
]


def test_referenced_and_contained_medications(tmp_path):
    lines = [dispense(n, 1, "2010-01-01", None, **more) for n, more in enumerate(REFERENCES)]
    _, register, _ = run(tmp_path, [MEDICATION, *lines])
    assert [row[1] for row in history(register)] == ["N06AB04"] * 4


MAPPING = "rxcui,atc,level\n243670,B01AC,4\n243670,A01AD05,5\n243670,B01AC06,5\n243670,N02BA01,5\n308192,J01CA04,5\n"


@pytest.mark.parametrize(
    ("policy", "codes", "left_out", "expanded"),
    [
        (SeveralCodes.ALL, ["A01AD05", "B01AC06", "J01CA04", "N02BA01", "N05BA01"], {}, 2),
        (SeveralCodes.FIRST, ["A01AD05", "J01CA04", "N05BA01"], {}, 0),
        (SeveralCodes.SINGLE_ONLY, ["J01CA04", "N05BA01"], {"several_codes": 1}, 0),
    ],
)
def test_mapped_codes(tmp_path, policy, codes, left_out, expanded):
    (tmp_path / "map.csv").write_text(MAPPING)
    bought = [
        GOOD,
        dispense(1, 1, "2010-01-01", None, medicationCodeableConcept=coded("243670", system=RXNORM)),
        dispense(2, 1, "2010-01-01", None, medicationCodeableConcept=coded("308192", system=RXNORM)),
    ]
    accounts, register, facts = run(tmp_path, bought, mapping=(tmp_path / "map.csv",), several_codes=policy)
    account = accounts["dispensings"]
    assert sorted(row[1] for row in history(register)) == codes
    assert (dict(account.left_out), account.expanded, account.read) == (left_out, expanded, 3)
    assert facts["coverage"]["ways"]["mapped"]["rows"] == 2 - len(left_out)


def test_a_code_of_another_system_is_not_mapped(tmp_path):
    (tmp_path / "map.csv").write_text(MAPPING)
    snomed = dispense(
        1, 1, "2010-02-01", None, medicationCodeableConcept=coded("308192", system="http://snomed.info/sct")
    )
    accounts, _, _ = run(tmp_path, [GOOD, snomed], mapping=(tmp_path / "map.csv",))
    assert dict(accounts["dispensings"].left_out) == {"unmapped_code": 1}


def test_an_atc_code_comes_before_a_mapped_one_and_a_group_gives_way_to_its_drug(tmp_path):
    (tmp_path / "map.csv").write_text(MAPPING)
    codings = [*coded("243670", system=RXNORM)["coding"], *coded("N05B", "N05BA01")["coding"]]
    _, register, _ = run(
        tmp_path,
        [dispense(1, 1, "2010-01-01", None, medicationCodeableConcept={"coding": codings})],
        mapping=(tmp_path / "map.csv",),
    )
    assert [row[1] for row in history(register)] == ["N05BA01"]


def test_another_system_of_atc_codes_may_be_named(tmp_path):
    german = "http://fhir.de/CodeSystem/bfarm/atc"
    bought = [dispense(1, 1, "2010-01-01", None, medicationCodeableConcept=coded("N06AB04", system=german))]
    assert run(tmp_path, [GOOD, *bought])[0]["dispensings"].kept == 1
    assert run(tmp_path, [GOOD, *bought], atc_systems=(*ATC_SYSTEMS, german))[0]["dispensings"].kept == 2


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "rxcui,atc\n1,nonsense\n", "rxcui,atc\n,N05BA01\n"])
def test_a_mapping_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "map.csv").write_text(content)
    with pytest.raises(DataError, match=r"map.csv"):
        run(tmp_path, [GOOD], mapping=(tmp_path / "map.csv",))


def version(number, version, updated=None, **change):
    meta = {"versionId": version, **({"lastUpdated": updated} if updated else {})}
    return {**dispense(number, 1, "2010-01-01"), "meta": meta, **change}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (version(1, "9"), version(1, "10", whenHandedOver="2011-01-01")),
        (
            version(1, "2", "2020-01-01T00:30:00+02:00"),
            version(1, "1", "2019-12-31T23:00:00Z", whenHandedOver="2011-01-01"),
        ),
        (version(1, "1", whenHandedOver="2012-01-01"), version(1, "2", status="entered-in-error")),
    ],
)
def test_the_latest_version_counts_and_older_ones_are_duplicates(tmp_path, older, newer, turned):
    accounts, register, _ = run(tmp_path, [GOOD, *((newer, older) if turned else (older, newer))])
    account = accounts["dispensings"]
    assert (account.read, account.duplicate) == (3, 1)
    expected = ["2010-01-01"] if newer["status"] == "entered-in-error" else ["2010-01-01", "2011-01-01"]
    assert [f"{row[0]:%Y-%m-%d}" for row in history(register)] == expected


def test_a_resource_repeated_in_another_file_counts_once(tmp_path):
    write_ndjson(tmp_path / "in" / "again.ndjson.gz", [GOOD, GOOD])
    accounts, _, _ = run(tmp_path, [GOOD])
    assert (accounts["dispensings"].kept, accounts["dispensings"].duplicate) == (1, 2)


def test_one_version_with_two_contents_is_rejected(tmp_path):
    other = {**GOOD, "whenHandedOver": "2012-01-01"}
    accounts, _, _ = run(tmp_path, [GOOD, other, dispense(1, 1, "2010-02-01")])
    assert dict(accounts["dispensings"].rejected) == {"conflicting_version": 2}


def test_equal_dispenses_with_ids_of_their_own_are_two(tmp_path):
    accounts, _, _ = run(tmp_path, [GOOD, {**GOOD, "id": "another"}])
    assert accounts["dispensings"].kept == 2


def link(kind, other):
    return {"link": [{"type": kind, "other": {"reference": f"Patient/{other}"}}]}


@pytest.mark.parametrize(
    "people", [[patient(2, **link("replaced-by", 1))], [patient(2), patient(3, **link("seealso", 1))]]
)
def test_dispenses_of_a_replaced_record_go_to_the_record_that_stands_for_the_person(tmp_path, people):
    replaced = "link" in people[0]
    accounts, register, facts = run(tmp_path, [GOOD, dispense(1, 2, "2010-02-01")], people)
    assert len(history(register)) == (2 if replaced else 1)
    assert dict(accounts["persons"].left_out) == ({"replaced": 1} if replaced else {})
    assert facts["links"] == ({"merged": 1} if replaced else {"other": 1})


def test_chains_are_followed_and_replaces_is_the_same_the_other_way_round(tmp_path):
    people = [
        patient(2, **link("replaced-by", 3)),
        patient(3),
        patient(4, **link("replaces", 3)),
        patient(5, **link("replaced-by", 1)),
    ]
    accounts, register, _ = run(tmp_path, [dispense(n, n, "2010-02-01") for n in range(1, 6)], people)
    assert list(register.persons.ids) == [1, 4]
    assert [len(history(register, row)) for row in (0, 1)] == [2, 3]
    assert dict(accounts["persons"].left_out) == {"replaced": 3}


def test_links_in_a_circle_are_rejected(tmp_path):
    people = [patient(2, **link("replaced-by", 3)), patient(3, **link("replaced-by", 2))]
    accounts, _, _ = run(tmp_path, [GOOD, dispense(1, 2, "2010-02-01")], people)
    assert dict(accounts["persons"].rejected) == {"conflicting_links": 2}
    assert dict(accounts["dispensings"].rejected) == {"missing_person_id": 1}


def test_a_link_to_a_record_that_was_not_delivered_changes_nothing(tmp_path):
    accounts, _, facts = run(tmp_path, [GOOD, dispense(1, 2, "2010-02-01")], [patient(2, **link("replaced-by", 9))])
    assert accounts["dispensings"].kept == 2
    assert facts["links"] == {"target_absent": 1}


def test_patients(tmp_path):
    people = [
        patient(2, birth="1950"),
        patient(3, birth="1950-02", death="2010-06-30"),
        {**patient(4), "gender": "other", "deceasedBoolean": True},
        {**patient(5), "active": False, "deceasedBoolean": False},
        {**patient(6), "birthDate": None},
        patient(7, deceasedDateTime="2010"),
    ]
    accounts, register, facts = run(tmp_path, [GOOD], people)
    frame = register.frame("persons").astype(dict.fromkeys(("birth_date", "death_date"), str)).set_index("person_id")
    assert dict(accounts["persons"].rejected) == {"undated_birth_date": 1}
    assert list(frame.loc[[2, 3], "birth_date"]) == ["1950-07-01", "1950-02-15"]
    assert list(frame.loc[[3, 7], "death_date"]) == ["2010-06-30", "2010-12-31"]
    assert list(frame.loc[[1, 4, 5], "sex"]) == ["F", "U", "F"]
    assert accounts["persons"].repaired["sex_unknown"] == 1
    assert facts["deceased_undated"] == 1


@pytest.mark.parametrize(
    ("asked", "kept", "left_out"),
    [
        (Resources.AUTO, "N05BA01", {"other_resource": 1}),
        (Resources.DISPENSES, "N05BA01", {"other_resource": 1}),
        (Resources.REQUESTS, "N06AB04", {"other_resource": 1}),
    ],
)
def test_a_drug_that_was_ordered_and_dispensed_counts_once(tmp_path, asked, kept, left_out):
    accounts, register, _ = run(tmp_path, [GOOD, request(1, 1, "2010-01-01", "N06AB04")], resources=asked)
    assert [row[1] for row in history(register)] == [kept]
    assert dict(accounts["dispensings"].left_out) == left_out


@pytest.mark.parametrize(("quantity", "found"), [("units", (None, None)), ("packages", (None, 2)), ("ddd", (2, None))])
def test_what_a_quantity_counts(tmp_path, quantity, found):
    _, register, _ = run(tmp_path, [{**GOOD, "quantity": {"value": 2, "unit": "box"}}], quantity=quantity)
    row = register.history(0).astype(object).where(lambda frame: frame.notna(), None)
    assert (row["ddd"][0], row["quantity"][0]) == found


def test_without_a_given_observation_it_runs_from_the_first_to_the_last_event(tmp_path):
    bought = [
        dispense(1, 1, "2010-03-01"),
        dispense(2, 1, "2012-04-01"),
        dispense(3, 1, "9999-12-31"),
        dispense(4, 1, "1940-01-01"),
        dispense(5, 1, "2013-01-01", status="entered-in-error"),
    ]
    _, register, facts = run(tmp_path, bought, [patient(2)], observed_from=None, observed_to=None)
    observed = register.frame("persons")[["person_id", "observed_from", "observed_to"]].astype(str)
    assert observed.to_numpy().tolist() == [["1", "2010-03-01", "2012-04-01"]]
    assert (facts["observed_from"], facts["observed_to"]) == ("first event", "last event")


ALS = {"ALS": (f"{ICD_10}|G12.2*",)}


CONDITIONS = [
    ({}, 1, {}),
    ({"code": coded("G12.21", system=ICD_10)}, 1, {}),
    ({"code": coded("G12.1", system=ICD_10)}, 0, {"other_condition": 1}),
    ({"code": coded("G12.2", system="http://other")}, 0, {"other_condition": 1}),
    ({"verificationStatus": coded("confirmed", system="s")}, 1, {}),
    ({"verificationStatus": coded("provisional", system="s")}, 0, {"status_provisional": 1}),
    ({"verificationStatus": coded("refuted", system="s")}, 0, {"status_refuted": 1}),
]


def test_conditions(tmp_path):
    lines = [{**condition(n, 1, "2011-01-01"), **change} for n, (change, *_) in enumerate(CONDITIONS)]
    account = run(tmp_path, [GOOD, *lines], outcomes=ALS)[0]["outcomes"]
    assert account.kept == sum(kept for _, kept, _ in CONDITIONS)
    assert account.left_out == sum((Counter(reasons) for *_, reasons in CONDITIONS), Counter())


@pytest.mark.parametrize(
    ("by_record", "onset", "day"),
    [(False, "2011-05-01", "2011-05-01"), (True, "2011-05-01", "2012-01-01"), (False, None, "2012-01-01")],
)
def test_the_date_of_a_condition(tmp_path, by_record, onset, day):
    found = {**condition(1, 1, "x"), "onsetDateTime": onset, "recordedDate": "2012-01-01T10:00:00Z"}
    _, register, _ = run(tmp_path, [GOOD, found], outcomes=ALS, by_record=by_record)
    assert list(register.frame("outcomes")["diagnosed_on"].astype(str)) == [day]


def test_one_condition_may_be_two_outcomes(tmp_path):
    both = {**ALS, "MND": (f"{ICD_10}|G12.2",)}
    accounts, register, _ = run(tmp_path, [GOOD, condition(1, 1, "2011-01-01")], outcomes=both)
    assert sorted(register.frame("outcomes")["outcome"]) == ["ALS", "MND"]
    assert (accounts["outcomes"].read, accounts["outcomes"].expanded) == (1, 1)


def test_an_outcome_without_a_code_system_is_refused(tmp_path):
    with pytest.raises(DefinitionError, match=r"SYSTEM\|CODE"):
        Fhir((tmp_path,), date(2021, 1, 1), outcomes={"ALS": ("G12.2",)})


def test_files_of_other_resources_are_not_read_but_told_and_others_in_a_file_are_counted(tmp_path):
    write_ndjson(tmp_path / "in" / "Observation.000.ndjson", [{"resourceType": "Observation"}, "not read at all"])
    accounts, _, facts = run(tmp_path, [GOOD, {"resourceType": "Encounter"}])
    assert facts["files_not_read"] == {"Observation": 1}
    assert dict(accounts["dispensings"].left_out) == {"other_resource": 1}
    assert facts["read"] == {"Encounter": 1, "MedicationDispense": 1, "Patient": 1}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([GOOD], r"no resource Patient; they hold MedicationDispense \(1\)"),
        ([patient(1)], "no resource MedicationDispense or MedicationRequest; they hold Patient"),
        ([], "hold nothing"),
    ],
)
def test_an_export_without_people_or_supplies_is_refused(tmp_path, lines, words):
    write_ndjson(tmp_path / "a.ndjson", lines)
    source = Fhir((tmp_path / "a.ndjson",), date(2021, 1, 1)).source()
    with pytest.raises(DataError, match=words):
        ingest(source, tmp_path / "register")
    assert {item.name for item in tmp_path.iterdir()} == {"a.ndjson"}


def test_an_outcome_that_nobody_has_is_refused(tmp_path):
    with pytest.raises(DataError, match="none of 1 conditions has a code of outcome ALS"):
        run(tmp_path, [GOOD, condition(1, 1, "2011-01-01", "G122")], outcomes=ALS)


def test_an_export_without_any_atc_code_is_refused(tmp_path):
    bought = [dispense(1, 1, "2010-01-01", None, medicationCodeableConcept=coded("1191", system=RXNORM))]
    with pytest.raises(DataError, match="none of 1 resources MedicationDispense has an ATC code"):
        run(tmp_path, bought)


def test_several_processes_make_the_same_register(tmp_path, monkeypatch):
    monkeypatch.setattr("prodromal.sources.fhir.load._WORTH_PROCESSES", 0)
    monkeypatch.setattr("prodromal.sources.fhir.lines._CHUNK", 5000)
    bought = [dispense(n, 1, f"2010-01-{1 + n % 28:02d}", "N05BA01" if n % 3 else "N06AB04") for n in range(200)]
    made = [run(tmp_path, ["{broken", *bought], processes=processes)[1].manifest for processes in (1, 2)]
    assert made[0]["files"] == made[1]["files"]
    assert made[0]["account"] == made[1]["account"]
    assert made[0]["account"]["dispensings"]["kept"] == 200


def test_the_writer_of_these_tests_writes_what_fhir_resources_accepts(tmp_path):
    tables = {
        "persons": pd.DataFrame(
            {"person_id": [1], "sex": ["F"], "birth_date": ["1950-01-01"], "death_date": ["2011-01-01"]}
        ),
        "dispensings": pd.DataFrame(
            {
                "person_id": [1, 1],
                "dispensed_on": ["2010-01-01"] * 2,
                "atc": ["N05BA01"] * 2,
                "ddd": [1.5, None],
                "days_supply": [None, 3],
            }
        ),
        "outcomes": pd.DataFrame({"person_id": [1], "diagnosed_on": ["2010-05-01"]}),
    }
    found = 0
    for file in find_files([write_fhir(tmp_path, tables)]):
        data = file.read_bytes()
        for line in (gzip.decompress(data) if file.suffix == ".gz" else data).splitlines():
            resource = json.loads(line)
            kind = resource["resourceType"]
            getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind).model_validate(resource)
            found += 1
    assert found == 4
    for resource in (
        request(1, 1, "2010-01-01", dispenseRequest={"expectedSupplyDuration": {"value": 4, "code": "wk"}}),
        patient(2, **link("replaced-by", 1)),
        MEDICATION,
    ):
        kind = resource["resourceType"]
        getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind).model_validate(resource)


@pytest.mark.shared
def test_an_export_made_by_strangers(shared, tmp_path):
    data = shared / "data"
    source = Fhir(
        find_files([data / "synthea_fhir"]),
        date(2024, 1, 1),
        outcomes={"anything": ("http://snomed.info/sct|*",)},
        mapping=(data / "rxcui_to_atc" / "rxcui_to_atc.csv",),
        max_rejected=0.0,
    ).source()
    accounts = ingest(source, tmp_path / "register").accounts
    for name, kind in (("persons", "Patient"), ("dispensings", "MedicationRequest"), ("outcomes", "Condition")):
        with (data / "synthea_fhir" / f"{kind}.ndjson").open() as stream:
            assert accounts[name].read == sum(1 for _ in stream)
    assert (accounts["persons"].kept, accounts["outcomes"].kept) == (20, 3367)
    assert dict(accounts["dispensings"].left_out) == {"unmapped_code": 80}
    assert accounts["dispensings"].kept == 801 - 80 + accounts["dispensings"].expanded
    Register.open(tmp_path / "register").verify()
