"""Coverage of the association study's intervals over many studies of the published size.

A scaled incidence gives many cases in a small population and leaves the law of histories as it is. The true odds ratio
of a cell is what all other studies together say: each study is held against the rest, whose error is a fourteenth of
its own with two hundred of them.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from _study import CLASSES, exposures, matched_sets, read_register

from prodromal.association import fit_conditional_logistic, fit_cox
from prodromal.simulate import SimulationConfig, simulate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CASES = 1057
FIRST, LAST = 16436, 19538  # 1 January 2015 to 30 June 2023
_Cells = dict[tuple[str, str], tuple[float, float]]


def coverage(studies: int, work: Path, say: Callable[[str], None]) -> dict[str, float]:
    """Share of studies whose interval holds the truth: each odds ratio, each hazard ratio, and all of them."""
    found: list[_Cells] = []
    seed = 0
    while len(found) < studies:
        seed += 1
        found += _register(work / f"register-{seed}", seed)
        say(f"{min(len(found), studies)} of {studies} studies")
    return _held(found[:studies])


def _register(folder: Path, seed: int) -> list[_Cells]:
    config = SimulationConfig.scenario("published", persons=2_000_000, noncase_fraction=0.1, incidence_scale=30.0)
    simulate(config, folder, seed=seed, threads=2)
    register = read_register(folder)
    sets = np.random.default_rng(seed).permutation(matched_sets(register, FIRST, LAST, seed))
    parts = [sets[n * CASES : (n + 1) * CASES] for n in range(len(sets) // CASES)]
    out = [_study(register, part) for part in parts]
    shutil.rmtree(folder)
    return out


def _study(register: object, sets: np.ndarray) -> _Cells:
    case = np.zeros(sets.shape, dtype=int)
    case[:, 0] = 1
    label = np.repeat(np.arange(len(sets)), sets.shape[1])
    day = np.repeat(register.diagnosis[sets[:, :1]], sets.shape[1], axis=1)
    cells: _Cells = {}
    for name in CLASSES:
        use = {w: v.ravel().astype(float) for w, v in exposures(register, name, sets, day).items()}
        for names in ((">1",), ("0-1", "1-5", ">5")):
            fit = fit_conditional_logistic(case.ravel(), np.column_stack([use[w] for w in names]), label)
            cells |= {(name, w): (b, se) for w, b, se in zip(names, fit.coefficients, fit.standard_errors, strict=True)}
    return cells | _hazards(register, sets[:, 0])


def _hazards(register: object, cases: np.ndarray) -> _Cells:
    start = register.diagnosis[cases]
    event = np.minimum(register.death[cases], register.ventilation[cases])
    stop = np.minimum(event, register.observed_to[cases])
    kept = stop > start
    age, sex = (start - register.birth[cases]) / 3652.5, register.sex[cases]
    cells: _Cells = {}
    for name in CLASSES:
        day = start[:, None]
        used = np.logical_or.reduce(
            [exposures(register, name, cases[:, None], day)[w][:, 0] for w in ("0-1", "1-5", ">5")]
        )
        X = np.column_stack([used, sex, age])[kept].astype(float)
        fit = fit_cox((stop - start)[kept], (event <= stop)[kept], X, cluster=np.arange(int(kept.sum()))).fit
        cells[name, "hazard"] = fit.coefficients[0], fit.standard_errors[0]
    return cells


def _held(found: list[_Cells]) -> dict[str, float]:
    table = defaultdict(list)
    for cells in found:
        for cell, pair in cells.items():
            table[cell].append(pair)
    out, inside = {}, []
    for (name, what), pairs in table.items():
        b, se = np.array(pairs).T
        weight = 1 / se**2
        rest = ((weight * b).sum() - weight * b) / (weight.sum() - weight)
        covered = np.abs(b - rest) < 1.959964 * se
        inside.append(covered)
        out[f"coverage {name} {what}"] = float(covered.mean())
        out[f"ratio {name} {what}"] = float(np.exp((weight * b).sum() / weight.sum()))
    return out | {"coverage": float(np.concatenate(inside).mean()), "studies": float(len(found))}
