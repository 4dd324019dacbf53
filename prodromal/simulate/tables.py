"""From arrays to Arrow tables under the canonical names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prodromal.simulate.config import PSYCHIATRIC
from prodromal.simulate.episodes import PRODUCT_BITS
from prodromal.simulate.people import NEVER
from prodromal.simulate.products import PRODUCTS_PER_SUBSTANCE

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.simulate.histories import Histories
    from prodromal.simulate.people import People
    from prodromal.simulate.products import Products

__all__ = [
    "dispensings_table",
    "follow_up_table",
    "initiations_table",
    "outcomes_table",
    "persons_table",
    "relatives_table",
    "truth_table",
]

_MOST_SIBLINGS = 8
_SEX = pa.array(["M", "F"])


def persons_table(people: People, histories: Histories) -> pa.Table:
    """Return persons with their observation and sampling weight."""
    died = np.minimum(people.death, histories.death)
    return pa.table(
        {
            "person_id": people.person_id,
            "sex": _named(people.sex, _SEX),
            "birth_date": _dates(people.birth),
            "observed_from": _dates(people.entry),
            "observed_to": _dates(histories.end - 1),
            "death_date": _dates(died, died < histories.end),
            "sampling_weight": people.weight,
        }
    )


def dispensings_table(
    people: People,
    histories: Histories,
    days: npt.NDArray[np.int32],
    product: npt.NDArray[np.int16],
    products: Products,
) -> pa.Table:
    """Return dispensings by person, day and code."""
    codes = (product // PRODUCTS_PER_SUBSTANCE).astype(np.int16)
    return pa.table(
        {
            "person_id": np.repeat(people.person_id, histories.rows),
            "dispensed_on": pa.array(days).view(pa.date32()),
            "atc": pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(products.atc)),
            "ddd": products.ddd[product],
            "days_supply": products.days[product],
            "quantity": products.packages[product],
        }
    )


def outcomes_table(people: People, histories: Histories) -> pa.Table:
    """Return the diagnoses within observation."""
    chosen = people.diagnosis < histories.end
    count = int(chosen.sum())
    return pa.table(
        {
            "person_id": people.person_id[chosen],
            "outcome": pa.array(["ALS"] * count, pa.string()),
            "diagnosed_on": _dates(people.diagnosis[chosen]),
            "source": pa.array(["simulated"] * count, pa.string()),
        }
    )


def relatives_table(people: People) -> pa.Table:
    """Return every pair of siblings and of spouses, in both directions."""
    first, second = _sibling_pairs(people.family)
    married = np.flatnonzero(people.spouse >= 0)
    person = np.concatenate([first, married])
    relative = np.concatenate([second, people.spouse[married]])
    relation = np.repeat(np.array([0, 1], dtype=np.int8), [len(first), len(married)])
    order = np.lexsort((relative, relation, person))
    return pa.table(
        {
            "person_id": people.person_id[person[order]],
            "relative_id": people.person_id[relative[order]],
            "relation": _named(relation[order], pa.array(["sibling", "spouse"])),
        }
    )


def follow_up_table(people: People, histories: Histories) -> pa.Table:
    """Return visits; the day of invasive ventilation stands on every row of a ventilated person."""
    ventilation = np.repeat(histories.ventilation, histories.visit_rows)
    end = np.repeat(histories.end, histories.visit_rows)
    return pa.table(
        {
            "person_id": np.repeat(people.person_id, histories.visit_rows),
            "visit_on": _dates(histories.visit_days),
            "alsfrs_r": histories.visit_scores,
            "invasive_ventilation_on": _dates(ventilation, ventilation < end),
        }
    )


def truth_table(people: People, histories: Histories) -> pa.Table:
    """Return what nobody can see: frailty, family risk, onset, prodrome and slope."""
    ill = people.diagnosis < histories.end
    return pa.table(
        {
            "person_id": people.person_id,
            "sex": _named(people.sex, _SEX),
            "birth_date": _dates(people.birth),
            "observed_from": _dates(people.entry),
            "observed_to": _dates(histories.end - 1),
            "family_id": people.family + 1,
            "frailty": people.frailty,
            "carrier": people.carrier,
            "diagnosed_on": _dates(people.diagnosis, ill),
            "onset_on": _dates(histories.onset, ill),
            "prodrome_days": pa.array(people.prodrome.astype(np.int32), mask=~ill),
            "slope_per_month": pa.array(histories.slope, mask=~ill),
        }
    )


def initiations_table(people: People, histories: Histories) -> pa.Table:
    """Return the visible initiations of psychiatric classes: within observation, or before it and still running."""
    classes = (histories.starts & ((1 << PRODUCT_BITS) - 1)).astype(np.int8)
    return pa.table(
        {
            "person_id": np.repeat(people.person_id, histories.start_rows),
            "class": _named(classes, pa.array(PSYCHIATRIC)),
            "initiated_on": _dates(histories.starts >> PRODUCT_BITS),
        }
    )


def _named(codes: npt.NDArray[np.int8], names: pa.Array) -> pa.Array:
    return names.take(pa.array(codes))


def _dates(days: npt.NDArray[np.int64], known: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    whole = np.where(days >= NEVER, 0, days).astype(np.int32)
    return pa.array(whole, mask=None if known is None else ~known).view(pa.date32())


def _sibling_pairs(family: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    order = np.argsort(family, kind="stable")
    ordered = family[order]
    pairs = []
    for distance in range(1, _MOST_SIBLINGS):
        same = np.flatnonzero(ordered[distance:] == ordered[:-distance])
        pairs.append((order[same], order[same + distance]))
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return np.concatenate([first, second]), np.concatenate([second, first])
