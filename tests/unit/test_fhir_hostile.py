"""Lines and files of FHIR that are broken or meant to break: rejected or refused, and nothing lost silently."""

from __future__ import annotations

import gzip
import json
import random
from datetime import date

import pytest

from prodromal.errors import DataError
from prodromal.register import Register
from prodromal.sources import ingest
from prodromal.sources.fhir import Fhir, find_files
from prodromal.sources.fhir.lines import read_blocks
from tests.writers.fhir import coded, dispense, patient, write_ndjson

GOOD = dispense("good", 1, "2010-01-01")
LINE = json.dumps(dispense("canary", 1, "2010-02-01"))


def run(folder, **settings):
    source = Fhir(
        find_files([folder / "in"]),
        date(2021, 1, 1),
        observed_from=date(2005, 1, 1),
        observed_to=date(2020, 12, 31),
        **{"max_rejected": 1.0, **settings},
    ).source()
    done = ingest(source, folder / "register", replace=True)
    return done.accounts["dispensings"], Register.open(folder / "register")


def deliver(folder, lines, name="MedicationDispense.ndjson"):
    write_ndjson(folder / "in" / "Patient.ndjson", [patient(1)])
    return write_ndjson(folder / "in" / name, lines)


def nested(depth):
    return LINE[:-1] + ', "extension": ' + '{"a":' * depth + "1" + "}" * depth + "}"


HOSTILE = {
    "truncated": (LINE[:-20], "not_json"),
    "an opening brace": ("{", "not_json"),
    "NUL": (LINE.replace("canary", "cana\0ry"), "not_json"),
    "only NULs": ("\0" * 50, "not_json"),
    "not UTF-8": (LINE.encode().replace(b"canary", b"cana\xff\xfery"), "not_json"),
    "half a character": (LINE.replace("canary", "cana\\ud800ry"), "not_json"),
    "two resources in a line": (LINE + LINE, "not_json"),
    "1e400": (LINE[:-1] + ', "quantity": {"value": 1e400}}', "not_json"),
    "NaN": (LINE[:-1] + ', "quantity": {"value": NaN}}', "not_json"),
    "2^70": (LINE[:-1] + ', "quantity": {"value": 1180591620717411303424}}', None),
    "a repeated key": (LINE[:-1] + ', "status": "completed"}', "repeated_key"),
    "a repeated key deep inside": (
        LINE.replace('"code": "N05BA01"', '"code": "N05BA01", "code": "N06AB04"'),
        "repeated_key",
    ),
    "a repeated key, hidden": (LINE[:-1] + ', "x": "\\u0022", "status": "completed"}', "repeated_key"),
    "10,000 deep": (nested(10_000), "too_deep"),
    "500 deep": (nested(500), "too_deep"),
    "200 deep": (nested(200), None),
    "a list": ("[1, 2]", "not_an_object"),
    "a list of resources": (f"[{LINE}]", "not_an_object"),
    "a text": ('"MedicationDispense"', "not_an_object"),
    "null": ("null", "not_an_object"),
    "no type": ('{"id": "canary"}', "no_resource_type"),
    "a type that is none": ('{"resourceType": ["MedicationDispense"]}', "no_resource_type"),
    "a type that is a script": ('{"resourceType": "<script>alert(1)</script>"}', "no_resource_type"),
    "a number for a list": (
        json.dumps({**json.loads(LINE), "medicationCodeableConcept": {"coding": 7}}),
        "wrong_structure",
    ),
    "a text for an object": (json.dumps({**json.loads(LINE), "subject": "Patient/1"}), "wrong_structure"),
    "an object for a text": (json.dumps({**json.loads(LINE), "whenHandedOver": {}}), "wrong_structure"),
    "a field of 1 MB": (json.dumps({**json.loads(LINE), "note": [{"text": "x" * 1_000_000}]}), None),
    "an id of 1 MB": (json.dumps({**json.loads(LINE), "id": "x" * 1_000_000}), None),
    "a code of 1 MB": (
        json.dumps({**json.loads(LINE), "medicationCodeableConcept": coded("N" * 1_000_000)}),
        "malformed_atc",
    ),
    "SQL": (json.dumps({**json.loads(LINE), "id": "'; DROP TABLE person; --"}), None),
    "NUL in an id, escaped": (
        json.dumps({**json.loads(LINE), "subject": {"reference": "Patient/1\0"}}),
        "unknown_person",
    ),
}


def test_every_hostile_line_is_rejected_by_its_rule_or_read_for_what_it_is(tmp_path):
    lines = [
        line.replace("canary", f"canary{n}") if isinstance(line, str) else line
        for n, (line, _) in enumerate(HOSTILE.values())
    ]
    deliver(tmp_path, [GOOD, *lines])
    account, register = run(tmp_path)
    rejected = {row["row"]: row for row in register.table("rejected").to_pylist()}
    found = {name: rejected.get(n, {}).get("rule") for n, name in enumerate(HOSTILE, start=2)}
    assert found == {name: rule for name, (_, rule) in HOSTILE.items()}
    assert (account.read, account.kept) == (1 + len(HOSTILE), 1 + list(found.values()).count(None))
    unreadable = [row["raw"] for row in rejected.values() if row["rule"] in {"not_json", "too_deep", "repeated_key"}]
    assert max(map(len, unreadable)) <= 4096


def test_a_conflict_needs_different_contents(tmp_path):
    deliver(tmp_path, [GOOD, LINE, nested(5)])
    account, _ = run(tmp_path)
    assert (account.kept, account.duplicate) == (2, 1)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_marks_line_endings_empty_lines_and_no_last_line_feed(tmp_path, mark, ending):
    deliver(tmp_path, [])
    content = mark + ending.join([json.dumps(GOOD).encode(), b"", b"  ", LINE.encode()])
    (tmp_path / "in" / "MedicationDispense.ndjson").write_bytes(content)
    account, _ = run(tmp_path)
    assert (account.read, account.kept) == (2, 2)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_are_refused(tmp_path, encoding):
    deliver(tmp_path, [])
    (tmp_path / "in" / "MedicationDispense.ndjson").write_bytes(LINE.encode(encoding))
    with pytest.raises(DataError, match="not UTF-8"):
        run(tmp_path)


def test_a_line_without_end_is_cut_and_rejected_and_the_next_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("prodromal.sources.fhir.lines.LINE_BYTES", 1000)
    monkeypatch.setattr("prodromal.sources.fhir.lines._CHUNK", 300)
    long = LINE[:-1] + ', "x": "' + "y" * 5000 + '"}'
    deliver(tmp_path, [GOOD, long, LINE, long, long])
    account, register = run(tmp_path)
    assert (account.read, account.kept, dict(account.rejected)) == (5, 2, {"line_too_long": 3})
    assert [row["row"] for row in register.table("rejected").to_pylist()] == [2, 4, 5]


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_blocks_of_any_size_give_the_same_rows(tmp_path, monkeypatch, chunk):
    lines = [GOOD, "", LINE, "{broken", *(dispense(n, 1, "2011-01-01") for n in range(5))]
    deliver(tmp_path, lines)
    expected = run(tmp_path)[1].manifest
    monkeypatch.setattr("prodromal.sources.fhir.lines._CHUNK", chunk)
    found = run(tmp_path)[1].manifest
    assert (found["files"], found["account"]) == (expected["files"], expected["account"])


def test_a_truncated_gzip_is_refused_and_nothing_is_published(tmp_path):
    file = deliver(tmp_path, [dispense(n, 1, "2010-01-01") for n in range(2000)], "MedicationDispense.ndjson.gz")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match="truncated gzip"):
        run(tmp_path)
    assert {item.name for item in tmp_path.iterdir()} == {"in"}


def test_a_gzip_that_is_none_is_refused(tmp_path):
    deliver(tmp_path, [])
    (tmp_path / "in" / "MedicationDispense.ndjson.gz").write_text(LINE)
    with pytest.raises(DataError, match="damaged"):
        run(tmp_path)


def test_a_gzip_bomb_is_refused_before_it_fills_anything(tmp_path):
    deliver(tmp_path, [])
    with gzip.open(tmp_path / "in" / "MedicationDispense.ndjson.gz", "wb", compresslevel=9) as stream:
        stream.write(LINE.encode() + b"\n")
        for _ in range(40):
            stream.write(b"\n" * (1 << 20))
    with pytest.raises(DataError, match="250 times"):
        run(tmp_path)
    assert {item.name for item in tmp_path.iterdir()} == {"in"}


def test_a_bomb_of_empty_objects_is_refused_before_its_first_line_is_read(tmp_path):
    """16 MB of them took 24 seconds to reject one by one."""
    file = tmp_path / "MedicationDispense.ndjson.gz"
    with gzip.open(file, "wb", compresslevel=9) as stream:
        stream.write(b"{}\n" * (20 << 20))
    with pytest.raises(DataError, match="250 times"):
        next(read_blocks(file))


def test_real_text_may_shrink_as_much_as_text_does(tmp_path):
    bought = [dispense(n, 1, f"2010-01-{1 + n % 28:02d}") for n in range(3000)]
    deliver(tmp_path, bought, "MedicationDispense.ndjson.gz")
    assert run(tmp_path)[0].kept == 3000


def test_too_many_broken_lines_stop_the_run_and_no_message_tells_what_stands_in_them(tmp_path):
    deliver(tmp_path, [GOOD, LINE[:-20], LINE.replace("2010-02-01", "canary-date")])
    with pytest.raises(DataError, match=r"2 of 3 rows") as caught:
        run(tmp_path, max_rejected=0.1)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("missing", ["nowhere", "empty"])
def test_places_without_files(tmp_path, missing):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no such file|holds no file"):
        Fhir(find_files([tmp_path / missing]), date(2021, 1, 1)).source()


def test_mutated_files_never_crash_and_every_line_is_accounted_for(tmp_path):
    draw = random.Random(3)
    lines = [json.dumps(GOOD), *(json.dumps(dispense(n, 1, "2010-01-01", ddd=n)) for n in range(600))]
    mutated = [_mutate(line.encode(), draw) if n else line.encode() for n, line in enumerate(lines)]
    deliver(tmp_path, mutated)
    account, _ = run(tmp_path)
    content = (tmp_path / "in" / "MedicationDispense.ndjson").read_bytes()
    assert account.read == sum(1 for line in content.split(b"\n") if line.strip())
    assert 50 < sum(account.rejected.values()) < 600


def _mutate(line, draw):
    data = bytearray(line)
    for _ in range(draw.choice([1, 1, 2, 5])):
        place = draw.randrange(max(1, len(data) - 1))
        match draw.randrange(4):
            case 0:
                data[place : place + 1] = bytes([draw.randrange(256)])
            case 1:
                del data[place : place + 1]
            case 2:
                data.insert(place, draw.randrange(256))
            case _:
                data = data[: max(1, place)]
    return bytes(data)
