"""What a fitted regression of ratios is: coefficients, their covariance, the three tests, and one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from prodromal.association.newton import Floats

__all__ = ["ChiSquared", "RatioFit"]

_NORMAL_975 = 1.959963984540054


@dataclass(frozen=True)
class ChiSquared:
    """A test statistic, its degrees of freedom and its p value."""

    statistic: float
    df: int

    @property
    def p(self) -> float:
        """Probability of a larger statistic if there is nothing; NaN without degrees of freedom."""
        from scipy.stats import chi2

        return float(chi2.sf(self.statistic, self.df)) if self.df else float("nan")


@dataclass(frozen=True, eq=False)
class RatioFit:
    """Coefficients on the log scale; exponentials are odds ratios or hazard ratios.

    Parameters
    ----------
    terms : tuple of str
    coefficients : ndarray of float64, shape (n_terms,)
        NaN where not estimable, infinite where the term separates.
    covariance : ndarray of float64, shape (n_terms, n_terms)
        Robust if asked for.
    naive_covariance : ndarray of float64, shape (n_terms, n_terms)
        Inverse of the information.
    log_likelihood, log_likelihood_null : float
        At the maximum and at zero.
    score_statistic : float
        Of the score test of all terms.
    notes : tuple of str
        One a term: empty, or why it has no estimate.
    rows, events : int
        Rows that the likelihood looked at, and cases or events among them.
    profile : ndarray of float64, shape (3, n_terms), optional
        Limits and p values of the profile likelihood, shown in place of Wald's.
    """

    terms: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    naive_covariance: Floats
    log_likelihood: float
    log_likelihood_null: float
    score_statistic: float
    notes: tuple[str, ...]
    rows: int
    events: int
    profile: Floats | None = None

    @property
    def standard_errors(self) -> Floats:
        """Square roots of the diagonal of the covariance."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def likelihood_ratio(self) -> ChiSquared:
        """Twice the gain over no effect; NaN under a penalty, where the two likelihoods do not compare."""
        return ChiSquared(2 * (self.log_likelihood - self.log_likelihood_null), self._df)

    @property
    def score(self) -> ChiSquared:
        """Score test of all terms."""
        return ChiSquared(self.score_statistic, self._df)

    @property
    def wald(self) -> ChiSquared:
        """Wald test of all terms that have an estimate."""
        return self.test([t for t, b in zip(self.terms, self.coefficients, strict=True) if np.isfinite(b)])

    @property
    def _df(self) -> int:
        return int((~np.isnan(self.coefficients)).sum())

    def test(self, terms: Sequence[str]) -> ChiSquared:
        """Wald test that some terms are all zero.

        Raises
        ------
        DefinitionError
            If a term is not in the model.
        """
        if unknown := [t for t in terms if t not in self.terms]:
            raise DefinitionError(f"the model has no term {', '.join(unknown)}")
        at = [self.terms.index(t) for t in terms]
        b = self.coefficients[at]
        return ChiSquared(float(b @ np.linalg.solve(self.covariance[np.ix_(at, at)], b)) if at else 0.0, len(at))

    def table(self) -> pd.DataFrame:
        """One row a term: ``term, coefficient, se, estimate, ci_low, ci_high, p, note``; the estimate is the ratio."""
        import pandas as pd
        from scipy.special import ndtr

        se = self.standard_errors
        b = np.where(np.isfinite(self.coefficients), self.coefficients, np.nan)
        wald = np.array([b - _NORMAL_975 * se, b + _NORMAL_975 * se, 2 * ndtr(-np.abs(b / se))])
        low, high, p = wald if self.profile is None else self.profile
        return pd.DataFrame(
            {
                "term": list(self.terms),
                "coefficient": self.coefficients,
                "se": se,
                "estimate": np.exp(b),
                "ci_low": np.exp(low),
                "ci_high": np.exp(high),
                "p": p,
                "note": list(self.notes),
            }
        )
