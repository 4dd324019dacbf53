"""The released model loads from its bytes, scores people, and says that it was trained on simulated people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prodromal.features import build
from prodromal.risk import load

FOLDER = Path(__file__).resolve().parents[2] / "models" / "als-synthetic-v1"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="models/ is not beside the package")


def test_it_scores_people_of_a_register(world):
    model = load(FOLDER)
    matrix = build(model.plan, world.register, world.cohort.index_dates)
    risks = model.score(matrix, world.register.persons)
    assert np.isfinite(risks["score"]).all()
    assert risks["risk"].between(0, 0.05).all()
    assert risks["score"].std() > 0


def test_it_says_what_it_was_trained_on():
    facts = load(FOLDER).training
    assert facts["name"] == "als-synthetic-v1"
    assert facts["population_of_training"] == "simulated people"
    first = (FOLDER / "MODEL_CARD.md").read_text("utf-8").splitlines()[0]
    assert first == f"**{facts['warning']}**"


def test_it_is_small():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 2_000_000
