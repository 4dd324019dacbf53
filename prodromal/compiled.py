"""Loops compiled once per machine; a second process finds them in numba's cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compiled"]

Loop = TypeVar("Loop", bound="Callable[..., object]")


def compiled(loop: Loop) -> Loop:
    """Compile a loop, without the interpreter's lock."""
    return cast("Loop", njit(cache=True, nogil=True)(loop))
