"""Whether the loops have been compiled on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

__all__ = ["is_compiled"]


def is_compiled() -> bool:
    """Whether an earlier process left the loops on this machine; without them the first use takes half a minute."""
    from prodromal.features import kernels

    loop = cast("Any", kernels.fill)
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    name = f"kernels.fill-{loop.py_func.__code__.co_firstlineno}.{version}.nbi"
    return (Path(loop.stats.cache_path) / name).exists()
