"""The published study, repeated on a simulated register: matched sets, exposures, conditional logistic and Cox regression.

Written apart from the product's own design and association rooms, so that it can judge the simulator without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

CLASSES = {"anxiolytics": "N05B", "hypnotics": "N05C", "antidepressants": "N06A"}
CONTROLS = 5


@dataclass(frozen=True)
class Register:
    person_id: np.ndarray
    sex: np.ndarray
    birth_year: np.ndarray
    birth: np.ndarray
    observed_from: np.ndarray
    observed_to: np.ndarray
    death: np.ndarray
    weight: np.ndarray
    diagnosis: np.ndarray
    ventilation: np.ndarray
    keys: dict[str, np.ndarray]
    folder: Path


def read_register(folder: Path, groups: dict[str, str] = CLASSES) -> Register:
    persons = pq.read_table(folder / "persons.parquet")
    person_id = persons["person_id"].to_numpy()
    rank = dict.fromkeys(groups)
    dispensings = ds.dataset(folder / "dispensings", format="parquet")
    parts: dict[str, list[np.ndarray]] = {name: [] for name in groups}
    for batch in dispensings.to_batches(columns=["person_id", "dispensed_on", "atc"]):
        codes = np.array(batch["atc"].dictionary.to_pylist())
        row_codes = batch["atc"].indices.to_numpy(zero_copy_only=False)
        person = np.searchsorted(person_id, batch["person_id"].to_numpy())
        key = person * 100_000 + batch["dispensed_on"].cast("int32").to_numpy(zero_copy_only=False)
        for name, prefix in groups.items():
            chosen = np.char.startswith(codes, prefix)[row_codes]
            parts[name].append(key[chosen])
    keys = {name: np.concatenate(found) for name, found in parts.items()}
    return Register(
        person_id,
        (persons["sex"].to_numpy() == "F").astype(int),
        pc.year(persons["birth_date"]).to_numpy(),
        _days(persons["birth_date"]),
        _days(persons["observed_from"]),
        _days(persons["observed_to"]),
        _days(persons["death_date"]),
        persons["sampling_weight"].to_numpy(),
        _event(folder / "outcomes.parquet", "diagnosed_on", person_id),
        _event(folder / "follow_up.parquet", "invasive_ventilation_on", person_id),
        keys,
        folder,
    )


FAR = 10**8


def _days(column):
    return pc.fill_null(column.cast("int32"), FAR).to_numpy().astype(np.int64)


def _event(path, column, person_id):
    table = pq.read_table(path, columns=["person_id", column])
    days = np.full(len(person_id), FAR)
    np.minimum.at(days, np.searchsorted(person_id, table["person_id"].to_numpy()), _days(table[column]))
    return days


def matched_sets(register: Register, first: int, last: int, seed: int, cases: int | None = None) -> np.ndarray:
    """Rows of case and controls, shape (n_sets, 6): same sex and birth year, observed and undiagnosed on the case's day."""
    rng = np.random.default_rng(seed)
    chosen = np.flatnonzero((register.diagnosis >= first) & (register.diagnosis <= last) & (register.weight > 0))
    if cases is not None:
        chosen = rng.choice(chosen, min(cases, len(chosen)), replace=False)
    group = register.sex * 10_000 + register.birth_year
    order = np.argsort(group, kind="stable")
    pool = order[register.weight[order] > 0]
    low, high = np.searchsorted(group[pool], group[chosen]), np.searchsorted(group[pool], group[chosen], side="right")
    sets = []
    for case, a, b in zip(chosen, low, high, strict=True):
        day = register.diagnosis[case]
        members = pool[a:b]
        # cases have weight 1, others 1 / fraction: a case is as likely a control as anybody, so it is thinned alike
        fit = (
            (register.observed_from[members] < day)
            & (register.observed_to[members] >= day)
            & (register.diagnosis[members] > day)
        )
        thin = register.weight[members] >= register.weight.max()
        members = members[fit & thin & (members != case)]
        if len(members) >= CONTROLS:
            sets.append(np.concatenate([[case], rng.choice(members, CONTROLS, replace=False)]))
    return np.array(sets)


def counts_before(keys: np.ndarray, rows: np.ndarray, day: np.ndarray) -> np.ndarray:
    return np.searchsorted(keys, rows * 100_000 + day) - np.searchsorted(keys, rows * 100_000)


def first_day(keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
    at = np.minimum(np.searchsorted(keys, rows * 100_000), len(keys) - 1)
    return np.where(keys[at] // 100_000 == rows, keys[at] % 100_000, FAR)


def exposures(register: Register, name: str, rows: np.ndarray, day: np.ndarray) -> dict[str, np.ndarray]:
    """Recurrent use (two dispensings or more): beyond one year, and by the window of the first dispensing."""
    keys = register.keys[name]
    ever = counts_before(keys, rows, day) >= 2
    since = day - first_day(keys, rows)
    return {
        ">1": counts_before(keys, rows, day - 365) >= 2,
        "0-1": ever & (since <= 365),
        "1-5": ever & (since > 365) & (since <= 1826),
        ">5": ever & (since > 1826),
    }


def conditional_logistic(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log odds ratios and standard errors; x has shape (sets, members, terms), the case first. Newton on the softmax."""
    beta = np.zeros(x.shape[2])
    for _ in range(30):
        eta = x @ beta
        p = np.exp(eta - eta.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        mean = np.einsum("sm,smk->sk", p, x)
        gradient = (x[:, 0] - mean).sum(axis=0)
        hessian = np.einsum("sm,smk,sml->kl", p, x, x) - mean.T @ mean
        step = np.linalg.solve(hessian, gradient)
        beta += step
        if np.abs(step).max() < 1e-10:
            break
    return beta, np.sqrt(np.diag(np.linalg.inv(hessian)))


def cox(time: np.ndarray, event: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log hazard ratios and standard errors (Breslow ties)."""
    order = np.argsort(-time, kind="stable")
    time, event, x = time[order], event[order], x[order]
    last = np.searchsorted(-time, -time, side="right") - 1
    beta = np.zeros(x.shape[1])
    for _ in range(30):
        weight = np.exp(x @ beta)
        s0 = np.cumsum(weight)[last]
        s1 = np.cumsum(weight[:, None] * x, axis=0)[last]
        s2 = np.cumsum(weight[:, None, None] * x[:, :, None] * x[:, None, :], axis=0)[last]
        mean = s1 / s0[:, None]
        gradient = (event[:, None] * (x - mean)).sum(axis=0)
        hessian = (event[:, None, None] * (s2 / s0[:, None, None] - mean[:, :, None] * mean[:, None, :])).sum(axis=0)
        step = np.linalg.solve(hessian, gradient)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    return beta, np.sqrt(np.diag(np.linalg.inv(hessian)))


def odds_ratios(register: Register, sets: np.ndarray) -> dict[str, dict[str, float]]:
    """Log odds ratios, standard errors and control exposure by class and window."""
    day = np.repeat(register.diagnosis[sets[:, :1]], sets.shape[1], axis=1)
    result = {}
    for name in register.keys:
        x = {window: values.astype(float) for window, values in exposures(register, name, sets, day).items()}
        beta, se = conditional_logistic(x[">1"][:, :, None])
        windows, window_se = conditional_logistic(np.stack([x["0-1"], x["1-5"], x[">5"]], axis=2))
        result[name] = {
            ">1": beta[0],
            ">1 se": se[0],
            "0-1": windows[0],
            "0-1 se": window_se[0],
            "1-5": windows[1],
            ">5": windows[2],
        }
        result[name] |= {f"{w} controls": float(v[:, 1:].mean()) for w, v in x.items()}
    return result


def hazard_ratios(register: Register, cases: np.ndarray) -> dict[str, tuple[float, float]]:
    """Log hazard ratio of death or invasive ventilation of recurrent users, one class at a time, adjusted for age and sex."""
    start = register.diagnosis[cases]
    event_day = np.minimum(register.death[cases], register.ventilation[cases])
    stop = np.minimum(event_day, register.observed_to[cases])
    age = (start - register.birth[cases]) / 365.25
    result = {}
    for name, keys in register.keys.items():
        used = counts_before(keys, cases, start) >= 2
        x = np.stack([used, register.sex[cases], (age - 67) / 10], axis=1).astype(float)
        beta, se = cox((stop - start).astype(float), (event_day <= stop).astype(float), x)
        result[name] = (beta[0], se[0])
    return result
