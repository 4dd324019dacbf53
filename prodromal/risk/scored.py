"""What a model says of some people, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["FLAGS", "FLAG_TEXTS", "Scored"]

FLAGS = ("age_outside_training", "sex_unknown", "short_history", "not_observed_at_index")
FLAG_TEXTS = tuple(
    ";".join(flag for bit, flag in enumerate(FLAGS) if marks >> bit & 1) for marks in range(1 << len(FLAGS))
)


@dataclass(frozen=True)
class Scored:
    """Scores and risks.

    Parameters
    ----------
    score : ndarray of float64, shape (n_rows,)
        Log rate ratio against people of the same age and sex.
    risk, expected : ndarray of float64, shape (n_rows,)
        Probability of a diagnosis within the horizon, of the person and of the average person of this age and sex.
    percentile : ndarray of float64, shape (n_rows,)
        0 to 100, of the score among those at risk in training.
    marks : ndarray of uint8, shape (n_rows,)
        Flags, as places in ``FLAG_TEXTS``.
    """

    score: npt.NDArray[np.float64]
    risk: npt.NDArray[np.float64]
    expected: npt.NDArray[np.float64]
    percentile: npt.NDArray[np.float64]
    marks: npt.NDArray[np.uint8]

    @property
    def numbers(self) -> dict[str, npt.NDArray[np.float64]]:
        """The numbers of an output, by name and in order."""
        return {
            "score": self.score,
            "relative_risk": np.exp(self.score),
            "risk": self.risk,
            "risk_per_100k": self.risk * 1e5,
            "expected_per_100k": self.expected * 1e5,
            "percentile": self.percentile,
        }
