"""The best score that a model of psychiatric medication can have: the likelihood ratio of the true law."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prodromal.errors import DataError, DefinitionError
from prodromal.simulate.config import PSYCHIATRIC, SimulationConfig
from prodromal.simulate.rates import DAYS_PER_YEAR, SEXES

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from prodromal.simulate.law import Law
    from prodromal.simulate.likelihood import Questions, SignalLaw, Starts

__all__ = ["oracle"]

_STEP_DAYS = 7
_NEVER = 10**8
_ROWS_AT_A_TIME = 20_000


def oracle(folder: Path, index_dates: pd.DataFrame, *, horizon_days: int, lag_days: int) -> pd.DataFrame:
    """Return the log likelihood ratio of each history for "diagnosed in (lag, horizon]" against "not diagnosed".

    Parameters
    ----------
    folder
        A register written by `simulate`, with its truth.
    index_dates
        Columns ``person_id`` and ``index_date``; other columns are ignored, rows may repeat.
    horizon_days, lag_days
        Days after the index date within which the diagnosis falls, and within which it does not.

    Returns
    -------
    pandas.DataFrame
        ``person_id``, ``index_date``, ``log_likelihood_ratio`` in the order of the input. NaN where there is no
        question: the index date is not within observation, or comes after the diagnosis.

    Raises
    ------
    DataError
        If the folder holds no simulated register, a column is missing, or a person is unknown.
    DefinitionError
        If not ``0 <= lag_days < horizon_days``.

    Notes
    -----
    A history is the visible initiations before the index date t: those from ``observed_from`` on, and those of
    episodes begun earlier that still run on that day (their days are known from the truth). Thinned in this way they
    are a Poisson process with mean ``u A``, ``A = sum_c A_c``, whatever the disease does. With n initiations on days
    ``s_i``, frailty ``u ~ Gamma(k, k)``, for people diagnosed on day T ``Gamma(k + g, k)``, prodrome length L and
    ``m_c = 1 + rho_c 1[s >= T - L] + sigma_c 1[s >= T - 365]``,

        LR(T, L) = G(k) G(k+g+n) / (G(k+g) G(k+n)) (k + A)^(k+n) / (k + A')^(k+g+n) prod_i m(s_i)

    where ``A'`` is the integral of the visible rate times m and G the gamma function. The mean over L is the sum over
    its law; over T it is the midpoint rule, in steps of seven days, with the density of the diagnosis given life and
    residence until then. Where effects end at an age, diagnoses beyond it have LR = 1. Two things are left out. The
    first is the depletion of frail people by ALS itself (relative error below the cumulative risk, 0.5 % at most).
    The second is the family: relatives' histories say something about u, a person's own history is all that is used.
    Initiations that overlap are told apart here; dispensings show less.
    """
    if not 0 <= lag_days < horizon_days:
        raise DefinitionError("lag_days must not be negative and must be less than horizon_days")
    from prodromal.simulate.law import resolve
    from prodromal.simulate.likelihood import log_likelihood_ratios

    law = resolve(_config_of(folder))
    people, starts = _people(folder), _starts(folder)
    row, index = _located(people["person_id"], index_dates)
    result = np.full(len(row), np.nan)
    asked = np.flatnonzero(
        (index > people["observed_from"][row])
        & (index <= people["observed_to"][row] + 1)
        & (index <= people["diagnosed_on"][row])
    )
    for begin in range(0, len(asked), _ROWS_AT_A_TIME):
        part = asked[begin : begin + _ROWS_AT_A_TIME]
        questions = _questions(
            law, {name: values[row[part]] for name, values in people.items()}, index[part], lag_days, horizon_days
        )
        result[part] = log_likelihood_ratios(law.use, _signal_law(law), questions, starts)
    answer = index_dates.loc[:, ["person_id", "index_date"]].copy()
    answer["log_likelihood_ratio"] = result
    return answer


def _config_of(folder: Path) -> SimulationConfig:
    try:
        account = json.loads((Path(folder) / "simulation.json").read_text(encoding="utf-8"))
        return SimulationConfig.model_validate(account["config"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"the folder {Path(folder).name} holds no simulated register: simulation.json is missing or damaged"
        ) from error


def _read(folder: Path, name: str) -> pa.Table:
    try:
        return pq.read_table(Path(folder) / "truth" / f"{name}.parquet")
    except (OSError, UnicodeDecodeError, pa.ArrowInvalid) as error:
        raise DataError(f"the truth of the simulated register, truth/{name}.parquet, is missing or damaged") from error


def _days(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    days: npt.NDArray[np.int64] = column.cast(pa.int32()).fill_null(_NEVER).to_numpy().astype(np.int64)
    return days


def _people(folder: Path) -> dict[str, npt.NDArray[np.int64]]:
    """Return the columns of the truth, with the place of each person's initiations."""
    table = _read(folder, "persons")
    dates = ("birth_date", "observed_from", "observed_to", "diagnosed_on")
    person = table["person_id"].to_numpy()
    started = _read(folder, "initiations")["person_id"].to_numpy()
    return {
        "person_id": person,
        "sex": (table["sex"].to_numpy() == SEXES[1]).astype(np.int64),
        "first_start": np.searchsorted(started, person),
        "end_start": np.searchsorted(started, person, side="right"),
        **{name: _days(table[name]) for name in dates},
    }


def _starts(folder: Path) -> Starts:
    from prodromal.simulate.likelihood import Starts

    table = _read(folder, "initiations")
    names = table["class"].to_numpy()
    of_class = np.select([names == name for name in PSYCHIATRIC], range(len(PSYCHIATRIC)))
    return Starts(_days(table["initiated_on"]), of_class.astype(np.int64))


def _located(
    person_id: npt.NDArray[np.int64], index_dates: pd.DataFrame
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    missing = {"person_id", "index_date"} - set(index_dates.columns)
    if missing:
        raise DataError(
            f"index_dates: column {', '.join(sorted(missing))} is missing; it needs person_id and index_date"
        )
    asked = index_dates["person_id"].to_numpy()
    row = np.minimum(np.searchsorted(person_id, asked), len(person_id) - 1)
    unknown = int((person_id[row] != asked).sum())
    if unknown:
        raise DataError(
            f"index_dates: {unknown} of {len(asked)} rows name a person_id that the simulated register does not hold"
        )
    return row, index_dates["index_date"].to_numpy().astype("datetime64[D]").astype(np.int64)


def _signal_law(law: Law) -> SignalLaw:
    from prodromal.simulate.likelihood import SignalLaw

    frailty, below = law.config.frailty, law.config.prodrome.below_age
    age = np.inf if below is None else float(below)
    return SignalLaw(
        frailty.shape, frailty.hazard_exponent, law.rho, law.sigma, law.prodrome_days, law.prodrome_share, age
    )


def _questions(
    law: Law, people: dict[str, npt.NDArray[np.int64]], index: npt.NDArray[np.int64], lag_days: int, horizon_days: int
) -> Questions:
    from prodromal.simulate.likelihood import Questions

    edges = np.append(np.arange(lag_days + 1, horizon_days + 1, _STEP_DAYS), horizon_days + 1)
    middles = (edges[:-1] + edges[1:]) // 2
    weight = _density(law, people, index, edges, middles)
    return Questions(
        people["sex"],
        people["birth_date"],
        people["birth_date"].astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970,
        people["observed_from"],
        index,
        people["first_start"],
        people["end_start"],
        index[:, None] + middles[None, :],
        weight,
    )


def _density(
    law: Law,
    people: dict[str, npt.NDArray[np.int64]],
    index: npt.NDArray[np.int64],
    edges: npt.NDArray[np.int64],
    middles: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Return the probability of each span of days given a diagnosis within the horizon."""
    age = (index - people["birth_date"])[:, None]
    sex = np.broadcast_to(people["sex"][:, None], (len(index), len(edges))).ravel()
    at_edges = law.incidence.at(sex, ((age + edges) / DAYS_PER_YEAR).ravel()).reshape(len(index), -1)
    sex = np.broadcast_to(people["sex"][:, None], (len(index), len(middles))).ravel()
    dead = law.mortality.at(sex, ((age + middles) / DAYS_PER_YEAR).ravel()).reshape(len(index), -1)
    gone = law.config.emigration_per_year * middles / DAYS_PER_YEAR
    density = np.diff(at_edges, axis=1) * np.exp(dead[:, :1] - dead - gone)
    total = density.sum(axis=1, keepdims=True)
    return np.where(total > 0, density / np.where(total > 0, total, 1.0), 1.0 / len(middles))
