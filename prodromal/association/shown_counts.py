"""Where each count of a study stands in its tables, and whom it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.association.exposure import HEADLINE, Definition
from prodromal.association.margins import People, Sums, chain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd

    from prodromal.association.margins import Place
    from prodromal.disclosure import Profile

__all__ = ["FOLLOWED_STEP", "GROUPS", "WINDOWS_STEP_ENDS", "hidden_places"]

FOLLOWED_STEP = "cases followed after the day of diagnosis (prognosis)"
WINDOWS_STEP_ENDS = "days before (windows only)"
GROUPS = {"population": "population controls", "sibling": "siblings", "spouse": "spouses"}
_USERS = "beyond a year: n (%)"
_EVERYBODY = "decline faster by 0.5 points a month"
_DISPENSINGS = {definition.value: definition.dispensings for definition in Definition}


def hidden_places(tables: Mapping[str, pd.DataFrame], profile: Profile) -> set[Place]:
    """Cells of counts that must not be shown.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Of a `Study`.
    profile : Profile

    Returns
    -------
    set of (table, row label, column)

    Notes
    -----
    First the totals, which all classes share, are protected by hiding totals. Then the users of each class are
    protected by hiding users, as if all totals were known: to guess that a hidden total equals a shown one tells
    nobody more. Where a total is hidden, users are hidden besides until they do not tell it: there are no fewer people
    than users. The others of hidden cases are hidden with them: so many are drawn for each case.
    """
    found: set[Place] = set()
    for comparator in tables["odds_ratios"]["comparator"].unique():
        of_cases = _hidden(_View(tables, str(comparator), of_cases=True), profile)
        told = _tell_cases(tables, of_cases, profile)
        found |= of_cases | _hidden(_View(tables, str(comparator), of_cases=False), profile, told)
    return found | {*_at_risk(tables, profile)}


def _hidden(view: _View, profile: Profile, already: Collection[Place] = ()) -> set[Place]:
    """Cells of one comparator's cases, or of its others, given those that are hidden already."""
    found = [*already, *chain(view.steps(), view.drawn(), profile, already)]
    totals = Sums()
    view.add_totals(totals)
    classes = []
    for name in view.tables["odds_ratios"]["class"].unique():
        users = Sums()
        for told in view.of_class(str(name)):
            (users if told.users else totals).add(told.kinds, told.count, told.places, dear=told.dear)
        classes.append(users)
    found += (hidden := totals.hidden(profile, already))
    for users in classes:
        users.know(totals)
        found += users.hidden(profile, already)
        if hidden:
            found += users.joined(totals).hidden(profile, found)
    return set(found)


def _tell_cases(tables: Mapping[str, pd.DataFrame], hidden: Collection[Place], profile: Profile) -> set[Place]:
    """Cells of others that tell hidden cells of cases, so many others being drawn for each case.

    Whole numbers tell each other. Users among the others tell how few the cases are at least, which is asked of few.
    """
    found: set[Place] = set()
    for table, label, column in hidden:
        row: Any = tables[table].loc[label]
        if column == "cases" and row["others"] > 0:
            few = "exposed_others" in row and row["cases"] < profile.smallest
            found |= {(table, label, name) for name in ("others", *(["exposed_others"] if few else []))}
        elif table == "table_one":
            found |= _of_controls(tables[table], row, column, profile)
    return found


def _of_controls(one: pd.DataFrame, row: Any, column: str, profile: Profile) -> set[Place]:
    """The same cell of table 1 for the population controls; of users, who are not matched, only where cases are few."""
    if column == "n" and row["characteristic"].endswith(_USERS) and row["people"] >= profile.smallest:
        return set()
    same = (one["group"] == GROUPS["population"]) & (one["characteristic"] == row["characteristic"])
    return {("table_one", int(label), column) for label in one.index[same & (one[column] > 0)]}


@dataclass(frozen=True, eq=False)
class _Told:
    """A number, the kinds of people that it counts, and where it stands."""

    kinds: npt.NDArray[np.bool_]
    count: float
    places: Sequence[Place]
    users: bool = False
    dear: int = 0


class _View:
    """The tables as one comparator's cases, or its others, are counted in them."""

    def __init__(self, tables: Mapping[str, pd.DataFrame], comparator: str, *, of_cases: bool) -> None:
        self.tables, self.comparator, self.of_cases = tables, comparator, of_cases
        self.people = People(of_population=comparator == "population")
        self.exposed, self.total = ("exposed_cases", "cases") if of_cases else ("exposed_others", "others")
        self.course = of_cases and comparator == "population"

    def rows(self, table: str, **where: str | float) -> Iterator[tuple[int, dict[str, Any]]]:
        """Rows of a table with given values, by their labels."""
        frame = self.tables.get(table)
        if frame is None or not len(frame):
            return
        for column, value in where.items():
            frame = frame[frame[column.rstrip("_")] == value]
        for label, record in zip(frame.index, frame.to_dict("records"), strict=True):
            yield int(label), {str(column): value for column, value in record.items()}

    def steps(self, *, all_of_them: bool = True) -> dict[Place, float]:
        """How many remain after each step on the way to the sets; `all_of_them` with those seen for long enough."""
        found: dict[Place, float] = {}
        for label, row in self.rows("flow", comparator=self.comparator):
            later = row["step"] == FOLLOWED_STEP or (row["step"].endswith(WINDOWS_STEP_ENDS) and not all_of_them)
            if row[self.total] > 0 and not later:
                found[("flow", label, self.total)] = float(row[self.total])
        return found

    def drawn(self) -> Place:
        """Where the flow tells how many people the sets have."""
        return next(reversed(self.steps(all_of_them=False)), ("flow", -1, self.total))

    def add_totals(self, out: Sums) -> None:
        """Numbers that tell of no class."""
        p = self.people
        for label, row in self.rows("flow", comparator=self.comparator):
            place: Place = ("flow", label, self.total)
            if place == self.drawn():
                out.add(p.drawn, row[self.total], [place], dear=1)
            elif row["step"].endswith(WINDOWS_STEP_ENDS):
                out.add(p.windows, row[self.total], [place])
            elif row["step"] == FOLLOWED_STEP and self.course:
                out.add(p.followed, row[self.total], [place])
        for label, row in self._table_one():
            whole = ["people", "n"] if row["n"] == row["people"] else ["people"]
            out.add(p.drawn, row["people"], [("table_one", label, column) for column in whole], dear=1)
            if row["characteristic"] == "women: n (%)":
                out.add(p.drawn & p.woman, row["n"], [("table_one", label, "n")], dear=1)

    def of_class(self, name: str) -> Iterator[_Told]:
        """Numbers of users of a class, and the totals that stand beside them."""
        yield from self._odds(name)
        if self.comparator == "population":
            yield from self._modification(name)
        if self.course:
            yield from self._after(name)
        for label, row in self._table_one():
            if row["characteristic"] == f"{name} {_USERS}":
                yield _Told(self.people.beyond >= 2, row["n"], [("table_one", label, "n")], users=True, dear=2)

    def _table_one(self) -> Iterator[tuple[int, dict[str, Any]]]:
        if not self.of_cases:
            return self.rows("table_one", group=GROUPS[self.comparator])
        return self.rows("table_one", group="cases" if self.comparator == "population" else "")

    def _pair(
        self, table: str, label: int, row: dict[str, Any], users: npt.NDArray[np.bool_], whole: npt.NDArray[np.bool_]
    ) -> Iterator[_Told]:
        """Yield the exposed and the total of a row of odds ratios."""
        totals = [self.total, "sets"] if self.of_cases else [self.total]
        dear = 3 if np.array_equal(users & whole, self.people.headline & (self.people.beyond >= 2)) else 1
        yield _Told(users & whole, row[self.exposed], [(table, label, self.exposed)], users=True, dear=dear)
        yield _Told(whole, row[self.total], [(table, label, column) for column in totals])

    def _odds(self, name: str) -> Iterator[_Told]:
        p = self.people
        for label, row in self.rows("odds_ratios", comparator=self.comparator, class_=name):
            least = _DISPENSINGS[row["definition"]]
            in_window = (p.window == row["window"]) & (p.total >= least)
            chosen = (p.beyond >= least, p.headline) if row["window"] == HEADLINE else (in_window, p.windows)
            yield from self._pair("odds_ratios", label, row, *chosen)
        for label, row in self.rows("mutual", comparator=self.comparator, class_=name):
            yield from self._pair("mutual", label, row, p.beyond >= 2, p.headline)

    def _modification(self, name: str) -> Iterator[_Told]:
        p = self.people
        inside = {"under 65": p.young, "65 and over": ~p.young, "women": p.woman, "men": ~p.woman}
        for label, row in self.rows("modification", class_=name):
            yield from self._pair("modification", label, row, p.beyond >= 2, p.headline & inside[row["level"]])

    def _after(self, name: str) -> Iterator[_Told]:
        p = self.people
        user = p.total >= 2
        for label, row in self.rows("hazard_ratios", class_=name):
            columns = {"exposed": p.followed & user, "exposed_events": p.event & user}
            for column, kinds in columns.items():
                yield _Told(kinds, row[column], [("hazard_ratios", label, column)], users=True, dear=1)
            yield _Told(p.followed, row["people"], [("hazard_ratios", label, "people")])
            yield _Told(p.event, row["events"], [("hazard_ratios", label, "events")])
        for group, chosen in (("users", user), ("others", ~user)):
            for label, row in self.rows("survival", class_=name, group=group, time_years=0.0):
                yield from self._part("survival", label, row, "at_risk", p.followed, chosen)
        for table, seen in (("decline", p.visit), ("joint", p.followed)):
            for label, row in self.rows(table, class_=name):
                chosen = {"slope of others": ~user, _EVERYBODY: user | ~user}.get(row["quantity"], user)
                yield from self._part(table, label, row, "people", seen, chosen)
                if "events" in row:
                    yield from self._part(table, label, row, "events", p.event, chosen)

    def _part(
        self,
        table: str,
        label: int,
        row: dict[str, Any],
        column: str,
        whole: npt.NDArray[np.bool_],
        chosen: npt.NDArray[np.bool_],
    ) -> Iterator[_Told]:
        """Yield users, or all; those who are no users go where the total goes, which users and they would tell."""
        place = [(table, label, column)]
        yield _Told(whole & chosen, row[column], place, users=not chosen.all())
        if not chosen[self.people.total >= 2].any():
            total = self.people.event if column == "events" else self.people.followed
            for _, other in self.rows("hazard_ratios"):
                yield _Told(total, other["events" if column == "events" else "people"], place)
                break


def _at_risk(tables: Mapping[str, pd.DataFrame], profile: Profile) -> list[Place]:
    """Users and others still followed at whole years, and all of them."""
    curves, causes = tables["survival"], tables["causes"]
    found: list[Place] = []
    if not len(curves):
        return found
    curves = curves[np.isclose(curves["time_years"] % 1.0, 0.0)]
    years = np.tile(np.arange(curves["time_years"].max() + 1), 2)
    user = np.arange(len(years)) < len(years) / 2
    for name in curves["class"].unique():
        sums = Sums()
        for group, inside in (("users", user), ("others", ~user)):
            part = curves[(curves["class"] == name) & (curves["group"] == group)]
            for label, time, count in zip(part.index, part["time_years"], part["at_risk"], strict=True):
                sums.add(inside & (years >= time), count, [("survival", int(label), "at_risk")])
        for label, time, count in zip(causes.index, causes["time_years"], causes["at_risk"], strict=True):
            sums.add(years >= time, count, [("causes", int(label), "at_risk")])
        found += sums.hidden(profile)
    return found
