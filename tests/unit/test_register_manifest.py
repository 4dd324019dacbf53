"""The manifest of a register: no changed bit of it is taken for a fact, and nothing that stands for it crashes."""

from __future__ import annotations

import json
from random import Random

import pytest

from prodromal.errors import DataError
from prodromal.register import Register, manifest
from prodromal.register.manifest import MANIFEST, read_manifest, write_manifest

FILE = {"path": "persons.parquet", "rows": 3, "bytes": 9, "sha256": "ab"}
PART = {**FILE, "first_person": 0, "persons": 3, "codes": {"N05BA01": 2}, "months": {}}
CONTENT = {
    "files": {"persons": [FILE], "dispensings": [PART]},
    "account": {},
    "settings": {"seal": "0" * 64, "text": f'"seal": "{"0" * 64}"\n  "seal": "', "name": "Zoë"},
}


def flipped(folder, draw):
    """Flip a bit of the manifest; what it says now."""
    path = folder / MANIFEST
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)
    try:
        return read_manifest(folder)
    except DataError:
        return None


def test_what_is_written_is_read(tmp_path):
    write_manifest(tmp_path, CONTENT)
    assert read_manifest(tmp_path) == CONTENT
    register = Register.open(tmp_path)
    assert register.codes == {"N05BA01": 2}
    assert register.manifest["settings"] == CONTENT["settings"]


def test_no_flipped_bit_is_overlooked(tmp_path):
    draw = Random(1)
    for _ in range(1000):
        write_manifest(tmp_path, CONTENT)
        assert flipped(tmp_path, draw) is None


def test_sabotage_without_the_seal_flipped_bits_become_facts(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "_digest", lambda _: "0" * 64)
    draw, found = Random(1), []
    for _ in range(200):
        write_manifest(tmp_path, CONTENT)
        found.append(flipped(tmp_path, draw))
    assert any(content not in (None, CONTENT) for content in found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        (f'{{"persons": {"9" * 10_000}}}', "it is not JSON"),
        ("\ud800", "it is not JSON"),
        ("[]", "not the manifest of a register"),
        ('{"format": "prodromal register", "version": 2}', "ingest the data again"),
        ('{"format": "prodromal register", "version": 3}', "its seal does not fit"),
        ('{"format": "prodromal register", "version": 3, "seal": 7}', "its seal does not fit"),
        ('{"format": "prodromal register", "version": 3, "seal": "\\ud800"}', "its seal does not fit"),
        ('{"format": "prodromal register", "version": 3, "seal": ""}', "its seal does not fit"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path, text, told):
    (tmp_path / MANIFEST).write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(DataError, match=told):
        Register.open(tmp_path)


def test_what_is_no_file_or_too_large_is_refused(tmp_path):
    with pytest.raises(DataError, match="make one with 'prodromal ingest'"):
        Register.open(tmp_path)
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        Register.open(tmp_path)
    (tmp_path / MANIFEST).rmdir()
    with (tmp_path / MANIFEST).open("wb") as stream:
        stream.truncate((1 << 28) + 1)
    with pytest.raises(DataError, match="larger than any manifest"):
        Register.open(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {},
        *({**CONTENT, "files": files} for files in ([], {}, {"dispensings": 1}, {"dispensings": {"x": 1}})),
        *(
            {**CONTENT, "files": {**CONTENT["files"], "a": entries}}
            for entries in (1, [1], [{}], [{**FILE, "path": 3}])
        ),
        *({**CONTENT, "files": {"dispensings": [part]}} for part in (FILE, {**PART, "codes": 3})),
        {**CONTENT, "files": {"dispensings": [{**PART, "codes": {"x": "y"}}]}},
        {**CONTENT, "files": {"dispensings": [{**PART, "months": {"x": -1}}]}},
        {**CONTENT, "settings": []},
        {**CONTENT, "account": 3},
    ],
)
def test_what_lacks_a_part_under_a_seal_that_fits_is_refused(tmp_path, content):
    write_manifest(tmp_path, content)
    with pytest.raises(DataError, match="does not say what a manifest says"):
        Register.open(tmp_path)


def test_a_file_outside_the_register_is_refused(tmp_path):
    for path in ("../persons.parquet", "/persons.parquet"):
        write_manifest(tmp_path, {**CONTENT, "files": {"persons": [{**FILE, "path": path}], "dispensings": []}})
        with pytest.raises(DataError, match="outside the register"):
            Register.open(tmp_path)
    assert json.loads((tmp_path / MANIFEST).read_text())["version"] == 3
