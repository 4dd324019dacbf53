"""Loops compiled once per machine; a second process finds them in numba's cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache
from numba.core.runtime import rtsys

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compiled"]

Loop = TypeVar("Loop", bound="Callable[..., object]")


class _Ready(FunctionCache):  # type: ignore[misc]  # numba carries no types
    """Takes a loop out of the cache without making the compiler ready, which costs half a second and is not needed."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        rtsys.initialize(target_context)
        found = self._load_overload(sig, target_context)
        return super().load_overload(sig, target_context) if found is None else found


def compiled(loop: Loop) -> Loop:
    """Compile a loop, without the interpreter's lock."""
    made = njit(cache=True, nogil=True)(loop)
    made._cache = _Ready(loop)  # noqa: SLF001  numba has no other door
    return cast("Loop", made)
