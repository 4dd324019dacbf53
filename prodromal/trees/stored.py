"""A booster as the bytes that the library writes; the library reads them only where it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from prodromal.errors import BundleError
from prodromal.trees.forest import Forest, read_forest, read_learner

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xgboost

__all__ = ["StoredTrees"]


@dataclass(frozen=True)
class StoredTrees:
    """Trees of a model.

    Parameters
    ----------
    ubj : bytes
        UBJSON, as XGBoost writes it.
    document : mapping, optional
        What they say, where somebody has read and checked them; without it the library reads them.
    """

    ubj: bytes
    document: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, booster: xgboost.Booster) -> StoredTrees:
        """The trees of a booster."""
        stored = cls(bytes(booster.save_raw("ubj")))
        vars(stored)["booster"] = booster
        return stored

    @cached_property
    def booster(self) -> xgboost.Booster:
        """The booster.

        Raises
        ------
        BundleError
            If this version of the library cannot read the bytes.
        """
        import xgboost

        try:
            return xgboost.Booster(model_file=bytearray(self.ubj))
        except xgboost.core.XGBoostError as error:
            raise BundleError("this version of XGBoost cannot read the trees of the model") from error

    @cached_property
    def forest(self) -> Forest:
        """The nodes of all trees.

        Raises
        ------
        BundleError
            If the booster is of a kind whose contributions cannot be computed exactly.
        """
        return read_forest(self.booster) if self.document is None else read_learner(self.document["learner"])
