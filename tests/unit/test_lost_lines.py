"""What a damaged delivery cannot lose or change without a word; each case was once read as something else."""

from __future__ import annotations

import gzip
import struct
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prodromal.errors import DataError
from prodromal.sources import Source, TableSource, ingest

PERSONS = "person_id,sex,birth_date,observed_from,observed_to\n1,M,1950-03-01,2005-07-01,2020-12-31\n"
HEADER = "person_id,dispensed_on,atc,ddd,note\n"
GOOD = "1,2010-01-01,N06AB04,30,x\n"


def run(folder, content, name="dispensings.csv"):
    (folder / "persons.csv").write_text(PERSONS)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    tables = tuple(TableSource(n, (folder / file,)) for n, file in (("persons", "persons.csv"), ("dispensings", name)))
    source = Source(tables, extracted_on=date(2021, 1, 1), max_rejected=1.0)
    return ingest(source, folder / "register", threads=1).accounts["dispensings"]


def rows(count):
    return "".join(f"1,2010-01-{1 + n % 28:02},N06AB04,{n},x\n" for n in range(count))


@pytest.mark.parametrize("behind", [3, 400_000])
def test_a_quotation_that_does_not_end_swallows_nothing(tmp_path, behind):
    with pytest.raises(DataError, match="a quotation does not end, near line 4"):
        run(tmp_path, HEADER + rows(2) + '1,"2010-01-01,N06AB04,30,x\n' + rows(behind))
    assert not (tmp_path / "register").exists()


def test_a_quotation_of_the_last_field_swallows_nothing(tmp_path):
    with pytest.raises(DataError, match="a quotation does not end"):
        run(tmp_path, HEADER + rows(2) + "1,2010-01-01,N06AB04,30," + '"' * 9_999 + "\n" + rows(30))


def test_a_line_beyond_the_reader_is_rejected_or_refused(tmp_path):
    with pytest.raises(DataError, match="a line is longer than 2 MB"):
        run(tmp_path, HEADER + GOOD + "x" * (33 << 20))


def test_blank_lines_and_line_breaks_in_quotations_lose_nothing(tmp_path):
    account = run(tmp_path, HEADER + GOOD + '\n\n1,2010-01-02,N06AB04,1,"a\nb\n\nc"\n\n' + rows(3))
    assert (account.read, account.kept, account.rejected) == (5, 5, {})


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_line_ends(tmp_path, end):
    assert run(tmp_path, (HEADER + GOOD + rows(3)).replace("\n", end)).kept == 4


def test_a_first_line_of_values_is_not_repeated_in_the_message(tmp_path):
    with pytest.raises(DataError, match="give the file a header") as caught:
        run(tmp_path, "727272727272,2010-01-01,N06AB04,30,x\n" + GOOD)
    assert "7272" not in str(caught.value)


def test_a_damaged_gzip_file_is_called_so(tmp_path):
    packed = bytearray(gzip.compress((HEADER + rows(50)).encode()))
    packed[30] ^= 255
    with pytest.raises(DataError, match="damaged"):
        run(tmp_path, bytes(packed), "dispensings.csv.gz")


def parquet(folder, **changes):
    table = {"person_id": [1, 1], "dispensed_on": [date(2010, 1, n) for n in (1, 2)], "atc": ["N06AB04"] * 2}
    pq.write_table(pa.table(table | changes), folder / "d.parquet", write_page_checksum=True, compression="none")
    return (folder / "d.parquet").read_bytes()


def test_a_changed_page_is_found_by_its_checksum(tmp_path):
    content = parquet(tmp_path, ddd=[12345.0, 6.0])
    place = content.index(struct.pack("<d", 12345.0))
    changed = content[:place] + b"\x01" + content[place + 1 :]
    with pytest.raises(DataError, match="damaged"):
        run(tmp_path, changed, "dispensings.parquet")


def test_true_and_false_are_no_numbers(tmp_path):
    with pytest.raises(DataError, match="true and false"):
        run(tmp_path, parquet(tmp_path, ddd=[True, False]), "dispensings.parquet")


def test_a_number_beyond_range_is_rejected_and_not_repeated(tmp_path):
    account = run(tmp_path, parquet(tmp_path, ddd=[3.4e78, 6.0]), "dispensings.parquet")
    assert (account.kept, account.rejected) == (1, {"malformed_ddd": 1})
