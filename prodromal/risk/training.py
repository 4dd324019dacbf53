"""Training: search, shrink, normalise; baselines beside the model in the same table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prodromal.risk.baselines import out_of_fold_baselines
from prodromal.risk.boosting import OutOfFold, Settings, boost, out_of_fold, require_device
from prodromal.risk.material import prepare
from prodromal.risk.model import RiskModel
from prodromal.risk.normaliser import Normaliser, estimate_normaliser
from prodromal.risk.use import SMALLEST, count_use, use_columns
from prodromal.trees import StoredTrees

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prodromal.design import Cohort
    from prodromal.features import FeatureMatrix, FeaturePlan
    from prodromal.risk.boosting import Likelihood
    from prodromal.risk.material import Material
    from prodromal.risk.population import Population

__all__ = ["SearchSpace", "train"]

WARNING = "Trained on simulated people. Not for use on real ones."
_LARGEST_SLOPE = 2.0


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
    learning_rate : float
        Shrinkage of each tree; 0.1 halves the time where there are tens of thousands of cases.
    """

    max_depth: tuple[int, ...] = (1, 2, 3)
    min_cases_per_leaf: tuple[float, ...] = (10.0, 30.0)
    features_per_tree: tuple[float, ...] = (0.2, 0.5)
    trials: int = 6
    folds: int = 5
    max_rounds: int = 400
    learning_rate: float = 0.05

    def draw(self, seed: int) -> list[Settings]:
        """The combinations to try, in a seeded order."""
        every = [
            Settings(d, c, features_per_tree=f, learning_rate=self.learning_rate)
            for d, c, f in product(self.max_depth, self.min_cases_per_leaf, self.features_per_tree)
        ]
        order = np.random.default_rng(seed).permutation(len(every))
        return [every[i] for i in order[: self.trials]]


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
    simulated: bool = False,
    codes: Mapping[str, int] | None = None,
) -> RiskModel:
    """Train a model on matched sets, or on a landmark cohort.

    Parameters
    ----------
    matrix : FeatureMatrix
        Features of the cohort's index dates, in the cohort's order.
    cohort : Cohort
        Matched sets, whose likelihood is conditional; or a landmark cohort, whose likelihood is logistic with sampling
        weights and the table's hazard of each age and sex as offset.
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
    simulated : bool
        Whether the people are simulated, as ``Register.simulated`` tells; every output of the model says so.
    codes : mapping of str to int, optional
        Dispensings by ATC code, as ``Register.codes`` has them; scoring tells which codes were not among those with
        10 or more, which alone go into the model.

    Returns
    -------
    RiskModel

    Raises
    ------
    NotEstimable
        If there are fewer than 20 cases, no feature varies, or families are too few for the folds.
    DataError
        If matrix and cohort do not belong together, or a matched set does not have exactly one case.

    Notes
    -----
    The best combination is chosen by the likelihood of folds that its model did not see. The final trees are grown on
    all rows; their score is multiplied by the slope b of a regression on the out-of-fold score, shrunk by its own
    uncertainty to b^3 / (b^2 + SE^2), the posterior mean under a prior of variance b^2, and to 0 where b is not
    positive: a weak slope gives weak risks, and still ranks. The mean rate ratio by age and sex comes from the
    out-of-fold scores of those who represent the person-time at risk: controls, or the whole cohort.
    """
    require_device(device)
    space = search or SearchSpace()
    material = prepare(matrix, cohort, population, folds=space.folds, seed=seed)
    best = _search(material, space, seed, threads, device, progress)
    from threadpoolctl import threadpool_limits

    # One thread in linear algebra too: the same digits on any machine, and no contest with the folds' threads.
    with threadpool_limits(limits=1):
        slope, slope_error = _slope(best, material.likelihood)
        comparison = _compare(material, best, matrix)
    booster = boost(
        material.X,
        material.likelihood,
        best.settings,
        best.rounds,
        seed=seed,
        exposures=material.exposures,
        device=device,
    )
    normaliser, reference = _normalise(slope * best.score, material)
    # Out-of-fold scores count from the mean over the rows trained on, the trees from their own zero.
    zero = float(np.mean(booster.inplace_predict(material.X, predict_type="margin"), dtype=np.float64))
    normaliser = Normaliser(normaliser.log_mean + slope * zero)
    return RiskModel(
        plan=matrix.plan,
        trees=StoredTrees.of(booster),
        slope=slope,
        normaliser=normaliser,
        population=population,
        outcome=cohort.outcome,
        reference=reference,
        training={
            "seed": seed,
            "objective": "matched" if cohort.is_matched else "cohort",
            "sets" if cohort.is_matched else "cases": material.likelihood.cases,
            "rows": len(material.X),
            "settings": asdict(best.settings),
            "rounds": best.rounds,
            "slope": slope,
            "slope_se": slope_error,
            "age_range": [int(np.min(material.age)), int(np.max(material.age))],
            "out_of_fold": comparison,
            **_noted_for_drift(material, matrix.plan, codes),
            "provenance": dict(provenance or {}),
            **({"population_of_training": "simulated people", "warning": WARNING} if simulated else {}),
        },
    )


def _noted_for_drift(material: Material, plan: FeaturePlan, codes: Mapping[str, int] | None) -> dict[str, Any]:
    """Use of each group among people at risk, and the codes of the plan's groups: what scoring is compared with."""
    names, columns = use_columns(plan)
    chosen = material.at_risk
    use = count_use(material.X[chosen], columns, material.age[chosen], material.sex[chosen], material.weight[chosen])
    noted: dict[str, Any] = {"use": use.to_dict(names)} if names else {}
    if codes:
        common = (code for code, rows in codes.items() if rows >= SMALLEST)
        noted["codes"] = sorted(code for code in common if any(group.matches(code) for group in plan.groups))
    return noted


def _normalise(raw: npt.NDArray[np.float64], material: Material) -> tuple[Normaliser, npt.NDArray[np.float64]]:
    """c(a, s), and the quantiles of the normalised score, among people at risk."""
    chosen = material.at_risk
    age, sex, weight = material.age[chosen], material.sex[chosen], material.weight[chosen]
    normaliser = estimate_normaliser(raw[chosen], age_years=age, sex=sex, weight=weight)
    score, grid = raw[chosen] - normaliser.at(age, sex), np.linspace(0, 1, 1001)
    if (weight == weight[0]).all():
        return normaliser, np.quantile(score, grid)
    return normaliser, np.quantile(score, grid, weights=weight, method="inverted_cdf")


def _search(
    material: Material,
    space: SearchSpace,
    seed: int,
    threads: int,
    device: str,
    progress: Callable[[int, int], None] | None,
) -> OutOfFold:
    from joblib import Parallel, delayed

    trials = space.draw(seed)
    work = Parallel(n_jobs=threads, require="sharedmem", return_as="generator")(
        delayed(out_of_fold)(
            material.X,
            material.likelihood,
            material.fold,
            settings,
            max_rounds=space.max_rounds,
            seed=seed,
            exposures=material.exposures,
            device=device,
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
            material.X, material.likelihood, material.fold, best.settings, max_rounds=1, seed=seed, device=device
        )
        best = OutOfFold(best.settings, 1, best.log_likelihood, best.score)
    return best


def _slope(best: OutOfFold, likelihood: Likelihood) -> tuple[float, float | None]:
    """Slope of the out-of-fold score times slope^2 / (slope^2 + error^2): nothing learned is a slope of about 0."""
    if (best.score == best.score[0]).all():
        return 0.0, None
    fit = likelihood.linear(best.score[:, None])
    slope, error = float(fit.coefficients[0]), float(fit.standard_errors[0])
    if slope <= 0:
        return 0.0, error
    return min(slope**3 / (slope**2 + error**2), _LARGEST_SLOPE), error


def _compare(material: Material, best: OutOfFold, matrix: FeatureMatrix) -> list[dict[str, Any]]:
    """Concordance and likelihood out of fold, of the model and of simpler ones."""
    scores = {
        "age + sex": np.zeros(len(best.score)),
        **out_of_fold_baselines(material.X, material.likelihood, material.fold, matrix.plan),
        "boosted trees": best.score,
    }
    return [
        {
            "model": name,
            "c_within_sets": None if isinstance(score, str) else material.likelihood.concordance(score),
            "log_likelihood_per_set": None
            if isinstance(score, str)
            else material.likelihood.log_likelihood(score) / material.likelihood.cases,
            "note": score if isinstance(score, str) else "",
        }
        for name, score in scores.items()
    ]
