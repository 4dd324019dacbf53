"""The whole study on one register: drawn, estimated, and released under a rule on small counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from prodromal.association.decline import DAYS_PER_MONTH, SLOPES, combined, compute_decline, design_of, visits_of
from prodromal.association.exposure import ALL_CLASSES, STUDIED, YEAR, Definition, Histories, LookBack
from prodromal.association.odds import compute_lag_ladder, compute_modification, compute_mutual, compute_odds_ratios
from prodromal.association.people import Comparison
from prodromal.association.prognosis import Course, compute_causes, compute_hazard_ratios, compute_survival
from prodromal.association.shown_counts import FOLLOWED_STEP, GROUPS, WINDOWS_STEP_ENDS
from prodromal.design import Outcome, draw_anchored_sets
from prodromal.errors import DefinitionError, NotEstimable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prodromal.design import Cohort
    from prodromal.register import Register

__all__ = ["COMPARATORS", "Study", "StudyDesign", "run_study"]

COMPARATORS = ("population", "sibling", "spouse")


@dataclass(frozen=True)
class StudyDesign:
    """What is asked.

    Parameters
    ----------
    outcome : str
        In the register.
    seed : int
        Of the draw of population controls.
    controls_per_case : int
    first_day, last_day : int or None
        Days since 1970-01-01 between which a case was diagnosed, both included.
    look_back : LookBack
    firth : bool
        Penalised odds ratios by class and window.
    joint : bool
        Fit the joint model.
    """

    outcome: str = "ALS"
    seed: int = 1
    controls_per_case: int = 5
    first_day: int | None = None
    last_day: int | None = None
    look_back: LookBack = field(default_factory=LookBack)
    firth: bool = False
    joint: bool = True

    def __post_init__(self) -> None:
        if self.seed < 0 or self.controls_per_case < 1:
            raise DefinitionError("a seed is a whole number from 0, and a case needs at least one control")
        if self.first_day is not None and self.last_day is not None and self.first_day > self.last_day:
            raise DefinitionError("the first day of diagnosis lies after the last")


@dataclass(frozen=True, eq=False)
class Study:
    """Tables of a study, with exact counts: release them before they leave.

    Parameters
    ----------
    design : StudyDesign
    tables : mapping of str to DataFrame
        ``flow, table_one, odds_ratios, mutual, modification, lag_ladder, hazard_ratios, survival, causes, decline,
        trajectories, joint``; empty where the register has nothing to tell.
    simulated : bool
        Whether the register's people are.
    notes : tuple of str
        What could not be done, and why.
    """

    design: StudyDesign
    tables: Mapping[str, pd.DataFrame]
    simulated: bool
    notes: tuple[str, ...]


def run_study(register: Register, design: StudyDesign, *, progress: Callable[[int, int], None] | None = None) -> Study:
    """Run the whole study.

    Parameters
    ----------
    register : Register
    design : StudyDesign
    progress : function of steps done and in all, optional

    Returns
    -------
    Study

    Raises
    ------
    DataError
        If nobody has the outcome, or visits cannot be.
    NotEstimable
        If no case has a population control.
    """
    steps = _Steps(progress, 6)
    cohorts, notes = _draw(register, design)
    steps.done()
    everybody = np.unique(np.concatenate([c.frame["person_row"].to_numpy() for c in cohorts.values()]))
    histories = Histories.read(register, everybody, ALL_CLASSES)
    compared = {name: Comparison.of(name, cohort, register, histories) for name, cohort in cohorts.items()}
    steps.done()
    tables = _risk_part(compared, design)
    steps.done()
    course = Course.of(compared["population"], register, STUDIED)
    tables |= {
        "flow": _flow(cohorts, compared, design, course),
        "table_one": _table_one(compared),
        "hazard_ratios": compute_hazard_ratios(course, STUDIED),
        "survival": compute_survival(course, STUDIED),
        "causes": compute_causes(course),
    }
    steps.done()
    tables |= {"decline": pd.DataFrame(), "trajectories": pd.DataFrame(), "joint": pd.DataFrame()}
    try:
        visits = visits_of(course, register)
    except NotEstimable as reason:
        steps.finish()
        return Study(design, tables, register.simulated, (*notes, f"Functional decline was not estimated: {reason}."))
    decline = compute_decline(course, visits, STUDIED)
    tables |= {"decline": decline.slopes, "trajectories": decline.trajectories}
    steps.done()
    if design.joint:
        tables["joint"] = compute_joint(course, visits)
    steps.done()
    return Study(design, tables, register.simulated, tuple(notes))


class _Steps:
    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def done(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)

    def finish(self) -> None:
        """Skip what is left, since nothing more can be done."""
        while self._done < self._total:
            self.done()


def _draw(register: Register, design: StudyDesign) -> tuple[dict[str, Cohort], list[str]]:
    question = Outcome(design.outcome, min_history_days=design.look_back.headline_days)
    cohorts: dict[str, Cohort] = {}
    notes = []
    for name in COMPARATORS:
        if name != "population" and not register.has("relatives"):
            notes.append(f"No comparison with {name}s: the register has no table of relatives.")
            continue
        try:
            drawn = draw_anchored_sets(
                register, question, comparator=name, seed=design.seed, controls_per_case=design.controls_per_case
            )
            cohorts[name] = _in_period(drawn, design)
        except NotEstimable as reason:
            if name == "population":
                raise
            notes.append(f"No comparison with {name}s: {reason}.")
    return cohorts, notes


def _in_period(cohort: Cohort, design: StudyDesign) -> Cohort:
    if design.first_day is None and design.last_day is None:
        return cohort
    day = cohort.frame["index_date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    first = -(10**9) if design.first_day is None else design.first_day
    last = 10**9 if design.last_day is None else design.last_day
    kept = cohort.where((day >= first) & (day <= last))
    if not len(kept.frame):
        raise NotEstimable("no case was diagnosed in the period asked for")
    return kept


def _risk_part(compared: Mapping[str, Comparison], design: StudyDesign) -> dict[str, pd.DataFrame]:
    back = design.look_back
    return {
        "odds_ratios": pd.concat(
            [compute_odds_ratios(c, ALL_CLASSES, back, firth=design.firth) for c in compared.values()],
            ignore_index=True,
        ),
        "mutual": pd.concat([compute_mutual(c, STUDIED, back) for c in compared.values()], ignore_index=True),
        "modification": compute_modification(compared["population"], STUDIED, back),
        "lag_ladder": compute_lag_ladder(compared["population"], ALL_CLASSES),
    }


def _flow(
    cohorts: Mapping[str, Cohort], compared: Mapping[str, Comparison], design: StudyDesign, course: Course
) -> pd.DataFrame:
    """How many remain after each step, by comparator."""
    frames = []
    for name, cohort in cohorts.items():
        rows = cohort.attrition[~cohort.attrition["step"].str.startswith("of these")].copy()
        whole, windows = compared[name], compared[name].seen(design.look_back.windows_days)
        more = [("diagnosed in the period asked for", whole)] if design.first_day or design.last_day else []
        more.append((f"observed for {design.look_back.windows_days} {WINDOWS_STEP_ENDS}", windows))
        added = [(step, int(c.case.sum()), int((~c.case).sum())) for step, c in more]
        if name == "population":
            added.append((FOLLOWED_STEP, len(course.frame), 0))
        rows = pd.concat([rows, pd.DataFrame(added, columns=["step", "cases", "others"])], ignore_index=True)
        rows.insert(0, "comparator", name)
        frames.append(rows)
    return pd.concat(frames, ignore_index=True)


def _table_one(compared: Mapping[str, Comparison]) -> pd.DataFrame:
    """Age, sex, look-back and use beyond a year of cases and of each group they are compared with."""
    groups = {"cases": (compared["population"], True)} | {GROUPS[name]: (c, False) for name, c in compared.items()}
    rows = []
    for group, (comparison, of_cases) in groups.items():
        mask = comparison.case == of_cases
        frame, n = comparison.frame[mask], int(mask.sum())
        age, years = frame["age_years"], frame["observed_days"] / 365.25
        women = int((frame["sex"] == "F").sum())
        rows += [
            (group, "people", n, n, np.nan, np.nan),
            (group, "age, years: mean (SD)", n, n, float(age.mean()), float(age.std())),
            (group, "women: n (%)", n, women, 100 * women / n, np.nan),
            (group, "years observed before: median", n, n, float(years.median()), np.nan),
        ]
        for drug in ALL_CLASSES:
            users = int(comparison.used(drug.name, Definition.RECURRENT, YEAR)[mask].sum())
            rows.append((group, f"{drug.name} beyond a year: n (%)", n, users, 100 * users / n, np.nan))
    return pd.DataFrame(rows, columns=["group", "characteristic", "people", "n", "value", "spread"])


def compute_joint(course: Course, visits: pd.DataFrame) -> pd.DataFrame:
    """The joint model for each class: slopes corrected for death, and hazards given a person's own course.

    Returns
    -------
    DataFrame
        ``class, quantity, scale, estimate, ci_low, ci_high, p, people, events, note``; `scale` is ``points per month``
        or ``hazard ratio``. The last quantity is the hazard ratio for a decline faster by half a point a month.
    """
    return pd.concat([_joint(course, visits, group.name) for group in STUDIED], ignore_index=True)


def _joint(course: Course, visits: pd.DataFrame, name: str) -> pd.DataFrame:
    from prodromal.association.joint import fit_joint

    frame = course.frame
    used = frame[name].to_numpy(dtype=bool)
    event = (frame["cause"] > 0).to_numpy()
    names = [*SLOPES, "users against others", "decline faster by 0.5 points a month"]
    out = pd.DataFrame(
        {
            "class": name,
            "quantity": names,
            "scale": ["points per month"] * 3 + ["hazard ratio"] * 2,
            "people": [int((~used).sum()), int(used.sum()), int(used.sum()), int(used.sum()), len(frame)],
            "events": [int(event[m].sum()) for m in (~used, used, used, used, used | ~used)],
        }
    )
    W = pd.concat([frame[[name]].astype(float), course.adjustment], axis=1)
    try:
        fit = fit_joint(
            visits["alsfrs_r"],
            design_of(course, visits, name),
            visits["person"],
            visits["months"],
            time=frame["time_days"].to_numpy() / DAYS_PER_MONTH,
            event=event,
            W=W,
        )
    except NotEstimable as reason:
        empty = dict.fromkeys(("estimate", "ci_low", "ci_high", "p"), np.nan)
        return out.assign(**empty, note=f"not estimable: {reason}")
    terms = tuple(t.removeprefix("score:") for t in fit.names)
    found = pd.DataFrame(combined(terms, fit.values, fit.covariance))
    table = fit.table().set_index("term").loc[[f"hazard:{name}", "link:slope"], ["estimate", "ci_low", "ci_high", "p"]]
    ratios = table.to_numpy() * np.array([[1.0, 1.0, 1.0, 1.0], [-0.5, -0.5, -0.5, 1.0]])
    ratios[1, 1:3] = ratios[1, [2, 1]]
    ratios[:, :3] = np.exp(ratios[:, :3])
    both = pd.concat([found, pd.DataFrame(ratios, columns=found.columns)], ignore_index=True)
    return out.join(both).assign(note="")
