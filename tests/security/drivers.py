"""Drivers of the promises about bundles: each does so many trials and gives ``(trials, failures)``."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from pathlib import Path

import numpy as np

from prodromal.risk import save
from prodromal.risk.manifest import write_manifest
from prodromal.risk.signature import make_key_pair
from prodromal.risk.strict_json import write_json
from prodromal.risk.ubjson import read_ubjson
from tests.security.bundles import CARD, files_of, forge, refused, small_model, write_ubjson
from tests.security.capped import outcomes
from tests.security.facts_damage import damaged_facts, damaged_plan
from tests.security.tree_damage import DAMAGES, damaged

__all__ = ["flipped_bits", "foreign_files", "hostile_bundles", "mutated_models"]


def _bundle(folder: Path) -> Path:
    make_key_pair(folder / "key")
    save(small_model(), folder / "model", card=CARD, key=folder / "key")
    return folder / "model"


def flipped_bits(trials: int, seed: int) -> tuple[int, int]:
    """One bit flipped in any file of a signed bundle, the files taken in turn: refused before XGBoost sees a byte."""
    rng, failures = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as scratch:
        bundle = _bundle(Path(scratch))
        files = sorted(bundle.iterdir())
        for trial in range(trials):
            path = files[trial % len(files)]
            whole = path.read_bytes()
            flipped = bytearray(whole)
            flipped[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
            path.write_bytes(flipped)
            failures += not refused(bundle)
            path.write_bytes(whole)
        assert not refused(bundle), "the bundle must be sound when nothing is flipped"
    return trials, failures


def foreign_files(trials: int, seed: int) -> tuple[int, int]:
    """A file of another bundle in place of one's own; a file missing, extra, renamed, cut short or made longer."""
    rng, failures = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as scratch:
        bundle = _bundle(Path(scratch))
        save(small_model(1), Path(scratch) / "other", card=CARD + "Another.", key=Path(scratch) / "key")
        names = sorted(path.name for path in bundle.iterdir())
        differing = [n for n in names if (bundle / n).read_bytes() != (Path(scratch) / "other" / n).read_bytes()]
        for _ in range(trials):
            copy = shutil.copytree(bundle, Path(scratch) / "copy")
            tamper = _TAMPERINGS[rng.integers(len(_TAMPERINGS))]
            among = differing if tamper is _swap else names
            name = among[rng.integers(len(among))]
            tamper(copy / name, Path(scratch) / "other" / name, rng)
            failures += not refused(copy)
            shutil.rmtree(copy)
    return trials, failures


def _swap(path: Path, other: Path, rng) -> None:
    shutil.copy(other, path)


def _lose(path: Path, other: Path, rng) -> None:
    # Without its signature a bundle is merely unsigned.
    (path.with_name("model.ubj") if path.suffix == ".sig" else path).unlink()


def _add(path: Path, other: Path, rng) -> None:
    shutil.copy(other, path.with_name(("extra.bin", "model.ubj.bak", ".hidden", "modèle.ubj")[rng.integers(4)]))


def _rename(path: Path, other: Path, rng) -> None:
    path.rename(path.with_name(path.name + ("~", ".old", "x")[rng.integers(3)]))


def _cut(path: Path, other: Path, rng) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: rng.integers(len(whole))])


def _lengthen(path: Path, other: Path, rng) -> None:
    path.write_bytes(path.read_bytes() + (b"\n", b" ", b"\0")[rng.integers(3)])


_TAMPERINGS = (_swap, _lose, _add, _rename, _cut, _lengthen)


def hostile_bundles(trials: int, seed: int) -> tuple[int, int]:
    """Bundles made to do harm, hashes correct where they can be: refused before XGBoost sees a byte, and inert."""
    rng, failures = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as scratch:
        bundle = _bundle(Path(scratch))
        contents = {name: data for name, data in files_of(bundle).items() if not name.startswith("bundle.")}
        trap = Path(scratch) / "sprung"
        for trial in range(trials):
            folder = Path(scratch) / "hostile"
            folder.mkdir()
            _HOSTILE[trial % len(_HOSTILE)](folder, dict(contents), rng, trap)
            failures += not refused(folder) or trap.exists()
            trap.unlink(missing_ok=True)
            shutil.rmtree(folder)
    return trials, failures


def mutated_models(trials: int, seed: int) -> tuple[int, int]:
    """Bytes of model, numbers or plan changed at random, hashes correct: refused, or a model of sound scores.

    Each is loaded in a child with little memory and time; a child that dies is a failure.
    """
    rng, failures = np.random.default_rng(seed), 0
    for start in range(0, trials, _BATCH):
        with tempfile.TemporaryDirectory() as scratch:
            bundle, bundles = _bundle(Path(scratch)), Path(scratch) / "mutated"
            contents = {name: data for name, data in files_of(bundle).items() if not name.startswith("bundle.")}
            count = min(_BATCH, trials - start)
            for i in range(count):
                name = ("model.ubj", "model.ubj", "model.json", "plan.toml", "features.json")[rng.integers(5)]
                forge(bundles / str(i), contents | {name: _mutated(contents[name], rng)})
            failures += sum(end not in {"refused", "harmless"} for end in outcomes(bundles, count))
    return trials, failures


_BATCH = 250


def _mutated(data: bytes, rng) -> bytes:
    """A few bits flipped, bytes put in, taken out, doubled or overwritten by numbers that mean something."""
    changed = bytearray(data)
    if rng.integers(2):
        changed[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        return bytes(changed)
    for _ in range(rng.integers(1, 4)):
        at, length = int(rng.integers(max(len(changed), 1))), int(rng.integers(1, 17))
        match rng.integers(6):
            case 0 | 1 if changed:
                changed[at] ^= 1 << int(rng.integers(8))
            case 2:
                changed[at:at] = rng.bytes(length)
            case 3:
                del changed[at : at + length]
            case 4:
                changed[at:at] = changed[at : at + length]
            case _:
                changed[at : at + 4] = _TELLING[rng.integers(len(_TELLING))]
    return bytes(changed) or b"x"


_TELLING = (
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\x7f\x80\0\0",
    b"\x7f\xc0\0\0",
    b"\0\0\0\0",
    b"9999",
)


class _Payload:
    """Pickled, it makes a file when it is read."""

    def __init__(self, trap: Path) -> None:
        self.trap = str(trap)

    def __reduce__(self):
        return (open, (self.trap, "w"))


def _pickled(folder, contents, rng, trap):
    name = sorted(contents)[rng.integers(len(contents) - 1) + 1]
    forge(folder, contents | {name: pickle.dumps(_Payload(trap), protocol=int(rng.integers(6)))})


def _pickle_beside(folder, contents, rng, trap):
    forge(folder, contents)
    (folder / ("model.pkl", "model.joblib", "__init__.py", "sitecustomize.py")[rng.integers(4)]).write_bytes(
        pickle.dumps(_Payload(trap))
    )


def _way_out(folder, contents, rng, trap):
    """The manifest names a file outside, with its hash."""
    name = ("../sprung", str(trap), "../../etc/passwd", "a/../../x", "model.ubj/../x", "C:\\x", "\\\\x\\y")[
        rng.integers(7)
    ]
    for own, data in contents.items():
        (folder / own).write_bytes(data)
    contents.pop("plan.toml")
    (folder / "bundle.json").write_bytes(write_manifest(contents | {name: b""}))


def _linked(folder, contents, rng, trap):
    forge(folder, contents)
    name = [*sorted(contents), "bundle.json"][rng.integers(len(contents) + 1)]
    moved = folder.parent / "moved"
    (folder / name).replace(moved)
    (folder / name).symlink_to((moved, Path("../moved"), Path("/dev/zero"), Path("nowhere"))[rng.integers(4)])


def _no_file(folder, contents, rng, trap):
    forge(folder, contents)
    name = [*sorted(contents), "bundle.json"][rng.integers(len(contents) + 1)]
    (folder / name).unlink()
    (os.mkfifo, os.mkdir)[rng.integers(2)](folder / name)


def _library(folder, contents, rng, trap):
    program = b"\x7fELF\x02\x01\x01" + rng.bytes(500)
    if rng.integers(2):
        forge(folder, contents | {"model.ubj": program})
    else:
        forge(folder, contents | {"model.so": program})


def _many_names(folder, contents, rng, trap):
    hashes = {f"{i:x}": "0" * 64 for i in range(int(10 ** rng.integers(2, 7)))}
    forge(folder, contents)
    manifest = {"format": "prodromal bundle", "version": 2, "prodromal": "0", "sha256": hashes, "seal": "0" * 64}
    (folder / "bundle.json").write_bytes(write_json(manifest))


def _many_files(folder, contents, rng, trap):
    forge(folder, contents)
    for i in range(int(rng.integers(1, 300))):
        (folder / f"part-{i}").touch()


def _too_large(folder, contents, rng, trap):
    """A file with a hole of a terabyte."""
    forge(folder, contents)
    with (folder / sorted(contents)[rng.integers(len(contents))]).open("r+b") as stream:
        stream.truncate(1 << 40)


def _trees(folder, contents, rng, trap):
    name = sorted(DAMAGES)[rng.integers(len(DAMAGES))]
    document = damaged(read_ubjson(contents["model.ubj"], "file"), name, rng)
    forge(folder, contents | {"model.ubj": write_ubjson(document)})


def _facts(folder, contents, rng, trap):
    forge(folder, contents | {"model.json": damaged_facts(contents["model.json"], rng)})


def _plan(folder, contents, rng, trap):
    forge(folder, contents | {"plan.toml": damaged_plan(contents["plan.toml"], rng)})


_HOSTILE = (
    *(_pickled, _pickle_beside, _way_out, _linked, _no_file, _library, _many_names, _many_files, _too_large),
    *(_trees, _facts, _plan, _trees, _facts, _trees, _trees, _facts, _trees),
)
