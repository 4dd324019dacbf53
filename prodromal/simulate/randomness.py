"""Random numbers for kernels: one counter-based stream per person, so that neither threads nor parts can matter.

The generator is SplitMix64; ``state`` is an array of one uint64.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["exponential", "gamma", "normal", "restart", "uniform"]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@njit(inline="always")
def _mixed(z: np.uint64) -> np.uint64:
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@njit(cache=True, nogil=True)
def restart(state: npt.NDArray[np.uint64], seed: int, person: int, stream: int) -> None:
    """Set the state to the beginning of a person's stream."""
    z = _mixed(np.uint64(seed) + _STEP)
    z = _mixed(z ^ (np.uint64(person) * _MIX_1 + _STEP))
    state[0] = _mixed(z ^ (np.uint64(stream) * _MIX_2 + _STEP))


@njit(cache=True, nogil=True)
def uniform(state: npt.NDArray[np.uint64]) -> float:
    """Draw from the open interval (0, 1)."""
    state[0] += _STEP
    return (np.float64(_mixed(state[0]) >> _S11) + 0.5) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def exponential(state: npt.NDArray[np.uint64]) -> float:
    """Draw from the exponential law with mean 1."""
    return -math.log(uniform(state))


@njit(cache=True, nogil=True)
def normal(state: npt.NDArray[np.uint64]) -> float:
    """Draw from the standard normal law (Box and Muller)."""
    return math.sqrt(2.0 * exponential(state)) * math.cos(2.0 * math.pi * uniform(state))


@njit(cache=True, nogil=True)
def gamma(state: npt.NDArray[np.uint64], shape: float) -> float:
    """Draw from the gamma law with scale 1 (Marsaglia and Tsang; shapes below 1 by the power of a uniform)."""
    boost = 1.0
    if shape < 1.0:
        boost = uniform(state) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(state)
        v = (1.0 + c * x) ** 3
        if v > 0.0 and math.log(uniform(state)) < 0.5 * x * x + d - d * v + d * math.log(v):
            drawn: float = boost * d * v
            return drawn
