"""The kernel of scoring: people and their dispensings go in, a table of risks comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prodromal.explain import By, Explainer
from prodromal.explain.reasons import top_reasons
from prodromal.features.arrow import column_of, texts_of
from prodromal.features.building import Builder
from prodromal.risk.scored import FLAG_TEXTS, FLAGS
from prodromal.risk.use import Use, count_use, use_columns
from prodromal.scoring.drift import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from prodromal.features.kernels import History
    from prodromal.register import Persons
    from prodromal.risk import RiskModel

    _Predicted = tuple[npt.NDArray[np.float32], npt.NDArray[np.float64] | None, Use]

__all__ = ["Scorer"]

ROWS_PER_BLOCK = 50_000
# So few that their features are turned into codes while they are in the processor's cache.
ROWS_PER_MATRIX = 4_096
_TEXT = pa.dictionary(pa.int32(), pa.string())


class Scorer:
    """A model made ready to score the people of one part after the other.

    Parameters
    ----------
    model : RiskModel
        What scores.
    reasons : int
        How many reasons stand beside each risk.
    """

    def __init__(self, model: RiskModel, *, reasons: int = 0) -> None:
        self.model = model
        self.builder = Builder(model.plan)
        self.use_names, self._use_columns = use_columns(model.plan)
        self._reasons = reasons
        self._explainer = Explainer(model, by=By.CLASS) if reasons else None

    def schema(self, id_type: pa.DataType) -> pa.Schema:
        """The columns of a table of risks."""
        names = ("score", "relative_risk", "risk", "risk_per_100k", "expected_per_100k", "percentile")
        texts = ("flags", *(f"reason_{i}" for i in range(1, self._shown + 1)))
        return pa.schema(
            [
                ("person_id", id_type),
                ("index_date", pa.timestamp("s")),
                *((name, pa.float64()) for name in names),
                *((name, _TEXT) for name in texts),
            ]
        )

    def tables(
        self, people: Persons, history: History, person: npt.NDArray[np.int64], days: npt.NDArray[np.int32]
    ) -> Iterator[pa.Table]:
        """Score people at index dates; see ``Builder.matrix`` for the parameters.

        Yields
        ------
        Table
            Of the columns of ``schema``, rows in the order asked, at most 50,000 of them.
        """
        for table, _ in self.score(people, history, person, days):
            yield table

    def score(
        self, people: Persons, history: History, person: npt.NDArray[np.int64], days: npt.NDArray[np.int32]
    ) -> Iterator[tuple[pa.Table, Seen]]:
        """The tables of ``tables``, each with what was seen of its people."""
        for low in range(0, len(days), ROWS_PER_BLOCK):
            rows = slice(low, low + ROWS_PER_BLOCK)
            yield self._score(people, history, person[rows], days[rows])

    def _score(
        self, people: Persons, history: History, person: npt.NDArray[np.int64], days: npt.NDArray[np.int32]
    ) -> tuple[pa.Table, Seen]:
        predict = self._predict_codes if self._in_codes else self._predict
        margin, values, use = predict(people, history, person, days)
        found = self.model.scored(margin, people, person, days)
        columns = {
            "person_id": column_of(people.ids[person]),
            "index_date": column_of(days.astype("datetime64[D]").astype("datetime64[s]")),
            **{name: column_of(numbers) for name, numbers in found.numbers.items()},
            "flags": _texts(np.asarray(FLAG_TEXTS, dtype=object), found.marks),
        }
        if self._explainer is not None and values is not None:
            reasons = top_reasons(values, self._explainer.labels, self._shown)
            for number, (texts, places) in enumerate(reasons, start=1):
                columns[f"reason_{number}"] = _texts(texts, places)
        flagged = np.array([(found.marks >> bit & 1).sum() for bit in range(len(FLAGS))], dtype=np.int64)
        return pa.table(columns, schema=self.schema(columns["person_id"].type)), Seen(use, flagged)

    @property
    def _in_codes(self) -> bool:
        return self.model.predictor is not None and (self._explainer is None or self._explainer.takes_codes)

    def _predict_codes(
        self, people: Persons, history: History, person: npt.NDArray[np.int64], days: npt.NDArray[np.int32]
    ) -> _Predicted:
        """From codes of the features, of which only a few rows are there at a time."""
        predictor = self.model.predictor
        assert predictor is not None
        age, sex = people.age_years(person, days), people.sex[person]
        use = Use.none(len(self.use_names))
        room = self.builder.room(min(ROWS_PER_MATRIX, len(days)))

        def blocks() -> Iterator[npt.NDArray[np.float32]]:
            nonlocal use
            for low in range(0, len(days), ROWS_PER_MATRIX):
                rows = slice(low, low + ROWS_PER_MATRIX)
                matrix = self.builder.matrix(people, history, person[rows], days[rows], room)
                use += count_use(matrix, self._use_columns, age[rows], sex[rows])
                yield matrix.values

        coded = predictor.code(blocks(), len(days))
        margin = predictor.margins(coded)
        values = None
        if self._explainer is not None:
            values = self._explainer.of_coded(coded, margin, self.model.offset(age, sex))
        return margin, values, use

    def _predict(
        self, people: Persons, history: History, person: npt.NDArray[np.int64], days: npt.NDArray[np.int32]
    ) -> _Predicted:
        """From the features, where the trees are too large for codes, or too deep for tables of reasons."""
        matrix = self.builder.matrix(people, history, person, days)
        margin = self.model.margin(matrix)
        values = self._explainer.explain(matrix, people, margin=margin).values if self._explainer else None
        use = count_use(matrix, self._use_columns, people.age_years(person, days), people.sex[person])
        return margin, values, use

    @property
    def _shown(self) -> int:
        return min(self._reasons, len(self._explainer.labels)) if self._explainer else 0


def _texts(texts: npt.NDArray[np.object_], places: npt.NDArray[np.integer]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(column_of(places.astype(np.int32)), texts_of(texts.tolist()))
