"""Which counts of an evaluation add up to which others: the sums that disclosure control must protect together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["System", "crowded", "crowded_rungs", "systems"]

_WHERE = tuple[str, int]
_CURVE = "decision_curve"
_RANKED = ("calibration_deciles", "capacity", "thresholds", _CURVE)


@dataclass(frozen=True, eq=False)
class System:
    """Sums over shared atoms, the table rows on which each stands, which to give up last and which are known anyway.

    Sums beyond the places stand nowhere: what few people the difference of two others would tell.
    """

    members: NDArray[np.bool_]
    counts: NDArray[np.int64]
    places: list[list[_WHERE]]
    keep: NDArray[np.bool_]
    known: NDArray[np.bool_]

    def rows_of(self, chosen: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Table and rows of every chosen sum."""
        found: dict[str, list[int]] = defaultdict(list)
        for index in np.flatnonzero(chosen[: len(self.places)]):
            for name, row in self.places[index]:
                found[name].append(row)
        for name, rows in found.items():
            yield name, np.array(rows, dtype=np.int64)

    def with_few(self, smallest: int) -> System:
        """Add the few people by whom one sum exceeds another that it contains."""
        here, found = {row.tobytes() for row in self.members}, dict[bytes, int]()
        shown = np.flatnonzero(self.counts >= smallest)
        for inner, outer in product(shown, repeat=2):
            few = int(self.counts[outer] - self.counts[inner])
            if 0 < few < smallest and not (self.members[inner] & ~self.members[outer]).any():
                key = (self.members[outer] & ~self.members[inner]).tobytes()
                found |= {} if key in here else {key: few}
        if not found:
            return self
        none = np.zeros(len(found), dtype=np.bool_)
        rows = np.array([np.frombuffer(key, dtype=np.bool_) for key in found])
        return System(
            np.concatenate([self.members, rows]),
            np.concatenate([self.counts, np.array(list(found.values()), dtype=np.int64)]),
            self.places,
            np.concatenate([self.keep, none]),
            np.concatenate([self.known, none]),
        )


@dataclass(eq=False)
class _Sums:
    """Collects sums as sets of atoms with their counts and where they stand."""

    counts: dict[frozenset[Hashable], int] = field(default_factory=dict)
    places: dict[frozenset[Hashable], list[_WHERE]] = field(default_factory=lambda: defaultdict(list))
    kept: set[frozenset[Hashable]] = field(default_factory=set)
    whole: set[frozenset[Hashable]] = field(default_factory=set)

    def add(self, atoms: Iterable[Hashable], count: float, places: list[_WHERE]) -> None:
        key = frozenset(atoms)
        self.counts[key] = int(count)
        self.places[key] += places

    def add_whole(self, atoms: Iterable[Hashable], count: float) -> None:
        """Add everybody, whose number stands in another table."""
        self.add(atoms, count, [])
        self.whole.add(frozenset(atoms))

    def system(self) -> System:
        atoms = sorted({atom for key in self.counts for atom in key}, key=str)
        at = {atom: i for i, atom in enumerate(atoms)}
        members = np.zeros((len(self.counts), len(atoms)), dtype=np.bool_)
        for row, key in enumerate(self.counts):
            members[row, [at[atom] for atom in key]] = True
        counts = np.array(list(self.counts.values()), dtype=np.int64)
        keep = np.array([key in self.kept or len(key) == len(atoms) for key in self.counts])
        known = np.array([key in self.whole for key in self.counts])
        return System(members, counts, [self.places[key] for key in self.counts], keep, known)


def systems(tables: Mapping[str, pd.DataFrame], count: str, *, ranked_by_risk: bool) -> Iterator[System]:
    """Every set of sums that shares people, for one kind of count (``n`` or ``events``)."""
    if "overview" in tables and count == "n":
        yield _overview(tables["overview"], tables.get("prediction_distribution"))
    total = _total(tables, count)
    if total is None:
        return
    yield from _groupings(tables, count, total)
    for names, models in _rankings(tables, ranked_by_risk=ranked_by_risk):
        yield from _nested(tables, names, count, total, models)
    if "time_dependent_auc" in tables and count == "events":
        yield from _nested(tables, ["time_dependent_auc"], count, total, ["model"])


def _rankings(tables: Mapping[str, pd.DataFrame], *, ranked_by_risk: bool) -> Iterator[tuple[list[str], list[str]]]:
    """Tables whose rows count people from the top of the same ranking, and the models by which they rank."""
    ranked = [name for name in _RANKED if name in tables]
    models = sorted({str(model) for name in ranked for model in tables[name].get("model", ())})
    if ranked_by_risk:
        yield ranked, models
        return
    yield ranked, [model for model in models if model != "model"]
    yield [name for name in ranked if name != "capacity"], ["model"]
    yield [name for name in ranked if name == "capacity"], ["model"]


def crowded(tables: Mapping[str, pd.DataFrame], smallest: int) -> NDArray[np.bool_]:
    """Rows of the decision curve whose people or outcomes are too close to those of another that is shown."""
    curve = tables[_CURVE]
    left_out = np.zeros(len(curve), dtype=np.bool_)
    total = tuple(_total(tables, count) or 0 for count in ("n", "events"))
    for model in curve["model"].unique():
        kept = {(0, 0), total}
        for name in ("capacity", "thresholds"):
            frame = tables.get(name)
            kept |= set() if frame is None else set(_pairs(frame[frame["model"] == model]))
        rows = curve[curve["model"] == model].sort_values("threshold", ascending=False, kind="stable")
        for row, pair in zip(rows.index, _pairs(rows), strict=True):
            apart = np.abs(np.array([pair]) - np.array(sorted(kept)))
            left_out[row] = bool(((apart > 0) & (apart < smallest)).any())
            kept |= set() if left_out[row] else {pair}
    return left_out


def crowded_rungs(tables: Mapping[str, pd.DataFrame], smallest: int) -> NDArray[np.bool_]:
    """Rows of the lead times whose cases are but few less, or more, than those of another lag."""
    ladder = tables["lead_time"]
    sets = tables["discrimination"].query("measure == 'c_within_sets'") if "discrimination" in tables else ladder[:0]
    kept = set(_pairs(sets))
    left_out: set[tuple[int, int]] = set()
    for pair in _pairs(ladder.sort_values("lag_days", kind="stable")):
        apart = np.abs(np.array([pair]) - np.array(sorted(kept | {pair})))
        (left_out if ((apart > 0) & (apart < smallest)).any() else kept).add(pair)
    return np.array([pair in left_out for pair in _pairs(ladder)], dtype=np.bool_)


def _pairs(frame: pd.DataFrame) -> list[tuple[int, int]]:
    return list(zip(frame["n"].astype(int).tolist(), frame["events"].astype(int).tolist(), strict=True))


def _total(tables: Mapping[str, pd.DataFrame], count: str) -> int | None:
    if "overview" not in tables:
        return None
    frame = tables["overview"].set_index("item")["n"]
    return int(frame["people" if count == "n" else "outcome in the window"])


def _overview(frame: pd.DataFrame, distribution: pd.DataFrame | None) -> System:
    sums = _Sums()
    parts = range(1, len(frame))
    outcome = {row for row in parts if frame["item"].iloc[row] == "outcome in the window"}
    sums.add(parts, frame["n"].iloc[0], [("overview", 0)])
    for row in parts:
        sums.add([row], frame["n"].iloc[row], [("overview", row)])
    sums.kept.add(frozenset(outcome))
    if distribution is not None:
        for name, atoms in (("outcome", outcome), ("no outcome", set(parts) - outcome)):
            rows = distribution.index[distribution["class"] == name].tolist()
            sums.add(atoms, frame["n"].iloc[list(atoms)].sum(), [("prediction_distribution", row) for row in rows])
    return sums.system()


def _groupings(tables: Mapping[str, pd.DataFrame], count: str, total: int) -> Iterator[System]:
    crossed = _by_key(tables.get("calibration_cells"), "calibration_cells", ["sex", "age"], count)
    single: dict[str, dict[tuple[Hashable, ...], tuple[int, list[_WHERE]]]] = defaultdict(dict)
    for key, found in _by_key(tables.get("subgroups"), "subgroups", ["grouping", "group"], count).items():
        single[str(key[0])][key] = found
    if crossed:
        yield _crossed(crossed, single, total)
    for grouping, groups in single.items():
        if crossed and grouping in {"sex", "age"}:
            continue
        sums = _Sums()
        missing = total - sum(value for value, _ in groups.values())
        rest = [("rest",)] if missing else []
        sums.add_whole([*groups, *rest], total)
        for key, (value, places) in groups.items():
            sums.add([key], value, places)
        yield sums.system()


def _crossed(
    cells: dict[tuple[Hashable, ...], tuple[int, list[_WHERE]]],
    single: Mapping[str, dict[tuple[Hashable, ...], tuple[int, list[_WHERE]]]],
    total: int,
) -> System:
    sums = _Sums()
    inside = sum(value for value, _ in cells.values())
    rest: list[Hashable] = [("rest",)] if total > inside else []
    sums.add_whole([*cells, *rest], total)
    for key, (value, places) in cells.items():
        sums.add([key], value, places)
    for axis, grouping in enumerate(("sex", "age")):
        for name, (value, places) in single.get(grouping, {}).items():
            atoms = [key for key in cells if key[axis] == name[1]]
            extra = [("rest", grouping, name[1])] if value != sum(cells[key][0] for key in atoms) else []
            sums.add([*atoms, *extra], value, places)
    return sums.system()


def _nested(
    tables: Mapping[str, pd.DataFrame], names: list[str], count: str, total: int, models: list[str]
) -> Iterator[System]:
    """Collect sets of people from the top of one ranking downwards: each holds the ones before it."""
    for model in models:
        tops: dict[tuple[int, int], list[_WHERE]] = defaultdict(list)
        parts: list[tuple[tuple[int, int], tuple[int, int], list[_WHERE]]] = []
        for name in names:
            frame = tables[name][tables[name]["model"].astype(str) == model]
            if name == "calibration_deciles":
                parts += _tenths(frame, name)
            elif name == "time_dependent_auc":
                for row in frame.index:
                    tops[int(frame.loc[row, "to_days"]), int(frame.loc[row, "events"])].append((name, int(row)))
            else:
                for row in frame.index:
                    tops[int(frame.loc[row, "n"]), int(frame.loc[row, "events"])].append((name, int(row)))
        yield from _from_top(tops, parts, 0 if count == "n" else 1, total)


def _tenths(frame: pd.DataFrame, name: str) -> list[tuple[tuple[int, int], tuple[int, int], list[_WHERE]]]:
    parts, above = [], (0, 0)
    for group in sorted(frame["group"].unique(), reverse=True):
        rows = frame.index[frame["group"] == group]
        below = above[0] + int(frame.loc[rows[0], "n"]), above[1] + int(frame.loc[rows[0], "events"])
        parts.append((above, below, [(name, int(row)) for row in rows]))
        above = below
    return parts


def _from_top(
    tops: Mapping[tuple[int, int], list[_WHERE]],
    parts: list[tuple[tuple[int, int], tuple[int, int], list[_WHERE]]],
    axis: int,
    total: int,
) -> Iterator[System]:
    edges = sorted({(0, 0), *tops, *(a for a, _, _ in parts), *(b for _, b, _ in parts)})
    if len(edges) < 2:
        return
    sums = _Sums()
    whole = list(range(len(edges) - 1))
    last = ["below"] if total > edges[-1][axis] else []
    sums.add_whole([*whole, *last], total)
    for edge, places in tops.items():
        sums.add(range(edges.index(edge)), edge[axis], places)
        # The many thresholds of a curve are given up before a tenth or a capacity is.
        if any(name != _CURVE for name, _ in places):
            sums.kept.add(frozenset(range(edges.index(edge))))
    for above, below, places in parts:
        atoms = range(edges.index(above), edges.index(below))
        sums.add(atoms, below[axis] - above[axis], places)
        sums.kept.add(frozenset(atoms))
    yield sums.system()


def _by_key(
    frame: pd.DataFrame | None, name: str, keys: list[str], count: str
) -> dict[tuple[Hashable, ...], tuple[int, list[_WHERE]]]:
    found: dict[tuple[Hashable, ...], tuple[int, list[_WHERE]]] = {}
    if frame is None:
        return found
    for row, record in zip(frame.index, frame.to_dict("records"), strict=True):
        key = tuple(record[k] for k in keys)
        value, places = found.setdefault(key, (int(record[count]), []))
        places.append((name, int(row)))
        found[key] = (value, places)
    return found
