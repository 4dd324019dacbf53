"""Training: search, shrink, normalise; baselines beside the model in the same table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from prodromal.errors import DataError, NotEstimable
from prodromal.risk.baselines import out_of_fold_baselines
from prodromal.risk.boosting import OutOfFold, Settings, boost, out_of_fold
from prodromal.risk.conditional import fit_conditional
from prodromal.risk.model import RiskModel
from prodromal.risk.normaliser import estimate_normaliser
from prodromal.risk.sets import MatchedSets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prodromal.design import Cohort
    from prodromal.features import FeatureMatrix
    from prodromal.risk.population import Population

__all__ = ["SearchSpace", "train"]

_LARGEST_SLOPE = 2.0
_FEWEST_SETS = 20


@dataclass(frozen=True)
class SearchSpace:
    """Values that the seeded search combines; all are few, shallow and heavily regularised trees.

    Parameters
    ----------
    max_depth, min_cases_per_leaf, features_per_tree : tuple
        Values to combine.
    trials : int
        Combinations that are tried, drawn with the seed.
    folds : int
        Folds, by family.
    max_rounds : int
        Most trees.
    """

    max_depth: tuple[int, ...] = (2, 3, 4)
    min_cases_per_leaf: tuple[float, ...] = (10.0, 30.0)
    features_per_tree: tuple[float, ...] = (0.2, 0.5)
    trials: int = 6
    folds: int = 5
    max_rounds: int = 400

    def draw(self, seed: int) -> list[Settings]:
        """The combinations to try, in a seeded order."""
        every = [
            Settings(d, c, features_per_tree=f)
            for d, c, f in product(self.max_depth, self.min_cases_per_leaf, self.features_per_tree)
        ]
        order = np.random.default_rng(seed).permutation(len(every))
        return [every[i] for i in order[: self.trials]]


@dataclass(frozen=True)
class _Material:
    """The training rows in canonical order."""

    X: npt.NDArray[np.float32]
    sets: MatchedSets
    fold: npt.NDArray[np.int64]
    controls: npt.NDArray[Any]
    age: npt.NDArray[np.int64]
    sex: npt.NDArray[np.int64]
    provenance: dict[str, Any] = field(default_factory=dict)


def train(
    matrix: FeatureMatrix,
    cohort: Cohort,
    *,
    population: Population,
    seed: int,
    search: SearchSpace | None = None,
    threads: int = 1,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    provenance: Mapping[str, str] | None = None,
) -> RiskModel:
    """Train a model on matched sets.

    Parameters
    ----------
    matrix : FeatureMatrix
        Features of the cohort's index dates, in the cohort's order.
    cohort : Cohort
        Matched sets.
    population : Population
        What turns the score into a risk.
    seed : int
        Of search, folds and trees. The same data in any order give the same model.
    search : SearchSpace, optional
        What to try.
    threads : int
        Combinations tried at the same time.
    device : {"cpu", "cuda"}
        Where the trees are grown.
    progress : callable, optional
        Called with combinations done and in all.
    provenance : mapping, optional
        Where the data came from, kept with the model.

    Returns
    -------
    RiskModel

    Raises
    ------
    NotEstimable
        If there are fewer than 20 sets or no feature varies.
    DataError
        If matrix and cohort do not belong together.

    Notes
    -----
    The best combination is chosen by the conditional likelihood of sets in folds that its model did not see. The final
    trees are grown on all sets; their score is multiplied by the slope of a conditional regression on the out-of-fold
    score (0 if that is negative), and the mean rate ratio by age and sex comes from the out-of-fold scores of controls.
    """
    space = search or SearchSpace()
    material = _prepare(matrix, cohort, space.folds, seed)
    best = _search(material, space, seed, threads, device, progress)
    # One thread in linear algebra too: the same digits on any machine, and no contest with the folds' threads.
    with threadpool_limits(limits=1):
        slope, slope_error = _slope(best, material.sets)
        comparison = _compare(material, best, matrix)
    booster = boost(material.X, material.sets, best.settings, best.rounds, seed=seed, device=device)
    booster.set_attr(best_iteration=None)
    raw = slope * best.score
    chosen = material.controls
    normaliser = estimate_normaliser(
        raw[chosen], age_years=material.age[chosen], sex=material.sex[chosen], weight=np.ones(chosen.sum())
    )
    reference = raw[chosen] - normaliser.at(material.age[chosen], material.sex[chosen])
    return RiskModel(
        plan=matrix.plan,
        booster=booster,
        slope=slope,
        normaliser=normaliser,
        population=population,
        outcome=cohort.outcome,
        reference=np.quantile(reference, np.linspace(0, 1, 1001)),
        training={
            "seed": seed,
            "sets": len(material.sets),
            "rows": len(material.sets.order),
            "settings": asdict(best.settings),
            "rounds": best.rounds,
            "slope": slope,
            "slope_se": slope_error,
            "age_range": [int(np.min(material.age)), int(np.max(material.age))],
            "out_of_fold": comparison,
            "provenance": dict(provenance or {}),
        },
    )


def _prepare(matrix: FeatureMatrix, cohort: Cohort, folds: int, seed: int) -> _Material:
    frame = cohort.frame
    if not cohort.is_matched:
        raise DataError("this cohort has no matched sets; draw one with draw_landmark_sets")
    same = len(matrix) == len(frame) and bool(
        (matrix.person_row == frame["person_row"].to_numpy()).all()
        and (matrix.index_date.astype("datetime64[s]") == frame["index_date"].to_numpy()).all()
    )
    if not same:
        raise DataError("the matrix was not built for this cohort's index dates, or not in their order")
    sets = MatchedSets.of(frame)
    if len(sets) < _FEWEST_SETS:
        raise NotEstimable(f"{len(sets)} matched sets are too few to train and check a model; it takes {_FEWEST_SETS}")
    ordered = frame.iloc[sets.order]
    X = matrix.values[sets.order]
    if not _varies(X, sets):
        raise NotEstimable("no feature differs between people of the same matched set")
    return _Material(
        X,
        sets,
        _folds(ordered["family"].to_numpy(), sets, folds, seed),
        np.asarray(~sets.is_case),
        ordered["age_years"].to_numpy(dtype=np.int64),
        (ordered["sex"] == "F").to_numpy().astype(np.int64),
    )


def _varies(X: npt.NDArray[np.float32], sets: MatchedSets) -> bool:
    filled = np.nan_to_num(X, nan=-1.0)
    return bool(
        (np.maximum.reduceat(filled, sets.start, axis=0) != np.minimum.reduceat(filled, sets.start, axis=0)).any()
    )


def _folds(family: npt.NDArray[Any], sets: MatchedSets, folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Fold of each set; sets that share a family, through any member, are in the same fold."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    families, code = np.unique(family, return_inverse=True)
    pairs = (sets.set_of_row, code + len(sets))
    size = len(sets) + len(families)
    graph = coo_array((np.ones(len(code), dtype=np.int8), pairs), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    clusters, cluster_of_set, members = np.unique(label[: len(sets)], return_inverse=True, return_counts=True)
    fold_of_cluster = np.empty(len(clusters), dtype=np.int64)
    filled = np.zeros(folds)
    shuffled = np.random.default_rng(seed).permutation(len(clusters))
    for cluster in shuffled[np.argsort(-members[shuffled], kind="stable")]:
        fold = int(np.argmin(filled))
        fold_of_cluster[cluster] = fold
        filled[fold] += members[cluster]
    if (filled == 0).any():
        raise NotEstimable(f"the matched sets fall into {len(clusters)} families, too few for {folds} folds")
    return fold_of_cluster[cluster_of_set]


def _search(
    material: _Material,
    space: SearchSpace,
    seed: int,
    threads: int,
    device: str,
    progress: Callable[[int, int], None] | None,
) -> OutOfFold:
    trials = space.draw(seed)
    work = Parallel(n_jobs=threads, require="sharedmem", return_as="generator")(
        delayed(out_of_fold)(
            material.X, material.sets, material.fold, settings, max_rounds=space.max_rounds, seed=seed, device=device
        )
        for settings in trials
    )
    tried = []
    for number, result in enumerate(work, start=1):
        tried.append(result)
        if progress:
            progress(number, len(trials))
    best: OutOfFold = max(tried, key=lambda result: result.log_likelihood)
    if best.rounds == 0:
        # Nothing beats equal scores: one tree, whose slope will be about 0.
        best = out_of_fold(
            material.X, material.sets, material.fold, best.settings, max_rounds=1, seed=seed, device=device
        )
        best = OutOfFold(best.settings, 1, best.log_likelihood, best.score)
    return best


def _slope(best: OutOfFold, sets: MatchedSets) -> tuple[float, float | None]:
    if not best.score.any():
        return 0.0, None
    fit = fit_conditional(best.score[:, None], sets)
    return float(np.clip(fit.coefficients[0], 0.0, _LARGEST_SLOPE)), float(fit.standard_errors[0])


def _compare(material: _Material, best: OutOfFold, matrix: FeatureMatrix) -> list[dict[str, Any]]:
    """Concordance and likelihood out of fold, of the model and of simpler ones."""
    scores = {
        "age + sex": np.zeros(len(best.score)),
        **out_of_fold_baselines(material.X, material.sets, material.fold, matrix.plan),
        "boosted trees": best.score,
    }
    return [
        {
            "model": name,
            "c_within_sets": None if isinstance(score, str) else material.sets.concordance(score),
            "log_likelihood_per_set": None
            if isinstance(score, str)
            else material.sets.log_likelihood(score) / len(material.sets),
            "note": score if isinstance(score, str) else "",
        }
        for name, score in scores.items()
    ]
