"""Which counts of an evaluation add up to which others: the sums that disclosure control must protect together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["System", "systems"]

_WHERE = tuple[str, int]


@dataclass(frozen=True, eq=False)
class System:
    """Sums over shared atoms, the table rows on which each stands, and which to give up last."""

    members: NDArray[np.bool_]
    counts: NDArray[np.int64]
    places: list[list[_WHERE]]
    keep: NDArray[np.bool_]

    def rows_of(self, chosen: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Table and rows of every chosen sum."""
        found: dict[str, list[int]] = defaultdict(list)
        for index in np.flatnonzero(chosen):
            for name, row in self.places[index]:
                found[name].append(row)
        for name, rows in found.items():
            yield name, np.array(rows, dtype=np.int64)


@dataclass(eq=False)
class _Sums:
    """Collects sums as sets of atoms with their counts and where they stand."""

    counts: dict[frozenset[Hashable], int] = field(default_factory=dict)
    places: dict[frozenset[Hashable], list[_WHERE]] = field(default_factory=lambda: defaultdict(list))
    kept: set[frozenset[Hashable]] = field(default_factory=set)

    def add(self, atoms: Iterable[Hashable], count: float, places: list[_WHERE]) -> None:
        key = frozenset(atoms)
        self.counts[key] = int(count)
        self.places[key] += places

    def system(self) -> System:
        atoms = sorted({atom for key in self.counts for atom in key}, key=str)
        at = {atom: i for i, atom in enumerate(atoms)}
        members = np.zeros((len(self.counts), len(atoms)), dtype=np.bool_)
        for row, key in enumerate(self.counts):
            members[row, [at[atom] for atom in key]] = True
        counts = np.array(list(self.counts.values()), dtype=np.int64)
        keep = np.array([key in self.kept or len(key) == len(atoms) for key in self.counts])
        return System(members, counts, [self.places[key] for key in self.counts], keep)


def systems(tables: Mapping[str, pd.DataFrame], count: str, *, ranked_by_risk: bool) -> Iterator[System]:
    """Every set of sums that shares people, for one kind of count (``n`` or ``events``)."""
    if "overview" in tables and count == "n":
        yield _overview(tables["overview"])
    total = _total(tables, count)
    if total is None:
        return
    yield from _groupings(tables, count, total)
    ranked = [name for name in ("calibration_deciles", "capacity", "thresholds") if name in tables]
    if ranked_by_risk:
        yield from _nested(tables, ranked, count, total)
    else:
        for name in ranked:
            yield from _nested(tables, [name], count, total)
    if "time_dependent_auc" in tables and count == "events":
        yield from _nested(tables, ["time_dependent_auc"], count, total)


def _total(tables: Mapping[str, pd.DataFrame], count: str) -> int | None:
    if "overview" not in tables:
        return None
    frame = tables["overview"].set_index("item")["n"]
    return int(frame["people" if count == "n" else "outcome in the window"])


def _overview(frame: pd.DataFrame) -> System:
    sums = _Sums()
    parts = range(1, len(frame))
    sums.add(parts, frame["n"].iloc[0], [("overview", 0)])
    for row in parts:
        sums.add([row], frame["n"].iloc[row], [("overview", row)])
        if frame["item"].iloc[row] == "outcome in the window":
            sums.kept.add(frozenset([row]))
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
        sums.add([*groups, *rest], total, [])
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
    sums.add([*cells, *rest], total, [])
    for key, (value, places) in cells.items():
        sums.add([key], value, places)
    for axis, grouping in enumerate(("sex", "age")):
        for name, (value, places) in single.get(grouping, {}).items():
            atoms = [key for key in cells if key[axis] == name[1]]
            extra = [("rest", grouping, name[1])] if value != sum(cells[key][0] for key in atoms) else []
            sums.add([*atoms, *extra], value, places)
    return sums.system()


def _nested(tables: Mapping[str, pd.DataFrame], names: list[str], count: str, total: int) -> Iterator[System]:
    """Collect sets of people from the top of one ranking downwards: each holds the ones before it."""
    for model in sorted({str(m) for name in names for m in tables[name].get("model", ())}):
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
    sums.add([*whole, *last], total, [])
    for edge, places in tops.items():
        sums.add(range(edges.index(edge)), edge[axis], places)
    for above, below, places in parts:
        sums.add(range(edges.index(above), edges.index(below)), below[axis] - above[axis], places)
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
