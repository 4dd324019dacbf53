"""Names that national registers give to our columns, tried in order and whatever their case."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True)
class Preset:
    """A layout: for each table, the source names under which a canonical column may be found."""

    meaning: str
    names: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)


_SWEDISH_ID = ("lopnr", "p444_lopnr_personnr", "lopnr_personnr")

_NORWEGIAN_ID = ("pasientlopenr", "pasient_lopenummer", "lopenr")

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "canonical": Preset("columns bear the canonical names"),
        "sweden": Preset(
            "Swedish prescribed drug register (LMED) with population and cause-of-death registers",
            {
                "dispensings": {
                    "person_id": _SWEDISH_ID,
                    "dispensed_on": ("edatum",),
                    "atc": ("atc",),
                    "ddd": ("fddd",),
                    "quantity": ("antal",),
                    "strength": ("styrknum",),
                    "strength_unit": ("styrkaenhet",),
                    "pack_size": ("antnum",),
                },
                "persons": {
                    "person_id": _SWEDISH_ID,
                    "sex": ("kon", "sex"),
                    "birth_date": ("fodelsedat", "fodelseman", "fodelsear"),
                    "death_date": ("doddatum", "dodsdat"),
                    "region": ("lan", "lk"),
                },
                "outcomes": {"person_id": _SWEDISH_ID, "diagnosed_on": ("indatum",), "outcome": ("hdia",)},
            },
        ),
        "denmark": Preset(
            "Danish register of medicinal products (LMDB) with the civil registration system",
            {
                "dispensings": {
                    "person_id": ("pnr", "id"),
                    "dispensed_on": ("eksd",),
                    "atc": ("atc",),
                    "ddd": ("volume", "vol_ddd"),
                    "quantity": ("apk",),
                    "strength": ("strnum",),
                    "strength_unit": ("strunit",),
                    "pack_size": ("packsize",),
                },
                "persons": {
                    "person_id": ("pnr", "id"),
                    "sex": ("koen", "kon", "sex"),
                    "birth_date": ("foed_dag", "fdato", "birthdate"),
                    "death_date": ("doddato", "deathdate"),
                },
            },
        ),
        "norway": Preset(
            "Norwegian prescribed drug registry (NorPD, since 2018 LMR) with the population register; its names differ "
            "from delivery to delivery and are to be confirmed against the documentation that came with yours",
            {
                "dispensings": {
                    "person_id": _NORWEGIAN_ID,
                    "dispensed_on": ("utleveringsdato", "utlevering_dato"),
                    "atc": ("atckode", "atc_kode"),
                    "ddd": ("ordinasjonantallddd", "antall_ddd"),
                    "quantity": ("ordinasjonantallpakninger", "antall_pakninger"),
                },
                "persons": {
                    "person_id": _NORWEGIAN_ID,
                    "sex": ("pasientkjonn", "kjonn"),
                    "birth_date": ("pasientfodselsdato", "fodselsdato", "pasientfodtar", "fodt_ar"),
                    "death_date": ("pasientdodsdato", "dodsdato"),
                    "region": ("pasientbostedfylke", "fylke"),
                },
            },
        ),
    }
)
