"""A bundle sent as bytes: checked by the driver, and checked again by every worker before it scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from prodromal.errors import BundleError
from prodromal.risk import load
from prodromal.scoring import Scorer

if TYPE_CHECKING:
    from prodromal.risk import RiskModel

__all__ = ["SentModel"]


@dataclass(frozen=True)
class SentModel:
    """The files of a bundle and what the model in them must be, as plain values.

    Parameters
    ----------
    files : tuple of (str, bytes)
        By name, in order.
    fingerprint : str
        Of the model that the driver loaded.
    """

    files: tuple[tuple[str, bytes], ...]
    fingerprint: str

    @classmethod
    def of(cls, bundle: Path, model: RiskModel) -> SentModel:
        """Take in a bundle that `model` was loaded from."""
        files = sorted(file for file in bundle.iterdir() if file.is_file() and not file.is_symlink())
        return cls(tuple((file.name, file.read_bytes()) for file in files), model.fingerprint)

    def scorer(self, reasons: int) -> Scorer:
        """The model made ready to score; once for all parts of a worker.

        Raises
        ------
        BundleError
            If the bytes are not those of a sound bundle, or of another one than the driver's.
        """
        return _scorer(self, reasons)


@lru_cache(maxsize=2)
def _scorer(sent: SentModel, reasons: int) -> Scorer:
    return Scorer(_model(sent), reasons=reasons)


def _model(sent: SentModel) -> RiskModel:
    with TemporaryDirectory() as folder:
        for name, data in sent.files:
            (Path(folder) / name).write_bytes(data)
        model = load(folder)
    if model.fingerprint != sent.fingerprint:
        raise BundleError("the bundle that reached an executor is not the one that the driver checked")
    return model
