"""Which conditions are which outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Outcomes"]


@dataclass(frozen=True)
class Outcomes:
    """Names of outcomes by ``system|code``, and by what such a text begins with."""

    exact: Mapping[str, tuple[str, ...]]
    beginnings: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, asked: Mapping[str, tuple[str, ...]]) -> Outcomes:
        """Take the codes of each name; one that ends in ``*`` is a beginning."""
        exact: dict[str, tuple[str, ...]] = {}
        beginnings: dict[str, tuple[str, ...]] = {}
        for name, codes in asked.items():
            for code in codes:
                place, key = (beginnings if code.endswith("*") else exact), code.removesuffix("*")
                place[key] = (*place.get(key, ()), name)
        return cls(exact, beginnings)

    def named(self, codings: str | None) -> str | None:
        """Names of the outcomes that codings, one a line, stand for, one a line; None if there are none.

        Examples
        --------
        >>> Outcomes.of({"ALS": ("icd|G12.2*",), "MND": ("icd|G12.21",)}).named("icd|G12.21").split()
        ['MND', 'ALS']
        """
        names: dict[str, None] = {}
        for coding in (codings or "").split("\n"):
            names |= dict.fromkeys(self.exact.get(coding, ()))
            for beginning, found in self.beginnings.items():
                names |= dict.fromkeys(found if coding.startswith(beginning) else ())
        return "\n".join(names) or None
