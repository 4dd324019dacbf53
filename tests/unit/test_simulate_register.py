"""What a simulated register looks like on disk."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from prodromal.errors import DefinitionError, OutputError
from prodromal.simulate import SimulationConfig, simulate
from prodromal.simulate.people import BLOCK

CONFIG = SimulationConfig.scenario("strong", persons=20_000, incidence_scale=40.0, noncase_fraction=0.2)


@pytest.fixture(scope="module")
def register(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "register"
    return folder, simulate(CONFIG, folder, seed=3)


def read(folder, name):
    return pq.read_table(folder / f"{name}.parquet").to_pandas(date_as_object=False)


def dispensings(folder):
    return ds.dataset(folder / "dispensings", format="parquet").to_table()


def test_tables_have_canonical_columns(register):
    folder, _ = register
    date, text = pa.date32(), pa.string()
    assert pq.read_schema(folder / "persons.parquet").remove_metadata() == pa.schema(
        [
            ("person_id", pa.int64()),
            ("sex", text),
            ("birth_date", date),
            ("observed_from", date),
            ("observed_to", date),
            ("death_date", date),
            ("sampling_weight", pa.float64()),
        ]
    )
    schema = dispensings(folder).schema
    assert schema.names == ["person_id", "dispensed_on", "atc", "ddd", "days_supply", "quantity"]
    assert [schema.field(name).type for name in ("dispensed_on", "ddd", "days_supply")] == [
        date,
        pa.float32(),
        pa.int16(),
    ]
    assert pa.types.is_dictionary(schema.field("atc").type)
    assert pq.read_schema(folder / "outcomes.parquet").names == ["person_id", "outcome", "diagnosed_on", "source"]
    assert pq.read_schema(folder / "relatives.parquet").names == ["person_id", "relative_id", "relation"]
    assert pq.read_schema(folder / "follow_up.parquet").names == [
        "person_id",
        "visit_on",
        "alsfrs_r",
        "invasive_ventilation_on",
    ]


def test_the_account_counts_what_was_written(register):
    folder, summary = register
    account = json.loads((folder / "simulation.json").read_text())
    assert account["counts"]["dispensings"] == summary.dispensings == dispensings(folder).num_rows
    assert account["counts"]["persons"] == summary.persons == len(read(folder, "persons"))
    assert account["counts"]["cases"] == summary.cases == len(read(folder, "outcomes"))
    assert (account["seed"], summary.population) == (3, CONFIG.persons)
    assert SimulationConfig.model_validate(account["config"]) == CONFIG


def test_dispensings_are_sorted_and_within_observation(register):
    folder, _ = register
    table = dispensings(folder).to_pandas(date_as_object=False)
    table["atc"] = table["atc"].astype(str)
    ordered = table.sort_values(["person_id", "dispensed_on", "atc"], kind="stable")
    assert ordered.index.is_monotonic_increasing
    joined = table.merge(read(folder, "persons"), on="person_id", validate="many_to_one")
    assert len(joined) == len(table)
    assert (joined["dispensed_on"] >= joined["observed_from"]).all()
    assert (joined["dispensed_on"] <= joined["observed_to"]).all()
    assert table["days_supply"].between(1, 90).all()
    assert (table["ddd"] > 0).all()
    assert table["quantity"].between(1, 3).all()
    assert table["atc"].str.fullmatch(r"[A-Z]\d\d[A-Z]{2}\d\d").all()


def test_parts_hold_whole_persons_in_ascending_order(tmp_path):
    config = SimulationConfig.scenario("published", persons=20_000, noncase_fraction=0.5, persons_per_part=3000)
    summary = simulate(config, tmp_path / "register", seed=1)
    last = 0
    paths = sorted((tmp_path / "register" / "dispensings").iterdir())
    assert len(paths) == summary.parts > 1
    for path in paths:
        people = pq.read_table(path, columns=["person_id"])["person_id"].to_numpy()
        assert people[0] > last
        last = people[-1]


def test_page_checksums_are_written(register):
    folder, _ = register
    path = folder / "dispensings" / "part-00000.parquet"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder.parent / "damaged.parquet").write_bytes(bytes(damaged))
    with pytest.raises(OSError, match=r"CRC|crc|checksum|Corrupt|corrupt"):
        pq.read_table(folder.parent / "damaged.parquet", page_checksum_verification=True)


def test_diagnosis_onset_death_and_visits_come_in_order(register):
    folder, _ = register
    truth = read(folder, "truth/persons").dropna(subset=["diagnosed_on"])
    assert (truth["onset_on"] <= truth["diagnosed_on"]).all()
    assert truth["prodrome_days"].isin([365, 730, 731, 1461, 2192, 3652, 3653]).all()
    joined = read(folder, "outcomes").merge(read(folder, "persons"), on="person_id")
    assert (joined["diagnosed_on"] > joined["observed_from"]).all()
    assert (joined["diagnosed_on"] <= joined["observed_to"]).all()
    known = joined.dropna(subset=["death_date"])
    assert len(known) > 50
    assert (known["death_date"] == known["observed_to"]).all()
    visits = read(folder, "follow_up").merge(joined, on="person_id")
    assert len(visits) == len(read(folder, "follow_up"))
    assert set(visits["person_id"]) == set(joined["person_id"])
    assert (visits["visit_on"] >= visits["diagnosed_on"]).all()
    assert (visits["visit_on"] <= visits["observed_to"]).all()
    assert not (visits["visit_on"] > visits["invasive_ventilation_on"]).any()
    assert visits["alsfrs_r"].between(0, 48).all()


def test_riluzole_is_for_cases_and_a_few_get_it_before_the_recorded_diagnosis(register):
    folder, _ = register
    table = dispensings(folder)
    treated = table.filter(pc.equal(table["atc"].cast(pa.string()), "N07XX02")).to_pandas(date_as_object=False)
    outcomes = read(folder, "outcomes")
    assert set(treated["person_id"]) <= set(outcomes["person_id"])
    first = (
        treated.groupby("person_id")["dispensed_on"].min().rename("first").reset_index().merge(outcomes, on="person_id")
    )
    early = (first["first"] < first["diagnosed_on"]).mean()
    assert 0.6 < len(first) / len(outcomes) < 0.9
    assert 0.02 < early < 0.1
    assert ((first["diagnosed_on"] - first["first"]).dt.days <= 45).all()


def test_relatives_are_mutual_and_of_known_people(register):
    folder, _ = register
    relatives = read(folder, "relatives")
    forward = set(map(tuple, relatives.to_numpy()))
    assert forward == {(b, a, relation) for a, b, relation in forward}
    assert len(forward) == len(relatives)
    assert set(relatives["person_id"]) <= set(read(folder, "persons")["person_id"])
    assert not (relatives["person_id"] == relatives["relative_id"]).any()
    spouses = relatives[relatives["relation"] == "spouse"]
    assert spouses["person_id"].is_unique
    sex = read(folder, "persons").set_index("person_id")["sex"]
    assert (sex[spouses["person_id"]].to_numpy() != sex[spouses["relative_id"]].to_numpy()).all()
    assert {"sibling", "spouse"} == set(relatives["relation"])


def test_siblings_share_frailty_and_spouses_do_not(register):
    folder, _ = register
    truth = read(folder, "truth/persons").set_index("person_id")["frailty"]
    relatives = read(folder, "relatives")
    for relation, shared in (("sibling", True), ("spouse", False)):
        pairs = relatives[relatives["relation"] == relation]
        equal = truth[pairs["person_id"]].to_numpy() == truth[pairs["relative_id"]].to_numpy()
        assert equal.all() if shared else not equal.any()


def test_sampling_weights_add_up_to_the_population(register):
    folder, _ = register
    persons, outcomes = read(folder, "persons"), read(folder, "outcomes")
    weight = persons.set_index("person_id")["sampling_weight"]
    assert set(weight.unique()) == {0.0, 1.0, 5.0}
    assert (weight[outcomes["person_id"]] == 1.0).all()
    assert (weight.drop(outcomes["person_id"]) != 1.0).all()
    relatives = set(read(folder, "relatives").query("person_id in @outcomes.person_id")["relative_id"])
    assert set(weight.index[weight == 0.0]) <= relatives
    sampled = (weight == 5.0).sum()
    spread = np.sqrt(CONFIG.persons * 0.2 * 0.8)
    assert abs(sampled - 0.2 * (CONFIG.persons - len(outcomes))) < 4 * spread


def test_without_an_extract_everybody_is_there_with_weight_one(tmp_path):
    config = SimulationConfig.scenario("published", persons=500)
    summary = simulate(config, tmp_path / "register", seed=1)
    persons = read(tmp_path / "register", "persons")
    assert summary.persons == len(persons) == 500
    assert (persons["sampling_weight"] == 1.0).all()
    assert persons["person_id"].tolist() == list(range(1, 501))


def test_csv_holds_the_same_rows_as_parquet(tmp_path):
    config = SimulationConfig.scenario("published", persons=400)
    simulate(config, tmp_path / "a", seed=1)
    simulate(config, tmp_path / "b", seed=1, file_format="csv")
    for name in ("persons", "dispensings/part-00000", "outcomes", "relatives", "follow_up"):
        expected = pq.read_table(tmp_path / "a" / f"{name}.parquet")
        types = {f.name: pa.string() if pa.types.is_dictionary(f.type) else f.type for f in expected.schema}
        found = pyarrow.csv.read_csv(
            tmp_path / "b" / f"{name}.csv",
            convert_options=pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True),
        )
        assert found.equals(expected.cast(found.schema)), name


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
@pytest.mark.parametrize(
    "settings",
    [
        {"persons": 1},
        {"persons": 50, "noncase_fraction": 1e-6},
        {"persons": 200, "incidence_scale": 0.0},
        {"persons": 200, "minimum_age": 60, "starts_on": "2015-01-01", "ends_on": "2016-12-31"},
        {"persons": 200, "emigration_per_year": 0.0, "prodrome": {"below_age": 30}},
    ],
)
def test_small_and_empty_registers_are_whole(tmp_path, settings, file_format):
    config = SimulationConfig.scenario("strong", **settings)
    summary = simulate(config, tmp_path / "r", seed=1, file_format=file_format)
    assert summary.population == settings["persons"]
    assert (summary.cases == 0) or settings["persons"] == 200
    for name in ("persons", "outcomes", "relatives", "follow_up", "dispensings/part-00000"):
        assert (tmp_path / "r" / f"{name}.{file_format}").is_file()
    if file_format == "parquet" and "minimum_age" in settings:
        age = read(tmp_path / "r", "persons").eval("(observed_from - birth_date).dt.days") / 365.25
        assert age.min() >= 60


def test_a_taken_folder_is_left_alone(tmp_path):
    output = tmp_path / "register"
    output.mkdir()
    (output / "kept.txt").write_text("mine")
    with pytest.raises(OutputError, match="register"):
        simulate(SimulationConfig.scenario("published", persons=10), output, seed=1)
    assert [path.name for path in tmp_path.rglob("*")] == ["register", "kept.txt"]


def test_an_interrupted_run_leaves_nothing(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(SimulationConfig.scenario("published", persons=10), tmp_path / "register", seed=1, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 1, "threads": 0}, "threads"),
        ({"seed": 1, "file_format": "feather"}, "parquet or csv"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, arguments, message):
    with pytest.raises(DefinitionError, match=message):
        simulate(SimulationConfig.scenario("published", persons=10), tmp_path / "register", **arguments)


def test_progress_counts_to_the_end(tmp_path):
    seen = []
    config = SimulationConfig.scenario("published", persons=2 * BLOCK + 1, noncase_fraction=0.01)
    simulate(config, tmp_path / "r", seed=1, threads=2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
