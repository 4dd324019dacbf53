"""Conditional logistic regression of matched sets, one or several cases each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.association.conditional_likelihood import OneCase, likelihood_of
from prodromal.association.newton import Floats, inverse, maximise
from prodromal.association.profile_limits import profile_limits
from prodromal.association.ratio_fit import RatioFit
from prodromal.association.separation import Separation, refuse_joint_separation
from prodromal.association.strata import Strata, columns_of
from prodromal.errors import DataError, DefinitionError, NotEstimable

if TYPE_CHECKING:
    from collections.abc import Callable

    from prodromal.association.conditional_likelihood import SeveralCases

__all__ = ["fit_conditional_logistic"]

_WHAT = "conditional logistic regression"
# A coefficient whose error is this many times what its spread can tell is looked at for separation.
_SUSPICIOUS = 30.0


def fit_conditional_logistic(case: Any, X: Any, sets: Any, *, firth: bool = False, cluster: Any = None) -> RatioFit:
    """Fit log odds ratios within matched sets.

    Parameters
    ----------
    case : array_like of 0 and 1, shape (n_rows,)
    X : DataFrame or array_like, shape (n_rows, n_terms)
        Covariates; the columns of a frame name the terms.
    sets : array_like, shape (n_rows,)
        Label of each row's matched set; rows in any order. Sets without a case or without anybody else tell nothing.
    firth : bool
        Maximise the likelihood penalised by half the log-determinant of the information (one case a set): finite under
        separation, less biased with few exposed. Limits and p values are then those of the profile of the penalised
        likelihood, which need not be symmetric; with `cluster` they are Wald's.
    cluster : array_like, shape (n_rows,), optional
        Robust variance over these groups, such as families (one case a set). Members of a set compete, so groups that
        share a set are merged: a set never counts as several.

    Returns
    -------
    RatioFit
        A term that does not vary within any set has coefficient NaN, one that separates cases from others an infinite
        one; both say so in ``notes``, and the other terms are estimated as if it were fixed there.

    Raises
    ------
    DataError
        If lengths differ, a covariate is missing, or a case is neither 0 nor 1.
    DefinitionError
        If a penalty or a robust variance is asked for with several cases in a set.
    NotEstimable
        If no set has a case and somebody else, no term can be estimated, or terms separate or repeat each other.

    Notes
    -----
    With one case a set the likelihood is ``prod_s exp(eta_case) / sum_i exp(eta_i)``; with several it is exact, over
    all choices of as many members. Under incidence-density sampling an odds ratio is a rate ratio.
    """
    strata = Strata.of(case, sets)
    names, values = columns_of(X, len(np.asarray(case)), _WHAT)
    values = values[strata.order]
    groups = _groups(cluster, len(np.asarray(case)), strata)
    if (firth or groups is not None) and (strata.cases > 1).any():
        raise DefinitionError(f"{_WHAT}: a penalty or a robust variance needs sets with one case each")
    found = Separation.of(strata, values, ignore_infinite=firth)
    rest, kept = found.strata, found.kept
    if rest is None or not found.estimable.any():
        return _nothing(names, found, strata, values)
    terms = [name for name, fine in zip(names, found.estimable, strict=True) if fine]
    likelihood = likelihood_of(rest, values[kept][:, found.estimable])
    value, derivatives = _penalised(likelihood, terms) if firth else (likelihood.value, likelihood.derivatives)
    b, covariance = maximise(value, derivatives, terms)
    if not firth and (np.sqrt(np.diag(covariance)) * likelihood.X.std(axis=0) > _SUSPICIOUS).any():
        refuse_joint_separation(rest, likelihood.X, terms)
    robust = covariance if groups is None else _sandwich(likelihood, b, covariance, groups[kept])
    fit = _result(names, found, (b, covariance, robust), likelihood, likelihood_of(strata, values), firth=firth)
    if not firth or groups is not None:
        return fit
    limits = np.full((3, len(names)), np.nan)
    limits[:, found.estimable] = profile_limits(value, derivatives, b, terms)
    return replace(fit, profile=limits)


def _penalised(
    likelihood: OneCase | SeveralCases, terms: list[str]
) -> tuple[Callable[[Floats], float], Callable[[Floats], tuple[Floats, Floats]]]:
    assert isinstance(likelihood, OneCase)

    def value(b: Floats) -> float:
        return likelihood.value(b) + 0.5 * float(np.linalg.slogdet(likelihood.derivatives(b)[1])[1])

    def derivatives(b: Floats) -> tuple[Floats, Floats]:
        gradient, information = likelihood.derivatives(b)
        return gradient + likelihood.third(b, inverse(information, terms)), information

    return value, derivatives


def _groups(cluster: Any, rows: int, strata: Strata) -> Any:
    if cluster is None:
        return None
    label = np.asarray(cluster)
    if label.shape != (rows,):
        raise DataError(f"{_WHAT}: {label.shape} clusters for {rows} rows; give one a row")
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    group: Any = np.unique(label[strata.order], return_inverse=True)[1]
    sets = strata.spread(np.arange(len(strata.sizes)))
    size = int(group.max()) + 1 + len(strata.sizes)
    linked = coo_array((np.ones(len(group)), (group, int(group.max()) + 1 + sets)), shape=(size, size))
    return connected_components(linked, directed=False)[1][group]


def _sandwich(likelihood: OneCase | SeveralCases, b: Floats, covariance: Floats, groups: Any) -> Floats:
    assert isinstance(likelihood, OneCase)
    sums = np.zeros((int(groups.max()) + 1, len(b)))
    np.add.at(sums, groups, likelihood.residuals(b))
    return np.asarray(covariance @ (sums.T @ sums) @ covariance)


def _score(likelihood: OneCase | SeveralCases, terms: tuple[str, ...]) -> float:
    gradient, information = likelihood.derivatives(np.zeros(len(terms)))
    return float(gradient @ inverse(information, terms) @ gradient)


def _nothing(names: tuple[str, ...], found: Separation, strata: Strata, values: Floats) -> RatioFit:
    if np.isnan(found.coefficients).all():
        raise NotEstimable(f"{', '.join(names)}: no matched set is discordant, so nothing can be compared")
    empty = np.full((len(names), len(names)), np.nan)
    null = likelihood_of(strata, values).value(np.zeros(len(names)))
    rest = found.strata
    limit = 0.0 if rest is None else likelihood_of(rest, np.zeros((len(rest.order), 1))).value(np.zeros(1))
    events = int(strata.cases.sum())
    return RatioFit(
        names, found.coefficients, empty, empty, limit, null, np.nan, found.notes, len(strata.order), events
    )


def _result(
    names: tuple[str, ...],
    found: Separation,
    fitted: tuple[Floats, Floats, Floats],
    likelihood: OneCase | SeveralCases,
    whole: OneCase | SeveralCases,
    *,
    firth: bool,
) -> RatioFit:
    b, covariance, robust = fitted
    coefficients = found.coefficients.copy()
    coefficients[found.estimable] = b
    filled = [np.full((len(names), len(names)), np.nan) for _ in range(2)]
    where = np.ix_(found.estimable, found.estimable)
    filled[0][where], filled[1][where] = robust, covariance
    varying = ~np.isnan(coefficients)
    at_zero = type(whole)(whole.strata, whole.X[:, varying])
    return RatioFit(
        terms=names,
        coefficients=coefficients,
        covariance=filled[0],
        naive_covariance=filled[1],
        log_likelihood=np.nan if firth else likelihood.value(b),
        log_likelihood_null=whole.value(np.zeros(len(names))),
        score_statistic=_score(at_zero, tuple(n for n, v in zip(names, varying, strict=True) if v)),
        notes=found.notes,
        rows=len(whole.strata.order),
        events=int(whole.strata.cases.sum()),
    )
