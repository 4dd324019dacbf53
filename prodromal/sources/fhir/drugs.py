"""From the codings of a drug to ATC codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prodromal.sources.codes import deepest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prodromal.sources.codes import SeveralCodes

__all__ = ["ATC_SYSTEMS", "RXNORM", "Codes"]

ATC_SYSTEMS = ("http://www.whocc.no/atc", "https://www.whocc.no/atc", "urn:oid:2.16.840.1.113883.6.73")
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


@dataclass(frozen=True)
class Codes:
    """How ATC codes are found: by their own system, else by a mapping from ``system|code``."""

    systems: tuple[str, ...]
    mapping: Mapping[str, tuple[str, ...]]
    several: SeveralCodes

    def rows(self, codings: str) -> Iterator[tuple[str, int, str | None, str | None, str | None]]:
        """Rows of ``fhir_code`` for codings, ``system|code`` one a line: one a code, or one that says why not."""
        listed = codings.split("\n")
        split = [coding.rpartition("|") for coding in listed]
        own = deepest(code for system, _, code in split if system in self.systems)
        found = own or next((self.mapping[coding] for coding in listed if coding in self.mapping), ())
        chosen = self.several.choose(found)
        if not chosen:
            yield codings, 0, None, "several_codes" if found else "unmapped_code", None
        for copy, code in enumerate(chosen):
            yield codings, copy, code, None, "atc" if own else "mapped"
