"""One seed, one register: neither threads nor parts nor who else is handed out can matter."""

import hashlib

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from prodromal.simulate import SimulationConfig, simulate
from prodromal.simulate.people import BLOCK

SETTINGS = {"persons": 2 * BLOCK + 3000, "incidence_scale": 30.0, "noncase_fraction": 0.1}


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def made(folder, *, seed=1, threads=1, file_format="parquet", **settings):
    config = SimulationConfig.scenario("published", **{**SETTINGS, **settings})
    simulate(config, folder, seed=seed, threads=threads, file_format=file_format)
    return folder


@pytest.fixture(scope="module")
def register(tmp_path_factory):
    return made(tmp_path_factory.mktemp("simulated") / "register")


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_bytes_do_not_depend_on_threads(register, tmp_path, threads):
    assert digests(made(tmp_path / "r", threads=threads)) == digests(register)


def test_csv_bytes_do_not_depend_on_threads(tmp_path):
    one, two = (made(tmp_path / str(n), threads=n, file_format="csv") for n in (1, 2))
    assert digests(one) == digests(two)


def test_another_seed_is_another_register(register, tmp_path):
    ours, theirs = digests(register), digests(made(tmp_path / "r", seed=2))
    assert all(ours[name] != theirs[name] for name in ours)


@pytest.mark.parametrize("persons_per_part", [1, 500, 10**6])
def test_rows_do_not_depend_on_parts(register, tmp_path, persons_per_part):
    folder = made(tmp_path / "r", persons_per_part=persons_per_part)
    assert ds.dataset(folder / "dispensings").to_table().equals(ds.dataset(register / "dispensings").to_table())
    ours, theirs = digests(register), digests(folder)
    changed = {name for name in ours if ours[name] != theirs.get(name)}
    assert all(name.startswith("dispensings/") or name == "simulation.json" for name in changed)


def test_an_extract_holds_the_same_lives_as_the_whole(register, tmp_path):
    whole = made(tmp_path / "r", noncase_fraction=1.0)
    people = pq.read_table(register / "persons.parquet")["person_id"]
    for name in ("persons", "outcomes", "follow_up", "truth/persons", "truth/initiations", "dispensings"):
        path = f"{name}.parquet" if name != "dispensings" else name
        part, full = (ds.dataset(folder / path).to_table() for folder in (register, whole))
        same = full.filter(pc.is_in(full["person_id"], people))
        columns = [column for column in part.column_names if column != "sampling_weight"]
        assert part.select(columns).equals(same.select(columns)), name
    assert pq.read_table(register / "truth/population.parquet").equals(
        pq.read_table(whole / "truth/population.parquet")
    )


def test_more_people_leave_whole_blocks_as_they_were(register, tmp_path):
    folder = made(tmp_path / "r", persons=2 * BLOCK)
    for name in ("persons.parquet", "dispensings"):
        larger, smaller = ds.dataset(register / name).to_table(), ds.dataset(folder / name).to_table()
        assert smaller.equals(larger.filter(pc.less_equal(larger["person_id"], 2 * BLOCK)))
