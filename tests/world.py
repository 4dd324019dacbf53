"""A small simulated world, made once per session: register, sets, matrix, model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

from prodromal.design import Cohort, Outcome, draw_landmark_cohort, draw_landmark_sets, held_out
from prodromal.features import FeatureMatrix, FeaturePlan, build
from prodromal.register import Register
from prodromal.risk import Population, RiskModel, SearchSpace, train
from prodromal.simulate import SimulationConfig, simulate
from prodromal.sources import Source, TableSource, ingest

SMALL_SEARCH = SearchSpace(
    max_depth=(2,), min_cases_per_leaf=(10.0,), features_per_tree=(0.5,), trials=1, max_rounds=40
)
TABLES = ("persons", "dispensings", "outcomes", "relatives", "follow_up")


@dataclass(frozen=True)
class World:
    """A simulated delivery and everything that follows from it."""

    delivery: Path
    folder: Path

    @classmethod
    def make(
        cls, folder: Path, *, persons: int, noncase_fraction: float, scenario: str = "strong", **overrides
    ) -> World:
        config = SimulationConfig.scenario(scenario, persons=persons, noncase_fraction=noncase_fraction, **overrides)
        simulate(config, folder / "delivery", seed=7, file_format="parquet")
        return cls(folder / "delivery", folder)

    @cached_property
    def register(self) -> Register:
        tables = tuple(
            TableSource(name, tuple(sorted((self.delivery / name).glob("*"))) or (self.delivery / f"{name}.parquet",))
            for name in TABLES
        )
        ingest(Source(tables, extracted_on=date(2026, 1, 1)), self.folder / "register", rows_per_part=100_000)
        return Register.open(self.folder / "register")

    @cached_property
    def question(self) -> Outcome:
        return Outcome("ALS", lag_days=365, horizon_days=1096)

    @cached_property
    def held(self):
        return held_out(self.register, share=0.4, seed=1)

    @cached_property
    def sets(self) -> Cohort:
        return draw_landmark_sets(self.register, self.question, seed=1, among=~self.held)

    @cached_property
    def plan(self) -> FeaturePlan:
        return FeaturePlan.psychiatric()

    @cached_property
    def matrix(self) -> FeatureMatrix:
        return build(self.plan, self.register, self.sets.index_dates)

    @cached_property
    def population(self) -> Population:
        return Population.sweden_like()

    @cached_property
    def model(self) -> RiskModel:
        return train(self.matrix, self.sets, population=self.population, seed=1, search=SMALL_SEARCH)

    @cached_property
    def cohort(self) -> Cohort:
        return draw_landmark_cohort(self.register, self.question, on=date(2014, 1, 1), among=self.held)
