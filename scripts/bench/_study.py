"""The published study, repeated on a simulated register: matched sets, conditional logistic and Cox regression.

Written apart from the product's own design and association rooms, so that it can judge the simulator without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from prodromal.simulate.rates import CumulativeHazard, read_rates, read_shipped

if TYPE_CHECKING:
    from pathlib import Path

    from prodromal.simulate import SimulationConfig

CLASSES = {"anxiolytics": "N05B", "hypnotics": "N05C", "antidepressants": "N06A"}
ALL_CLASSES = CLASSES | {
    "statins": "C10AA",
    "proton_pump_inhibitors": "A02BC",
    "antibiotics": "J01",
    "antidiabetics": "A10",
    "analgesics": ("N02B", "M01A"),
    "muscle_relaxants": "M03B",
    "antipsychotics": "N05A",
    "antithrombotics": "B01A",
    "beta_blockers": "C07",
    "calcium_blockers": "C08",
    "ace_inhibitors": "C09",
}
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


def read_register(folder: Path, groups: dict = CLASSES) -> Register:
    persons = pq.read_table(folder / "persons.parquet")
    person_id = persons["person_id"].to_numpy()
    dispensings = ds.dataset(folder / "dispensings", format="parquet")
    parts: dict[str, list[np.ndarray]] = {name: [] for name in groups}
    for batch in dispensings.to_batches(columns=["person_id", "dispensed_on", "atc"]):
        codes = np.array(batch["atc"].dictionary.to_pylist())
        row_codes = batch["atc"].indices.to_numpy(zero_copy_only=False)
        person = np.searchsorted(person_id, batch["person_id"].to_numpy())
        key = person * 100_000 + batch["dispensed_on"].cast("int32").to_numpy(zero_copy_only=False)
        for name, prefix in groups.items():
            chosen = np.array([code.startswith(prefix) for code in codes])[row_codes]
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


def _days(column: pa.ChunkedArray) -> np.ndarray:
    return pc.fill_null(column.cast("int32"), FAR).to_numpy().astype(np.int64)


def _event(path: Path, column: str, person_id: np.ndarray) -> np.ndarray:
    table = pq.read_table(path, columns=["person_id", column])
    days = np.full(len(person_id), FAR)
    np.minimum.at(days, np.searchsorted(person_id, table["person_id"].to_numpy()), _days(table[column]))
    return days


def matched_sets(register: Register, first: int, last: int, seed: int, cases: int | None = None) -> np.ndarray:
    """Case and controls, shape (n_sets, 6): same sex and birth year, observed and undiagnosed on the case's day."""
    rng = np.random.default_rng(seed)
    chosen = np.flatnonzero((register.diagnosis >= first) & (register.diagnosis <= last) & (register.weight > 0))
    if cases is not None:
        chosen = rng.choice(chosen, min(cases, len(chosen)), replace=False)
    group = register.sex * 10_000 + register.birth_year
    order = np.argsort(group, kind="stable")
    pool = order[register.weight[order] > 0]
    low, high = np.searchsorted(group[pool], group[chosen]), np.searchsorted(group[pool], group[chosen], side="right")
    # a future case is as likely a control as anybody else: it is thinned by the same fraction
    thin = (register.weight >= register.weight.max()) | (rng.random(len(register.weight)) < 1 / register.weight.max())
    sets = []
    for case, a, b in zip(chosen, low, high, strict=True):
        day = register.diagnosis[case]
        members = pool[a:b]
        fit = (
            (register.observed_from[members] < day)
            & (register.observed_to[members] >= day)
            & (register.diagnosis[members] > day)
        )
        members = members[fit & thin[members] & (members != case)]
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
    """Log odds ratios and standard errors; x has shape (sets, members, terms), the case first (Newton)."""
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
    """Log hazard ratio of death or invasive ventilation of recurrent users by class, given age and sex."""
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


def kin_sets(register: Register, cases: np.ndarray, relation: str) -> np.ndarray:
    """Pairs of a case and one relative observed and undiagnosed on the case's day, shape (n_pairs, 2)."""
    table = pq.read_table(register.folder / "relatives.parquet")
    chosen = table["relation"].to_numpy() == relation
    person = np.searchsorted(register.person_id, table["person_id"].to_numpy()[chosen])
    relative = np.searchsorted(register.person_id, table["relative_id"].to_numpy()[chosen])
    day = register.diagnosis[person]
    fit = (
        (register.observed_from[relative] < day)
        & (register.observed_to[relative] >= day)
        & (register.diagnosis[relative] > day)
    )
    fit &= np.isin(person, cases)
    person, first = np.unique(person[fit], return_index=True)
    return np.stack([person, relative[fit][first]], axis=1)


def prevalence(register: Register, years: range = range(2008, 2023)) -> dict[str, list[tuple[str, int, float, float]]]:
    """Sex, first age of the band, share of whole-year residents who use a class in a year, and the table's share."""
    bands = read_shipped("prodromal.simulate", "prevalence.csv")
    result = {}
    chosen = np.flatnonzero(register.weight > 0)
    for name, keys in register.keys.items():
        users, people = {}, {}
        for year in years:
            first, end = (np.datetime64(f"{y}-01-01").astype(int) for y in (year, year + 1))
            whole = chosen[
                (register.observed_from[chosen] <= first)
                & (register.observed_to[chosen] >= end)
                & (register.diagnosis[chosen] > end)
            ]
            uses = np.searchsorted(keys, whole * 100_000 + end) > np.searchsorted(keys, whole * 100_000 + first)
            age, weight = year - register.birth_year[whole], register.weight[whole]
            for band in (row for row in bands if row["class"] == name):
                for code, sex in enumerate("MF"):
                    inside = (
                        (age >= int(band["age_from"])) & (age < int(band["age_to"])) & (register.sex[whole] == code)
                    )
                    key = (sex, int(band["age_from"]), float(band["women_percent" if code else "men_percent"]) / 100)
                    users[key] = users.get(key, 0.0) + weight[inside & uses].sum()
                    people[key] = people.get(key, 0.0) + weight[inside].sum()
        result[name] = [(sex, age, users[key] / people[key], target) for key in users for sex, age, target in [key]]
    return result


BANDS = ((20, 40), (40, 50), (50, 55), (55, 60), (60, 65), (65, 70), (70, 75), (75, 80), (80, 85), (85, 90), (90, 105))


def observed_expected(folder: Path, event: str, scale: float = 1.0) -> dict[str, list[tuple[int, int, int, float]]]:
    """Age band, events counted in the whole population, and events expected from the input table."""
    table = pq.read_table(folder / "truth" / "population.parquet")
    shipped = {"diagnoses": "als_incidence_sweden_like.csv", "deaths": "mortality_sweden_like.csv"}[event]
    rate = read_rates(None, shipped) * (scale if event == "diagnoses" else 1.0)
    seen = table[event].to_numpy().reshape(2, -1)
    expected = table["person_years"].to_numpy().reshape(2, -1) * rate
    return {
        sex: [(a, b, int(seen[i, a:b].sum()), float(expected[i, a:b].sum())) for a, b in BANDS]
        for i, sex in enumerate("MF")
    }


def sibling_ratio(folder: Path, config: SimulationConfig, relation: str) -> tuple[int, float]:
    """Diagnosed relatives of cases, and how many the incidence table would give in the time they were observed."""
    register = read_register(folder, {})
    incidence = CumulativeHazard(config.incidence_scale * read_rates(None, "als_incidence_sweden_like.csv"))
    table = pq.read_table(folder / "relatives.parquet")
    chosen = table["relation"].to_numpy() == relation
    person = np.searchsorted(register.person_id, table["person_id"].to_numpy()[chosen])
    relative = np.searchsorted(register.person_id, table["relative_id"].to_numpy()[chosen])
    relative = relative[register.diagnosis[person] < FAR]
    stop = np.minimum(register.observed_to, register.diagnosis)[relative]
    ages = ((day - register.birth[relative]) / 365.25 for day in (register.observed_from[relative], stop))
    start, end = (incidence.at(register.sex[relative], age) for age in ages)
    return int((register.diagnosis[relative] < FAR).sum()), float((end - start).sum())
