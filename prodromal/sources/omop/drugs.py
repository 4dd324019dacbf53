"""From a drug concept to ATC codes, by the first of several ways that leads anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prodromal import atc
from prodromal.sources.codes import deepest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prodromal.sources.omop.vocabulary import Concept, Vocabulary

__all__ = ["OWN", "Drug", "resolve"]

OWN = "the concept is an ATC code"
_SUBSTANCE = 5
_RXNORM = ("RxNorm", "RxNorm Extension")


@dataclass(frozen=True)
class Drug:
    """What became of a drug concept.

    Parameters
    ----------
    codes : tuple of str
        ATC codes; empty if no way leads to one.
    way : str
        How they were found.
    ingredients : int
        Number of ingredients, 0 if unknown.
    """

    codes: tuple[str, ...]
    way: str
    ingredients: int


def resolve(concept: int, vocabulary: Vocabulary, mapping: Mapping[str, tuple[str, ...]]) -> Drug:
    """Find the ATC codes of a drug.

    Asked in order: the concept is an ATC code itself; its ancestors, in the order of the codes; its relationships, the
    most certain first; the mapping by its own RxNorm code, then by those of its ingredients, in the order of the file.
    """
    itself, ancestors = _known([concept], vocabulary), _known(vocabulary.ancestors.get(concept, ()), vocabulary)
    ingredients = [known for known in ancestors if known.kind == "Ingredient" and known.vocabulary in _RXNORM]
    ways = {
        OWN: _codes(itself),
        "concept_ancestor": sorted(_codes(ancestors)),
        "concept_relationship": _codes(_known(vocabulary.related.get(concept, ()), vocabulary)),
        "mapping of the drug": _mapped(itself, mapping),
        "mapping of its ingredients": _mapped(ingredients, mapping),
    }
    number = len(ingredients) or sum(_named_ingredients(known) for known in itself)
    return next(
        (Drug(found, way, number) for way, codes in ways.items() if (found := _most_exact(codes))), Drug((), "", number)
    )


def _known(concepts: Iterable[int], vocabulary: Vocabulary) -> list[Concept]:
    return [vocabulary.concepts[i] for i in concepts if i in vocabulary.concepts]


def _codes(concepts: Iterable[Concept]) -> list[str]:
    cleaned = (atc.clean(concept.code) for concept in concepts if concept.vocabulary == "ATC")
    return [code for code in cleaned if code is not None]


def _mapped(concepts: Iterable[Concept], mapping: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [code for concept in concepts if concept.vocabulary in _RXNORM for code in mapping.get(concept.code, ())]


def _most_exact(codes: list[str]) -> tuple[str, ...]:
    """Codes of substances if there are any, else the deepest groups."""
    return deepest([code for code in codes if atc.level(code) == _SUBSTANCE] or codes)


def _named_ingredients(concept: Concept) -> int:
    """RxNorm's names have " / " between ingredients."""
    return concept.name.count(" / ") + 1 if concept.vocabulary in _RXNORM else 0
