"""The codes by which events of a MEDS dataset are told apart, and the extension columns that go with them.

MEDS itself defines ``MEDS_BIRTH`` and ``MEDS_DEATH``, each alone or followed by ``//...``; its examples name sex
``GENDER//F`` and join the parts of a code by ``//``. The rest are the codes that our own writer uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa

__all__ = ["EXTENSIONS", "Vocabulary"]

_NUMBER = (pa.types.is_integer, pa.types.is_floating)
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)
# Columns beside those of MEDS, and what they may be.
EXTENSIONS = MappingProxyType(
    {
        "ddd": _NUMBER,
        "days_supply": _NUMBER,
        "quantity": _NUMBER,
        "source": _TEXT,
        "relative_id": (pa.types.is_int64,),
        "invasive_ventilation_on": (pa.types.is_timestamp, pa.types.is_date),
    }
)


@dataclass(frozen=True)
class Vocabulary:
    """Codes and beginnings of codes; a beginning stands for what follows it, up to the next ``//``.

    Parameters
    ----------
    atc : tuple of str
        Beginnings of the codes of dispensings, an ATC code behind them.
    sex, region, relative : tuple of str
        Beginnings of codes without a time.
    weight : str
        Code of the sampling weight, its number in ``numeric_value``.
    birth, death, follow_up, observed_from, observed_to : str
        Codes of dated events.
    outcome : str
        Beginning of the codes of outcomes that our writer uses.
    """

    atc: tuple[str, ...] = ("ATC//", "ATC/")
    sex: tuple[str, ...] = ("GENDER//", "SEX//", "Gender/")
    region: tuple[str, ...] = ("REGION//",)
    relative: tuple[str, ...] = ("RELATIVE//",)
    weight: str = "SAMPLING_WEIGHT"
    birth: str = "MEDS_BIRTH"
    death: str = "MEDS_DEATH"
    follow_up: str = "ALSFRS_R"
    observed_from: str = "OBSERVATION//START"
    observed_to: str = "OBSERVATION//END"
    outcome: str = "OUTCOME//"
