"""``--require-signature`` on every verb that loads a bundle; traces and faults that tell no value."""

from __future__ import annotations

import pytest

from prodromal.cli.app import main
from prodromal.risk import save
from prodromal.risk.signature import make_key_pair
from tests.security.bundles import small_model

VERBS = {
    "check": "check model",
    "score": "score register model --on 2014-01-01 --output out.parquet",
    "explain": "explain register model --on 2014-01-01 --output out.html",
    "evaluate": "evaluate risks.parquet cohort.parquet --register register --model model --output out",
    "recalibrate": "recalibrate register model cohort.parquet --output out",
}


def run(line, capsys):
    with pytest.raises(SystemExit) as left:
        main(line.split())
    return left.value.code, capsys.readouterr()


@pytest.fixture
def here(world, tmp_path, monkeypatch):
    from prodromal.design import write_cohort
    from prodromal.risk import save as write

    make_key_pair(tmp_path / "ours")
    make_key_pair(tmp_path / "theirs")
    write(world.model, tmp_path / "model", key=tmp_path / "theirs")
    write_cohort(world.cohort, tmp_path / "cohort.parquet", register=world.register.fingerprint)
    frame = world.cohort.frame[["person_id", "index_date"]].assign(risk=1e-4)
    frame.to_parquet(tmp_path / "risks.parquet")
    (tmp_path / "register").symlink_to(world.folder / "register")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_loads_a_bundle_can_insist(here, capsys, verb):
    code, told = run(f"{VERBS[verb]} --require-signature ours.pub", capsys)
    assert (code, "was signed by key" in told.err) == (12, True), told.err
    assert not list(here.glob("out*"))


def test_a_bundle_signed_by_the_right_key_is_used(here, capsys):
    assert run("check model --require-signature theirs.pub", capsys)[0] == 0
    code, told = run("check register --require-signature theirs.pub", capsys)
    assert (code, "a register is not signed" in told.err) == (10, True)


def test_sign_and_insist(here, capsys):
    save(small_model(), here / "unsigned")
    assert run("check unsigned --require-signature ours.pub", capsys)[0] == 12
    assert run("sign unsigned --key ours", capsys)[0] == 0
    assert run("check unsigned --require-signature ours.pub", capsys)[0] == 0


def test_a_fault_shows_its_way_and_no_words(here, capsys, monkeypatch):
    from prodromal.register import Register

    def open_(folder):
        raise ZeroDivisionError("kanarie-000000001")

    monkeypatch.setattr(Register, "open", open_)
    code, told = run("check register", capsys)
    assert code == 1
    assert "ZeroDivisionError (its words are withheld)" in told.err
    assert "kanarie" not in told.err.replace('raise ZeroDivisionError("kanarie-000000001")', "")


def test_a_trace_names_causes_without_their_words(here, capsys):
    code, told = run("--debug score register model --index-dates risks.parquet --output risks.parquet", capsys)
    assert code == 14
    assert "Traceback" in told.err
