"""What a synthetic register is made from: every rate and effect, with the bounds that it must respect."""

from __future__ import annotations

import tomllib
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from prodromal.errors import DefinitionError

__all__ = [
    "PSYCHIATRIC",
    "SCENARIOS",
    "ClassUse",
    "DiseaseCourse",
    "Family",
    "Frailty",
    "Prodrome",
    "PsychiatricUse",
    "SimulationConfig",
]

SCENARIOS = ("published", "null", "strong", "drift", "under-65")
PsychiatricClass = Literal["anxiolytics", "hypnotics", "antidepressants"]
PSYCHIATRIC: tuple[PsychiatricClass, ...] = ("anxiolytics", "hypnotics", "antidepressants")

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ClassUse(_Section):
    """How long people stay on a class of medication once they start.

    Parameters
    ----------
    single_share
        Share of initiations that are never refilled.
    short_years, long_years
        Mean length (years) of the two kinds of refilled episode, both exponential.
    long_share
        Share of the refilled episodes that are of the long kind.
    yearly_trend
        Relative change of the initiation rate per calendar year, 0 in the middle of the register.
    """

    single_share: Share
    short_years: Positive
    long_years: Positive
    long_share: Share
    yearly_trend: Annotated[float, Field(gt=-0.5, lt=0.5)] = 0.0


class PsychiatricUse(ClassUse):
    """A class whose initiations carry the signal, and what its users' course is like.

    Parameters
    ----------
    prodrome
        Added share of initiations during the prodrome (rho: the rate is multiplied by ``1 + rho``).
    last_year
        Added share in the 365 days before the diagnosis (sigma, on top of ``1 + rho``).
    after_diagnosis
        Added share from the diagnosis on.
    hazard_ratio
        Factor on the hazard of death or invasive ventilation for recurrent users before the diagnosis.
    """

    prodrome: NotNegative = 0.0
    last_year: NotNegative = 0.0
    after_diagnosis: NotNegative = 0.0
    hazard_ratio: Positive = 1.0


class Frailty(_Section):
    """The hidden liability ``u ~ Gamma(shape, shape)`` behind psychiatric initiations.

    The hazard of ALS is proportional to ``u ** hazard_exponent``; ``context_shape`` is the shape of the independent
    heterogeneity behind all other medication.
    """

    shape: Annotated[float, Field(ge=0.1, le=100)] = 0.5
    hazard_exponent: Annotated[float, Field(ge=0, le=2)] = 0.1
    context_shape: Annotated[float, Field(ge=0.1, le=100)] = 1.5


class Family(_Section):
    """Sibships that share frailty and a rare, strong, medication-free risk; couples that share neither.

    Parameters
    ----------
    sibship_shares
        Shares of sibships of 1, 2, 3, ... people.
    carrier_share, carrier_hazard_ratio
        Share of sibships with the strong risk, and its factor on the ALS hazard.
    married_share
        Share of people with a spouse in the register, at most.
    """

    sibship_shares: Annotated[tuple[NotNegative, ...], Field(min_length=1, max_length=8)] = (0.35, 0.35, 0.2, 0.1)
    carrier_share: Share = 0.002
    carrier_hazard_ratio: Annotated[float, Field(ge=1, le=1000)] = 100.0
    married_share: Share = 0.8

    @model_validator(mode="after")
    def _some_sibship(self) -> Self:
        if sum(self.sibship_shares) <= 0:
            raise ValueError("sibship_shares must not all be zero")
        return self


class Prodrome(_Section):
    """The law of the prodrome's length, a mixture on a grid of years before the diagnosis.

    ``below_age`` confines every effect on risk and prodrome to people diagnosed before that birthday.
    """

    lengths_years: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=16)] = (1.0, 2.0, 4.0, 6.0, 10.0)
    shares: Annotated[tuple[NotNegative, ...], Field(min_length=1, max_length=16)] = (0.1, 0.15, 0.25, 0.25, 0.25)
    below_age: Annotated[int, Field(ge=18, le=120)] | None = None

    @model_validator(mode="after")
    def _one_share_for_each_length(self) -> Self:
        if len(self.shares) != len(self.lengths_years) or sum(self.shares) <= 0:
            raise ValueError("shares must be as many as lengths_years, and not all zero")
        return self


class DiseaseCourse(_Section):
    """Diagnosis, survival, ventilation, function and riluzole.

    Parameters
    ----------
    delay_median_days, delay_sigma
        Log-normal time from symptom onset to diagnosis.
    survival_median_days, survival_shape
        Log-logistic time from diagnosis to death or invasive ventilation for the reference person.
    age_hazard_ratio
        Factor on that hazard per ten years of age above 67.
    slope_hazard_exponent
        Power of the personal slope (relative to its mean) in that hazard.
    ventilation_share, ventilated_years
        Share of first events that are invasive ventilation, and mean years lived after it.
    slope_mean, slope_shape
        Gamma law of the loss of ALSFRS-R points per month.
    antidepressant_slope_factor
        Factor on the slope of recurrent users of antidepressants before the diagnosis.
    visit_days
        Mean days between visits.
    riluzole_share, riluzole_early_share
        Share treated with riluzole, and share of those whose first dispensing comes up to 45 days before the recorded
        diagnosis.
    """

    delay_median_days: Positive = 365.0
    delay_sigma: NotNegative = 0.75
    survival_median_days: Positive = 750.0
    survival_shape: Annotated[float, Field(ge=0.5, le=5)] = 1.9
    age_hazard_ratio: Positive = 1.2
    slope_hazard_exponent: Annotated[float, Field(ge=0, le=3)] = 0.5
    ventilation_share: Share = 0.025
    ventilated_years: Positive = 4.0
    slope_mean: Positive = 0.89
    slope_shape: Annotated[float, Field(ge=0.5, le=50)] = 3.3
    antidepressant_slope_factor: Positive = 1.25
    visit_days: Annotated[float, Field(ge=14)] = 91.0
    riluzole_share: Share = 0.85
    riluzole_early_share: Share = 0.05


class SimulationConfig(_Section):
    """Everything about a synthetic register except its seed.

    Parameters
    ----------
    persons
        Size of the population: adults alive when the register starts, and those who come of age before it ends.
    starts_on, ends_on
        First and last day of the register.
    minimum_age
        Age (years) from which people are observed; they use medication from 18.
    noncase_fraction
        Below 1 the register is an extract: everybody diagnosed, this share of all others, and the cases' siblings and
        spouses.
    incidence_scale
        Factor on the incidence table.
    emigration_per_year
        Hazard of leaving the country.
    persons_per_part
        A part file is closed once it holds this many persons.
    incidence_table, mortality_table, prevalence_table
        CSV files that replace the shipped tables.
    scenario_name
        The scenario that the settings started from (the key is ``scenario``).
    """

    scenario_name: Literal["published", "null", "strong", "drift", "under-65"] = Field("published", alias="scenario")
    persons: Annotated[int, Field(ge=1, le=20_000_000)] = 100_000
    starts_on: date = date(2005, 7, 1)
    ends_on: date = date(2023, 6, 30)
    minimum_age: Annotated[int, Field(ge=18, le=80)] = 18
    noncase_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    incidence_scale: Annotated[float, Field(ge=0, le=1000)] = 1.0
    emigration_per_year: Share = 0.003
    persons_per_part: Annotated[int, Field(ge=1)] = 25_000
    incidence_table: Path | None = None
    mortality_table: Path | None = None
    prevalence_table: Path | None = None
    frailty: Frailty = Frailty()
    family: Family = Family()
    prodrome: Prodrome = Prodrome()
    course: DiseaseCourse = DiseaseCourse()
    psychiatric: dict[PsychiatricClass, PsychiatricUse]
    context: dict[str, ClassUse]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.starts_on.year < 1950 or not self.starts_on < self.ends_on <= date(2100, 12, 31):
            raise ValueError("starts_on must come before ends_on, both between 1950 and 2100")
        if set(self.psychiatric) != set(PSYCHIATRIC):
            raise ValueError(f"psychiatric must hold exactly {', '.join(PSYCHIATRIC)}")
        return self

    @classmethod
    def scenario(cls, name: str, **overrides: Any) -> Self:
        """Return a shipped scenario with settings replaced; nested settings are given as dictionaries.

        Raises
        ------
        DefinitionError
            If the scenario or a setting is unknown, or a value is out of bounds.
        """
        return cls._checked({**overrides, "scenario": name})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a TOML file of settings that replace those of its ``scenario`` (default "published").

        Raises
        ------
        DefinitionError
            If the file is no TOML, a setting is unknown, or a value is out of bounds.
        """
        try:
            settings = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise DefinitionError(f"the simulation configuration {Path(path).name} is not valid TOML") from error
        except OSError as error:
            raise DefinitionError(f"the simulation configuration {Path(path).name} cannot be read") from error
        return cls._checked(settings)

    @classmethod
    def _checked(cls, settings: dict[str, Any]) -> Self:
        name = settings.get("scenario", "published")
        if name not in SCENARIOS:
            raise DefinitionError(f"simulation configuration, scenario: not one of {', '.join(SCENARIOS)}")
        base = _shipped("published")
        if name != "published":
            base = _merged(base, _shipped(name))
        try:
            return cls.model_validate(_merged(base, settings))
        except ValidationError as error:
            raise DefinitionError(_refusal(error)) from error


def _shipped(name: str) -> dict[str, Any]:
    return tomllib.loads((files("prodromal.simulate") / "scenarios" / f"{name}.toml").read_text(encoding="utf-8"))


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _refusal(error: ValidationError) -> str:
    faults = [
        f"{'.'.join(str(part) for part in fault['loc']) or 'settings'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    return f"simulation configuration, {len(faults)} setting(s) refused: " + "; ".join(faults)
