"""Whether every line of a text file became a row or a rejected line, by a count that is not the reader's.

The reader gives up what lies behind a quotation that does not end, and lines beyond its buffer, and does not say how
many lines that were.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from itertools import chain
from typing import IO, TYPE_CHECKING

from prodromal.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from prodromal.sources.delimited import Layout

__all__ = ["open_plain", "refuse_lost_lines"]

_CHUNK = 4 << 20
# Stands alone behind the last line unless a quotation is open there.
_END = "end"


def open_plain(file: Path) -> IO[bytes] | gzip.GzipFile:
    """Open a file, or what a gzip file holds."""
    return gzip.open(file) if file.suffix == ".gz" else file.open("rb")


def refuse_lost_lines(
    connection: duckdb.DuckDBPyConnection, shape: Layout, encoding: str, *, rows: int | None, rejects: str
) -> None:
    """Compare the lines of a file with the rows that were read and the lines that were rejected.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Holds what `rejects` names.
    shape : Layout
        Of a text file.
    encoding : str
        Of the file.
    rows : int, optional
        Rows read from it; None where they were not counted, and only quotations that do not end are looked for.
    rejects : str
        SQL that yields ``line, rule, raw`` of the rejected lines.

    Raises
    ------
    DataError
        If lines are unaccounted for: blank lines and line breaks within quotations are none.
    """
    ((rejected, breaks, torn, first),) = connection.execute(
        f"""SELECT count(*), coalesce(sum(breaks) FILTER (rule <> 'unclosed_quote'), 0),
            coalesce(bool_or(breaks > 0) FILTER (rule = 'unclosed_quote'), FALSE),
            min(line) FILTER (rule = 'unclosed_quote')
        FROM (SELECT *, length(raw) - length(replace(raw, chr(10), '')) AS breaks FROM ({rejects}))"""
    ).fetchall()
    if rows is None:
        if torn:
            raise _not_told_apart(shape, first)
        return
    try:
        lines = _count(shape.file, encoding) - 1
        if lines == rows + rejected:
            return
        lines -= _more_than_one_a_row(shape, encoding)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{shape.file} is damaged or was cut off; fetch it again") from error
    except csv.Error:
        torn = True
    if torn or lines != rows + rejected + breaks:
        raise _not_told_apart(shape, first)


def _not_told_apart(shape: Layout, first: int | None) -> DataError:
    where = f", near line {first}" if first is not None else ""
    return DataError(
        f"{shape.file}: not all lines can be told apart: a quotation does not end{where}, or a line is longer than 2 "
        "MB; mend the file, for what lies behind would be lost"
    )


def _count(file: Path, encoding: str) -> int:
    """Line ends, and a last line without one; carriage returns where there is no line feed."""
    feed, turn = (sign.encode("utf-16-le" if encoding == "utf-16" else "ascii") for sign in "\n\r")
    feeds, turns, last = 0, 0, b""
    with open_plain(file) as stream:
        while chunk := stream.read(_CHUNK):
            feeds, turns, last = feeds + chunk.count(feed), turns + chunk.count(turn), chunk
    end = feed if feeds else turn
    return (feeds or turns) + (not last.endswith(end))


def _more_than_one_a_row(shape: Layout, encoding: str) -> int:
    """Blank lines, and lines that go on within a quotation of a whole record; csv.Error if a quotation does not end."""
    more, before, record = 0, 0, [""]
    with open_plain(shape.file) as raw, io.TextIOWrapper(raw, encoding, errors="replace", newline="") as stream:
        reader = csv.reader(
            chain(stream, [_END]),
            delimiter=shape.delimiter or ",",
            quoting=csv.QUOTE_NONE if shape.delimiter == "\t" else csv.QUOTE_MINIMAL,
        )
        for record in reader:
            lines, before = reader.line_num - before, reader.line_num
            more += lines if not record else (lines - 1) * (len(record) == len(shape.types))
    if record != [_END]:
        raise csv.Error
    return more
