"""Which part of a register's people a cohort is drawn from: by a share of families, or by a file of splits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prodromal.cli.common import read_frame, say
from prodromal.errors import DataError, DefinitionError
from prodromal.files import sha256

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from prodromal.register import Register

__all__ = ["Splitting"]

_PARTS = ("train", "held-out")


@dataclass(frozen=True)
class Splitting:
    """What the options of a cohort say about splits; `date` if its index dates are split, too."""

    share: float | None
    seed: int
    file: Path | None
    part: str | None
    date: str | None = None

    @property
    def named(self) -> dict[str, str]:
        """Each split, and the part that was taken."""
        splits = []
        if self.share is not None:
            splits.append(f"{self.share:g} of families, seed {self.seed}")
        if self.file is not None:
            table = self.file / "metadata" / "subject_splits.parquet" if self.file.is_dir() else self.file
            splits.append(f"file {sha256(table)[:16]}")
        if self.date is not None:
            splits.append(f"index dates before {self.date}")
        return dict.fromkeys(splits, self.part or "")

    def of(self, register: Register) -> npt.NDArray[np.bool_] | None:
        """The people to draw from; None for everybody."""
        if self.file is not None:
            return self._of_file(register, self.file)
        if self.share is None and (self.part is None or self.date):
            return None
        if self.share is None or self.part is None:
            raise DefinitionError("a split takes both --split SHARE and --part train or --part held-out")
        if self.part not in _PARTS:
            raise DefinitionError(f"--part '{self.part}': with --split it is train or held-out")
        from prodromal.design import held_out

        held = held_out(register, share=self.share, seed=self.seed)
        return held if self.part == "held-out" else ~held

    def _of_file(self, register: Register, file: Path) -> npt.NDArray[np.bool_]:
        if self.share is not None or self.date or self.part is None:
            raise DefinitionError(
                "--splits takes --part with the name of a split, and neither --split nor --split-date"
            )
        frame = _read(file)
        names = sorted(map(str, frame["split"].unique()))
        if self.part not in names:
            raise DataError(f"{file} has no split '{self.part}'; it has {', '.join(names[:10]) or 'none'}")
        return _people(register, frame, self.part, file)


def _read(file: Path) -> pd.DataFrame:
    """Columns ``person_id`` and ``split``, each person once; of a MEDS dataset or a file."""
    if file.is_dir():
        from prodromal.sources.meds import read_splits

        table = read_splits(file)
        if table is None:
            raise DataError(f"{file} has no splits: there is no metadata/subject_splits.parquet")
        whole: pd.DataFrame = table.to_pandas()
        return whole
    frame = read_frame(file).rename(columns={"subject_id": "person_id"})
    if not {"person_id", "split"} <= set(frame):
        raise DataError(f"{file} has no columns person_id and split")
    if missing := int(frame[["person_id", "split"]].isna().any(axis=1).sum()):
        raise DataError(f"{file}: {missing} of {len(frame)} rows have no person_id or no split")
    if repeated := int(frame["person_id"].duplicated().sum()):
        raise DataError(f"{file}: {repeated} of {len(frame)} people occur more than once")
    return frame


def _people(register: Register, frame: pd.DataFrame, part: str, file: Path) -> npt.NDArray[np.bool_]:
    import numpy as np

    from prodromal.design import family_components

    rows = register.persons.rows(frame["person_id"].to_numpy())
    there = (rows >= 0) & (frame["split"] == part).to_numpy()
    asked = int((frame["split"] == part).sum())
    if not there.any():
        raise DataError(f"none of {asked} people of split '{part}' in {file} are in {register.folder}")
    chosen = np.zeros(len(register.persons), dtype=np.bool_)
    chosen[rows[there]] = True
    say(f"Split '{part}': {int(chosen.sum()):,} people, of {asked:,} in {file}.")
    family = family_components(register)
    others = np.zeros(len(chosen), dtype=np.bool_)
    others[rows[(rows >= 0) & ~there]] = True
    if straddling := len(np.intersect1d(family[chosen], family[others])):
        say(f"CAUTION: {straddling:,} families have people in other splits, too.")
    return chosen
