"""ATC codes: their form, groups by prefix, and the codes that must never be features."""

from __future__ import annotations

import re
from dataclasses import dataclass

from prodromal.errors import DefinitionError

__all__ = ["FORM", "LATE_SYMPTOM_CODES", "TREATS_ALS_CODES", "AtcGroup", "clean", "is_leaky", "level"]

# Treatments of ALS itself: their dispensing *is* the diagnosis.
TREATS_ALS_CODES = {
    "N07XX02": "riluzole",
    "N07XX14": "edaravone",
    "N07XX17": "arimoclomol",
    "N07XX19": "sodium phenylbutyrate and taurursodiol",
    "N07XX22": "tofersen",
    "N07XX23": "troriluzole",
}

# Treatments of late symptoms (spasticity, cramps, sialorrhoea, pseudobulbar affect, pain, terminal care).
LATE_SYMPTOM_CODES = {
    "A03AB02": "glycopyrronium",
    "A04AD01": "scopolamine",
    "C01BB02": "mexiletine",
    "M03AX01": "botulinum toxin",
    "M03BX01": "baclofen",
    "M03BX02": "tizanidine",
    "M03CA01": "dantrolene",
    "M09AA01": "hydroquinine",
    "M09AA72": "quinine, combinations with psycholeptics",
    "N02A": "opioids",
    "N05CD08": "midazolam",
    "N05CM05": "scopolamine",
    "N06AA09": "amitriptyline",
    "N07XX59": "dextromethorphan, combinations",
    "P01BC01": "quinine",
}

_LEAKY = tuple(sorted({**TREATS_ALS_CODES, **LATE_SYMPTOM_CODES}))
# A code of any level, without blanks, in capitals; also understood by RE2.
FORM = r"[A-Z](?:[0-9]{2}(?:[A-Z](?:[A-Z](?:[0-9]{2})?)?)?)?"
_FORM = re.compile(FORM)
_LEVEL_OF_LENGTH = {1: 1, 3: 2, 4: 3, 5: 4, 7: 5}


def clean(code: str) -> str | None:
    """Repair blanks and case of a code; None if the result is not an ATC code of any level.

    Examples
    --------
    >>> clean(" n06ab04 "), clean("N06AB4")
    ('N06AB04', None)
    """
    repaired = "".join(code.split()).upper()
    return repaired if _FORM.fullmatch(repaired) else None


def level(code: str) -> int:
    """Level 1-5 of a well-formed code.

    Raises
    ------
    DefinitionError
        If `code` is not an ATC code.
    """
    if not _FORM.fullmatch(code):
        raise DefinitionError(f"'{code}' is not an ATC code (such as N06A or N06AB04)")
    return _LEVEL_OF_LENGTH[len(code)]


def is_leaky(code: str) -> bool:
    """Whether a code treats ALS or its late symptoms, or lies inside a group that does."""
    return code.startswith(_LEAKY)


@dataclass(frozen=True)
class AtcGroup:
    """Codes that count as one medication group.

    Parameters
    ----------
    name : str
        Short name, the first part of feature names.
    label : str
        Name for readers.
    atc : tuple of str
        Prefixes; a dispensing belongs to the group if its code starts with one of them.
    family : str
        Class under which explanations are summed; `label` of the widest group it belongs to.
    allow_leaky : bool
        Keep codes that treat ALS or its late symptoms. By default they are carved out of wider groups, and a
        group that names one is refused.
    """

    name: str
    label: str
    atc: tuple[str, ...]
    family: str
    allow_leaky: bool = False

    def __post_init__(self) -> None:
        if not self.atc:
            raise DefinitionError(f"group '{self.name}' names no ATC code")
        for prefix in self.atc:
            level(prefix)
            if is_leaky(prefix) and not self.allow_leaky:
                raise DefinitionError(
                    f"group '{self.name}' names {prefix}, which treats ALS or its late symptoms and must not predict "
                    "it; remove it, or set allow_leaky = true and every output will say so"
                )

    def matches(self, code: str) -> bool:
        """Whether a dispensing of `code` belongs to the group."""
        return code.startswith(self.atc) and (self.allow_leaky or not is_leaky(code))

    @property
    def carved_out(self) -> tuple[str, ...]:
        """Leaky codes inside the prefixes that the group leaves out."""
        return () if self.allow_leaky else tuple(code for code in _LEAKY if code.startswith(self.atc))
