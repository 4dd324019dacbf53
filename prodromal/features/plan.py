"""The plan: which groups, windows and measures make a matrix, as a TOML file with a fingerprint."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prodromal.errors import DefinitionError
from prodromal.features.measures import PERSON_MEASURES, SINCE_MEASURES, WINDOW_MEASURES

if TYPE_CHECKING:
    from prodromal.atc import AtcGroup
    from prodromal.windows import Window

__all__ = ["Feature", "FeaturePlan"]

_PERSON_FAMILY = "Age and sex"


@dataclass(frozen=True)
class Feature:
    """One column of a matrix.

    Parameters
    ----------
    name : str
        Such as ``N06A.count.0-90d``.
    measure : str
        Name of its measure.
    unit : str
        Unit of its values.
    sentence : str
        What it says, for readers.
    family : str
        Class under which explanations are summed.
    group : AtcGroup, optional
        None for measures of the person.
    window : Window, optional
        None for measures without one.
    """

    name: str
    measure: str
    unit: str
    sentence: str
    family: str
    group: AtcGroup | None = None
    window: Window | None = None


@dataclass(frozen=True)
class FeaturePlan:
    """What to measure. Read one from TOML, or start from ``FeaturePlan.psychiatric()``.

    Parameters
    ----------
    name : str
        Name for readers.
    groups : tuple of AtcGroup
        Medication groups; they may overlap.
    windows : tuple of Window
        Windows; they may overlap.
    measures : tuple of str
        Measures per group and window.
    since : tuple of str
        Measures per group without a window.
    person : tuple of str
        Measures of the person.
    min_coverage : float
        Smallest share of a window that must have been observed (0-1]; below it the window's measures are missing.
    default_days_supply : int
        Days that a dispensing lasts when neither ``days_supply`` nor ``ddd`` tells.
    washout_days : int
        Days that must have been observed before a first dispensing for it to count as ``initiated``.
    """

    name: str
    groups: tuple[AtcGroup, ...]
    windows: tuple[Window, ...]
    measures: tuple[str, ...] = ("count", "ddd")
    since: tuple[str, ...] = ("days_since_last", "days_since_first")
    person: tuple[str, ...] = ("age_years", "sex")
    min_coverage: float = 1.0
    default_days_supply: int = 30
    washout_days: int = 365

    def __post_init__(self) -> None:
        if not 0 < self.min_coverage <= 1:
            raise DefinitionError(f"min_coverage is {self.min_coverage}: it must lie above 0 and at most at 1")
        if self.default_days_supply < 1:
            raise DefinitionError(f"default_days_supply is {self.default_days_supply}: it must be at least 1 day")
        if self.washout_days < 0:
            raise DefinitionError(f"washout_days is {self.washout_days}: it must be at least 0 days")
        for title, asked, known in (
            ("measure", self.measures, WINDOW_MEASURES),
            ("since", self.since, SINCE_MEASURES),
            ("person", self.person, PERSON_MEASURES),
        ):
            for name in asked:
                if name not in known:
                    raise DefinitionError(f"unknown {title} '{name}'; there are {', '.join(known)}")
        names = [feature.name for feature in self.features]
        repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if repeated:
            raise DefinitionError(f"{len(repeated)} features are named twice, the first is {repeated[0]}")
        if not names:
            raise DefinitionError("the plan makes no feature")

    @classmethod
    def psychiatric(cls) -> FeaturePlan:
        """The plan of the study: psychiatric classes, their subgroups and context classes in five windows."""
        return cls.parse(
            files("prodromal.features").joinpath("psychiatric.toml").read_text("utf-8"), "psychiatric.toml"
        )

    @classmethod
    def read(cls, path: str | Path) -> FeaturePlan:
        """Read a plan from a TOML file.

        Raises
        ------
        DefinitionError
            If the file is missing, is not TOML, has an unknown key or defines something impossible; the message
            names the line.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise DefinitionError(f"cannot read the plan {path}") from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, where: str = "plan") -> FeaturePlan:
        """Read a plan from the text of a TOML file; `where` names it in messages."""
        from prodromal.features.plan_file import parse_plan

        return parse_plan(text, where)

    def to_toml(self) -> str:
        """The plan as TOML, ``parse``'s inverse."""
        import tomli_w

        document = {
            "name": self.name,
            "min_coverage": self.min_coverage,
            "default_days_supply": self.default_days_supply,
            "washout_days": self.washout_days,
            "allow_leaky": self.allow_leaky,
            "windows": [window.name for window in self.windows],
            "measures": list(self.measures),
            "since": list(self.since),
            "person": list(self.person),
            "groups": [{"name": g.name, "label": g.label, "family": g.family, "atc": list(g.atc)} for g in self.groups],
        }
        return tomli_w.dumps(document)

    @property
    def allow_leaky(self) -> bool:
        """Whether any group keeps codes that treat ALS or its late symptoms."""
        return any(group.allow_leaky for group in self.groups)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The columns in order: person measures, then group by group its windows and its days since."""
        person = (
            Feature(name, name, m.unit, m.sentence, _PERSON_FAMILY)
            for name, m in PERSON_MEASURES.items()
            if name in self.person
        )
        return (*person, *(feature for group in self.groups for feature in self._of_group(group)))

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with anything that changes a value in the matrix."""
        content: dict[str, Any] = {
            "groups": [
                {k: v for k, v in asdict(group).items() if k not in {"label", "family"}} for group in self.groups
            ],
            "windows": [(window.from_days, window.to_days) for window in self.windows],
            "features": self.names,
            "min_coverage": self.min_coverage,
            "default_days_supply": self.default_days_supply,
        }
        if "initiated" in self.measures:
            content["washout_days"] = self.washout_days
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def _of_group(self, group: AtcGroup) -> tuple[Feature, ...]:
        in_windows = tuple(
            Feature(
                f"{group.name}.{name}.{window.name}",
                name,
                WINDOW_MEASURES[name].unit,
                WINDOW_MEASURES[name].sentence.format(group=group.label, window=window.label),
                group.family,
                group,
                window,
            )
            for name, window in product(self.measures, self.windows)
        )
        since = tuple(
            Feature(
                f"{group.name}.{name}",
                name,
                SINCE_MEASURES[name].unit,
                SINCE_MEASURES[name].sentence.format(group=group.label),
                group.family,
                group,
            )
            for name in self.since
        )
        return in_windows + since
