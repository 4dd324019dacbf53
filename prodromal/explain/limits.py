"""What a model can and cannot tell, from the facts of its own training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from prodromal.page import Section, count, definitions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodromal.risk import RiskModel

__all__ = ["limits_section"]


def limits_section(model: RiskModel) -> Section:
    """Describe a model's limits: how well it ranks people it had not seen, whom it knows, and what it was asked.

    Parameters
    ----------
    model : RiskModel
        Whose training tells.

    Returns
    -------
    Section
    """
    asked, training = model.outcome, model.training
    told = {
        "How well it ranks": _ranking(training),
        "Trained on": _trained_on(training),
        "Question": f"{asked.name} diagnosed more than {asked.lag_days:,} and up to {asked.horizon_days:,} days after "
        "the index date, in people alive and undiagnosed on it; death from other causes competes.",
        "Level of risk": f"Incidence and mortality by age and sex of the population '{model.population.name}'.",
        "What it never sees": "Diagnoses, symptoms, genes, family history, and medication that was not dispensed on "
        "prescription.",
    }
    return Section("limits", "What this model can and cannot tell", definitions(told), listed=False)


def _ranking(training: Mapping[str, object]) -> str:
    rows = training.get("out_of_fold")
    found = [r["c_within_sets"] for r in rows if r["model"] == "boosted trees"] if isinstance(rows, list) else []
    if not found or found[0] is None or math.isnan(found[0]):
        return "Not computed: the model's training does not tell."
    alike = ", of the same age and sex," if training.get("objective") == "matched" else ""
    return (
        f"Of 100 pairs of one person with a later diagnosis and one without{alike} it scores the first higher in about "
        f"{100 * found[0]:.0f}; by chance it would be 50. Counted in training, on people whom the trees had not seen."
    )


def _trained_on(training: Mapping[str, object]) -> str:
    cases, ages = training.get("sets", training.get("cases")), training.get("age_range")
    told = f"{count(float(str(cases)))} people with a diagnosis" if cases is not None else "An unknown number of people"
    if isinstance(ages, (list, tuple)) and len(ages) == 2:
        told += f", cases and others aged {ages[0]} to {ages[1]} years on their index date"
    return f"{told}. Outside these ages the score is flagged."
