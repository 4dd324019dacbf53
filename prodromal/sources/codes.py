"""From a drug code of another vocabulary to ATC codes: mapping files, and what to do with several codes."""

from __future__ import annotations

import csv
from collections import defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING

from prodromal import atc
from prodromal.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["SeveralCodes", "deepest", "printable", "read_mapping"]

_SOURCE_CODES = ("rxcui", "in_rxcui", "concept_code", "code")


class SeveralCodes(StrEnum):
    """What becomes of a drug that has several ATC codes: all of them, the first, or none."""

    ALL = "all"
    FIRST = "first"
    SINGLE_ONLY = "single-only"

    def choose(self, codes: Sequence[str]) -> tuple[str, ...]:
        """The codes that count; none if a single one is wanted and there are several.

        Examples
        --------
        >>> SeveralCodes.FIRST.choose(["B01AC06", "N02BA01"]), SeveralCodes.SINGLE_ONLY.choose(["B01AC06", "N02BA01"])
        (('B01AC06',), ())
        """
        if self is SeveralCodes.SINGLE_ONLY and len(codes) > 1:
            return ()
        return tuple(codes[:1] if self is SeveralCodes.FIRST else codes)


def deepest(codes: Iterable[str]) -> tuple[str, ...]:
    """Distinct codes in their order, without those that another one refines.

    Examples
    --------
    >>> deepest(["B01AC", "N02BA", "B01AC06", "B01AC06"])
    ('N02BA', 'B01AC06')
    """
    distinct = tuple(dict.fromkeys(codes))
    return tuple(c for c in distinct if not any(other != c and other.startswith(c) for other in distinct))


def printable(code: str) -> str:
    """A code from the data as it may stand in a message: what a terminal would obey is replaced."""
    return "".join(mark if mark.isprintable() or mark == "\n" else "?" for mark in code)


def read_mapping(files: Iterable[Path]) -> Mapping[str, tuple[str, ...]]:
    """Read mapping files into one dictionary.

    Parameters
    ----------
    files : iterable of Path
        CSV files with a column ``atc`` and a column ``rxcui``, ``in_rxcui``, ``concept_code`` or ``code``, one pair a
        line, several lines a code.

    Returns
    -------
    mapping of str to tuple of str
        ATC codes of each source code in the order of the files; the codes of a group fall away where the drug itself
        has one.

    Raises
    ------
    DataError
        If a file is missing, has no such columns, or holds what is no ATC code.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for file in files:
        for code, target in _pairs(file):
            found[code].append(target)
    return {code: deepest(targets) for code, targets in found.items()}


def _pairs(file: Path) -> Iterator[tuple[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            names = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
            source = next((names[name] for name in _SOURCE_CODES if name in names), None)
            if source is None or "atc" not in names:
                raise DataError(
                    f"{file} is no mapping to ATC: it needs a column atc and one of {', '.join(_SOURCE_CODES)}"
                )
            read = [((row[source] or "").strip(), atc.clean(row[names["atc"]] or "")) for row in rows]
    except OSError as error:
        raise DataError(f"{file}: no such mapping file, or it cannot be read") from error
    except (UnicodeError, csv.Error) as error:
        raise DataError(f"{file} is no CSV file in UTF-8") from error
    if malformed := sum(1 for code, target in read if not code or target is None):
        raise DataError(f"{file}: {malformed} of {len(read)} lines hold no code or no ATC code; mend them")
    yield from ((code, target) for code, target in read if target is not None)
