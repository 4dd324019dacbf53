"""Coverage of the association study's intervals over many studies of the published size.

The true odds ratio of a cell is what the same estimator gives in a huge study: the mean over all other registers, each
fitted whole (some 19,000 cases). It is not the rate ratio of one history that the simulator was given: use is a coarse
picture of a history, and frailty and the other classes are averaged over. With twelve registers its standard error is a
fourteenth of a study's (``truth_se`` gives the largest, in standard errors of a study).

A scaled incidence gives many cases in a small population and leaves the law of histories as it is. Studies of one
register have other cases, but share some controls; within a study about a hundred of its 6,342 people stand in
more than one set, which widens the truth's spread by half a per cent. Siblings in one study are as few.

A cell's coverage over 200 studies has a standard error of 1.5 %, so of fifteen cells with a coverage of exactly 95 %
about three fall outside 93 to 97 %. Three p values say whether more is amiss: of the coverage of all cells together,
of the lowest cell, and of the highest, each against studies whose intervals are exact and whose cells are
correlated like these.
"""

from __future__ import annotations

import shutil
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
REPLICATES = 4000
NORMAL_975 = 1.959964
_Cells = dict[str, tuple[float, float]]


def coverage(studies: int, work: Path, say: Callable[[str], None], first_seed: int = 1) -> dict[str, float]:
    """Share of studies whose interval holds the truth: each odds ratio, each hazard ratio, and all of them."""
    wholes: list[_Cells] = []
    parts: list[list[_Cells]] = []
    while sum(map(len, parts)) < studies or len(wholes) < 2:
        whole, found = _register(work / "register", first_seed + len(wholes))
        wholes.append(whole)
        parts.append(found[: max(studies - sum(map(len, parts)), 0)])
        say(f"{sum(map(len, parts))} of {studies} studies")
    return _held(wholes, parts)


def _register(folder: Path, seed: int) -> tuple[_Cells, list[_Cells]]:
    """Cells of the whole register, and of studies that share its cases out."""
    config = SimulationConfig.scenario("published", persons=2_000_000, noncase_fraction=0.2, incidence_scale=30.0)
    simulate(config, folder, seed=seed, threads=2)
    register = read_register(folder)
    drawn, mixed = (int(s) for s in np.random.SeedSequence(seed).generate_state(2))
    sets = np.random.default_rng(mixed).permutation(matched_sets(register, FIRST, LAST, drawn))
    parts = [sets[n * CASES : (n + 1) * CASES] for n in range(len(sets) // CASES)]
    out = _study(register, sets), [_study(register, part) for part in parts]
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
            cells |= {
                f"{name} {w}": (b, se) for w, b, se in zip(names, fit.coefficients, fit.standard_errors, strict=True)
            }
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
        cells[f"{name} hazard"] = fit.coefficients[0], fit.standard_errors[0]
    return cells


def _held(wholes: list[_Cells], parts: list[list[_Cells]]) -> dict[str, float]:
    """Hold the studies of each register against all the others."""
    names = list(wholes[0])
    every = np.array([[whole[name] for name in names] for whole in wholes])
    z, ratio = [], 0.0
    for at, studies in enumerate(parts):
        others = np.delete(every, at, axis=0)
        truth, its_se = others[..., 0].mean(axis=0), np.sqrt((others[..., 1] ** 2).sum(axis=0)) / len(others)
        for cells in studies:
            b, se = np.array([cells[name] for name in names]).T
            z.append((b - truth) / se)
            ratio = max(ratio, float((its_se / se).max()))
    away = np.array(z)
    inside = np.abs(away) < NORMAL_975
    out = {f"coverage {name}": float(share) for name, share in zip(names, inside.mean(axis=0), strict=True)}
    out |= {f"ratio {name}": float(r) for name, r in zip(names, np.exp(every[..., 0].mean(axis=0)), strict=True)}
    out |= {f"spread {name}": float(s) for name, s in zip(names, away.std(axis=0, ddof=1), strict=True)}
    return out | _judged(away, inside) | {"truth_se": ratio, "studies": float(len(away))}


def _judged(z: np.ndarray, inside: np.ndarray) -> dict[str, float]:
    """How often exact intervals would be as far off, all cells together, in the lowest and in the highest."""
    rng = np.random.default_rng(1)
    root = np.linalg.cholesky(np.corrcoef(z.T) + 1e-9 * np.eye(z.shape[1]))
    cells = np.array(
        [(np.abs(rng.standard_normal(z.shape) @ root.T) < NORMAL_975).mean(axis=0) for _ in range(REPLICATES)]
    )
    found = inside.mean(axis=0)
    return {
        "coverage": float(inside.mean()),
        "coverage_se": float(cells.mean(axis=1).std()),
        "p_pooled": float((np.abs(cells.mean(axis=1) - 0.95) >= abs(inside.mean() - 0.95) - 1e-12).mean()),
        "p_lowest": float((cells.min(axis=1) <= found.min() + 1e-12).mean()),
        "p_highest": float((cells.max(axis=1) >= found.max() - 1e-12).mean()),
    }
