"""Each target reads bytes as a reader of ours would; whatever it raises but our own errors is a finding."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path

from prodromal.errors import ProdromalError
from scripts.fuzz_targets import dates

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "models" / "als-synthetic-v1"


@dataclass(frozen=True)
class Target:
    """A reader, examples to start from, and the most bytes that it is given."""

    read: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    longest: int = 4096


def ubjson(data: bytes) -> None:
    """What is read can only have been written as it was; sound trees stay sound."""
    from prodromal.risk.tree_structure import check_trees
    from prodromal.risk.ubjson import read_ubjson
    from tests.security.bundles import write_ubjson

    document = read_ubjson(data, "file")
    shortest = write_ubjson(document)
    assert len(shortest) <= len(data)
    assert write_ubjson(read_ubjson(shortest, "file")) == shortest
    trees = check_trees(document, n_features=3, where="file")
    assert trees.lowest <= trees.highest


def _small_trees() -> Iterator[bytes]:
    import numpy as np
    import xgboost

    rows = np.arange(60, dtype=np.float32).reshape(20, 3) % 7
    for objective in ("reg:squarederror", "binary:logistic"):
        settings = {"max_depth": 2, "base_score": 0.5, "objective": objective, "nthread": 1}
        yield bytes(xgboost.train(settings, xgboost.DMatrix(rows, rows[:, 0] > 3), 2).save_raw("ubj"))


def manifest(data: bytes) -> None:
    from prodromal.risk.manifest import read_manifest

    assert set(read_manifest(data, "file").sha256) >= {"model.ubj", "model.json", "plan.toml", "features.json"}


def _manifests() -> Iterator[bytes]:
    from prodromal.risk.manifest import CARD, FILES, write_manifest

    yield (BUNDLE / "bundle.json").read_bytes()
    yield write_manifest(dict.fromkeys(FILES, b""))
    yield write_manifest(dict.fromkeys((*FILES, CARD), b"x"))


def register(data: bytes) -> None:
    """What is opened names no file outside its folder; the fuzzer learns seals that fit from how they are compared."""
    from prodromal.register import Register

    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "register.json").write_bytes(data)
        tables = Register.open(name).manifest["files"]
    named = [Path(os.path.normpath(Path(name, entry["path"]))) for files in tables.values() for entry in files]
    assert all(path.is_relative_to(name) for path in named)


def _registers() -> Iterator[bytes]:
    """Manifests of registers of nobody: without a table, and with two."""
    from prodromal.register.writer import RegisterWriter
    from prodromal.tables import TABLES

    for names in ((), ("persons", "dispensings")):
        with tempfile.TemporaryDirectory() as folder:
            writer = RegisterWriter(Path(folder), rows_per_part=1)
            for name in names:
                writer.write(TABLES[name], (), person_id="BIGINT")
            writer.finish(accounts={}, sources=[{"name": "csv"}], settings={"simulated": True})
            yield (Path(folder) / "register.json").read_bytes()


def facts(data: bytes) -> None:
    from prodromal.risk.facts import read_facts
    from prodromal.risk.strict_json import read_json

    read_facts(read_json(data, "file"), "file")


def bundle_plan(data: bytes) -> None:
    from prodromal.risk.bundle_plan import read_plan

    _same_again(read_plan(data, "file"))


def plan(data: bytes) -> None:
    from prodromal.features import FeaturePlan

    _same_again(FeaturePlan.parse(data.decode("utf-8", "replace"), "file"))


def _same_again(found: object) -> None:
    from prodromal.features import FeaturePlan

    assert isinstance(found, FeaturePlan)
    assert FeaturePlan.parse(found.to_toml()).fingerprint == found.fingerprint


_PLAN = b"""name = "small"
min_coverage = 0.5
default_days_supply = 30
washout_days = 365
windows = ["0-90d", "1-2y"]
measures = ["count", "ddd", "initiated"]
since = ["days_since_last"]
person = ["age_years", "sex"]
[[groups]]
name = "N06A"
label = "antidepressants"
family = "Antidepressants"
atc = ["N06A"]
"""
# Python reads integers of at most 4,300 digits and gives up some hundred brackets deep.
_BEYOND_TOML = (b"washout_days = " + b"9" * 5000, b"name = " + b"[" * 16_000, b"windows = " + b"{a=" * 5000)


def _plans() -> Iterator[bytes]:
    yield _PLAN
    yield b'name = "x"\nallow_leaky = true\nperson = ["sex"]\n[[groups]]\nname = "r"\natc = ["N07XX02"]\n'
    yield from _BEYOND_TOML


def atc(data: bytes) -> None:
    from prodromal.atc import AtcGroup, clean, is_leaky, level

    text = data.decode("utf-8", "replace")
    code = clean(text)
    if code is None:
        return
    assert clean(code) == code
    assert 1 <= level(code) <= 5
    assert code.isascii()
    assert AtcGroup("g", "g", (code,), "g", allow_leaky=True).matches(code + "")
    assert is_leaky(code) in (True, False)


def windows(data: bytes) -> None:
    from prodromal.windows import Window

    found = Window.parse(data.decode("utf-8", "replace"))
    assert Window.parse(found.name) == found
    assert found.days > 0
    assert found.label


def population(data: bytes) -> None:
    from prodromal.risk.population import _rates

    rates = _rates(StringIO(data.decode("utf-8", "replace")), "file")
    assert rates.shape == (2, 120)


def _rate_tables() -> Iterator[bytes]:
    for rows in ("M,0,120,1.5\nF,0,60,1\nF,60,120,2", "M,0,inf,1\nF,0,120,1", "M,-5,1e9,nan\nF,0.5,120,1e400"):
        yield f"sex,age_from,age_to,rate_per_100k\n{rows}\n".encode()


def simulation(data: bytes) -> None:
    from prodromal.simulate import SimulationConfig

    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        SimulationConfig.read(Path(file.name))


@cache
def _key() -> Path:
    """A public key that everybody has, whose private half nobody uses."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
    path = Path(tempfile.mkdtemp(prefix="prodromal-fuzz-")) / "key.pub"
    path.write_bytes(public.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo))
    return path


def signature(data: bytes) -> None:
    """No bytes stand for the signature of a key that did not sign."""
    from prodromal.risk.signature import check_signature

    check_signature(b"manifest", data, require=_key(), where="file")
    raise AssertionError("a signature was made up")


def _signatures() -> Iterator[bytes]:
    from prodromal.risk.signature import read_public_key

    for tail in ("0" * 128, "01" + "0" * 126, "ed" + "f" * 60 + "7f" + "0" * 64):
        yield f"ed25519 {read_public_key(_key()).hex()} {tail}\n".encode()


def fhir(data: bytes) -> None:
    """Every line that is not empty becomes one row."""
    from prodromal.sources.fhir.lines import Block
    from prodromal.sources.fhir.outcomes import Outcomes
    from prodromal.sources.fhir.parse import parse
    from prodromal.sources.fhir.pick import Picks

    found = parse(Block(1, data), 0, "Patient", Picks(Outcomes.of({"ALS": ("icd|G12.2*",)})))
    lines = sum(bool(line.strip()) for line in data.split(b"\n"))
    assert sum(table.num_rows for table in found.tables.values()) == lines == sum(found.read.values())


def _resources() -> Iterator[bytes]:
    yield b'{"resourceType":"Patient","id":"1","gender":"male","birthDate":"1950-01-01","deceasedDateTime":"2015-02"}'
    yield (
        b'{"resourceType":"MedicationDispense","id":"2","status":"completed","subject":{"reference":"Patient/1"},'
        b'"whenHandedOver":"2010-01-02","medicationCodeableConcept":{"coding":[{"system":"http://www.whocc.no/atc",'
        b'"code":"N06AB04"}]},"quantity":{"value":30,"unit":"DDD"},"daysSupply":{"value":30,"unit":"d"}}\n{"a":1}\n'
    )


def _of(*texts: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter(texts)


TARGETS = {
    "atc": Target(atc, _of(b"N06AB04", b" n06 ab04", b"N", b"A10BA02\r\n"), 32),
    "bundle_plan": Target(bundle_plan, _plans, 16_384),
    "dates": Target(dates.compare, dates.examples, 1024),
    "facts": Target(facts, lambda: iter([(BUNDLE / "model.json").read_bytes()]), 60_000),
    "fhir": Target(fhir, _resources),
    "manifest": Target(manifest, _manifests),
    "plan": Target(plan, _plans, 16_384),
    "population": Target(population, _rate_tables, 1024),
    "register": Target(register, _registers),
    "signature": Target(signature, _signatures, 512),
    "simulation": Target(simulation, _of(b'scenario = "published"\npersons = 1000\n', *_BEYOND_TOML), 16_384),
    "ubjson": Target(ubjson, _small_trees, 8192),
    "windows": Target(windows, _of(b"0-90d", b"1-2y", b" 5-10y ", b"0-" + b"9" * 5000 + b"d"), 6000),
}
OURS = ProdromalError
