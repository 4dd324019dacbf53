"""The recipe of als-synthetic-v1, a model that was trained on simulated people and is not for use on real ones.

    .venv/bin/python training/als_synthetic_v1.py [--output models/als-synthetic-v1]

Simulates a nation, draws matched sets, trains, evaluates people of held-out families, and writes bundle and card.
Everything that decides the result stands below; running it again with the same versions gives the same bytes.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from prodromal import (
    EvaluationData,
    FeaturePlan,
    Outcome,
    Population,
    Register,
    RiskModel,
    SimulationConfig,
    __version__,
    build,
    draw_landmark_cohort,
    draw_landmark_sets,
    train,
)
from prodromal.design import Cohort, held_out
from prodromal.evaluate import Evaluation, MatchedSets, evaluate, join_outcomes
from prodromal.risk import SearchSpace, save
from prodromal.risk.training import WARNING
from prodromal.simulate import simulate
from prodromal.sources import Source, TableSource, ingest

HERE = Path(__file__).resolve().parent
NAME = "als-synthetic-v1"
SIMULATION = SimulationConfig.scenario("published", persons=10_000_000, noncase_fraction=0.005)
QUESTION = Outcome("ALS", lag_days=365, horizon_days=1826, min_history_days=730)
PLAN = FeaturePlan.psychiatric()
POPULATION = Population.sweden_like()
SEARCH = SearchSpace(max_depth=(1, 2, 3), min_cases_per_leaf=(10.0, 30.0), features_per_tree=(0.2, 0.5), trials=6)
HELD_OUT_SHARE = 0.4
LANDMARK = date(2016, 1, 1)
SEEDS = {"simulation": 2025, "split": 1, "training_sets": 1, "held_out_sets": 2, "training": 1, "bootstrap": 1}
REPLICATES = 200


def registered(folder: Path) -> Register:
    """Simulate a delivery and ingest it."""
    delivery = folder / "delivery"
    simulate(SIMULATION, delivery, seed=SEEDS["simulation"], threads=2, file_format="parquet")
    tables = tuple(
        TableSource(name, tuple(sorted((delivery / name).glob("*"))) or (delivery / f"{name}.parquet",))
        for name in ("persons", "dispensings", "outcomes", "relatives")
    )
    ingest(Source(tables, extracted_on=date(2026, 1, 1)), folder / "register")
    return Register.open(folder / "register")


def fit(register: Register, sets: Cohort) -> RiskModel:
    """Train, and say in the model what it was trained on."""
    matrix = build(PLAN, register, sets.index_dates, threads=2)
    model = train(
        matrix,
        sets,
        population=POPULATION,
        seed=SEEDS["training"],
        search=SEARCH,
        threads=2,
        simulated=register.simulated,
    )
    facts = {"name": NAME, "seeds": SEEDS}
    return replace(model, training={**model.training, **facts, "simulation": SIMULATION.scenario_name})


def tested(model: RiskModel, register: Register, cohort: Cohort, sets: Cohort) -> Evaluation:
    """Evaluate on everyone held out who was at risk on one day, and on held-out matched sets."""

    def scored(part: Cohort) -> Any:
        return model.score(build(PLAN, register, part.index_dates, threads=2), register.persons)

    risks = scored(cohort)
    risks = risks.assign(baseline_risk=risks["expected_per_100k"] / 1e5).drop(columns="score")
    data = EvaluationData.from_frame(
        join_outcomes(risks, cohort.frame.drop(columns="person_row")),
        horizon_days=QUESTION.horizon_days,
        lag_days=QUESTION.lag_days,
    )
    matched = MatchedSets.from_frame(
        sets.frame[["set_id", "case", "family"]].assign(score=scored(sets)["score"].to_numpy())
    )
    return evaluate(data, replicates=REPLICATES, seed=SEEDS["bootstrap"], matched=matched, workers=2)


def card(model: RiskModel, sets: Cohort, cohort: Cohort, result: Evaluation) -> str:
    """The model card; every number in it comes from the objects given."""
    folder = Environment(loader=FileSystemLoader(HERE), undefined=StrictUndefined, autoescape=False, trim_blocks=True)  # noqa: S701  the card is Markdown
    return folder.get_template("MODEL_CARD.md.j2").render(
        name=NAME,
        warning=WARNING,
        version=__version__,
        question=QUESTION,
        plan=PLAN,
        population=POPULATION.name,
        simulation=SIMULATION,
        search=asdict(SEARCH),
        training=model.training,
        trained=sets.attrition.to_dict("records"),
        tested=cohort.attrition.to_dict("records"),
        landmark=LANDMARK.isoformat(),
        evaluation=result.to_dict(),
        seeds=SEEDS,
    )


def main() -> None:
    """Run the recipe."""
    parser = argparse.ArgumentParser(description=WARNING)
    parser.add_argument("--output", type=Path, default=HERE.parent / "models" / NAME)
    output = parser.parse_args().output
    with tempfile.TemporaryDirectory() as work:
        register = registered(Path(work))
        held = held_out(register, share=HELD_OUT_SHARE, seed=SEEDS["split"])
        sets = draw_landmark_sets(register, QUESTION, seed=SEEDS["training_sets"], among=~held)
        model = fit(register, sets)
        cohort = draw_landmark_cohort(register, QUESTION, on=LANDMARK, among=held)
        testing = draw_landmark_sets(register, QUESTION, seed=SEEDS["held_out_sets"], among=held)
        result = tested(model, register, cohort, testing)
    save(model, output, replace=True, card=card(model, sets, cohort, result))
    print(f"{NAME}: {WARNING} It is in {output}.")


if __name__ == "__main__":
    main()
