"""Loops compiled once per machine; a second process finds them in numba's cache."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compiled", "is_compiled"]

Loop = TypeVar("Loop", bound="Callable[..., object]")


def compiled(loop: Loop) -> Loop:
    """Compile a loop, without the interpreter's lock."""
    return cast("Loop", njit(cache=True, nogil=True)(loop))


def is_compiled() -> bool:
    """Whether an earlier process left the loops on this machine; without them the first use takes half a minute."""
    from prodromal.features import kernels

    loop = cast("Any", kernels.fill)
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    name = f"kernels.fill-{loop.py_func.__code__.co_firstlineno}.{version}.nbi"
    return (Path(loop.stats.cache_path) / name).exists()
