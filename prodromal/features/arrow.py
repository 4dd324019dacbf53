"""Numbers out of Arrow columns, without a copy and without the half second in which Arrow would import pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["identifiers", "locked", "numbers"]


def numbers(column: pa.Array, dtype: type[np.generic], missing: float) -> npt.NDArray[Any]:
    """Values of a column whose type has the width of `dtype`, read-only; `missing` where there is none.

    Days count from 1970-01-01.
    """
    end, size = column.offset + len(column), np.dtype(dtype).itemsize
    if not len(column):
        return locked(np.empty(0, dtype=dtype))
    valid, values = column.buffers()
    plain = np.frombuffer(values, dtype=dtype, count=end)[column.offset :]
    assert column.type.bit_width == 8 * size, f"{column.type} is no {dtype}"
    if not column.null_count:
        return locked(plain)
    present = np.unpackbits(np.frombuffer(valid, dtype=np.uint8), bitorder="little", count=end)[column.offset :]
    return locked(np.where(present, plain, np.asarray(missing, dtype=dtype)))


def identifiers(column: pa.Array) -> npt.NDArray[Any]:
    """Ids of persons: int64, or objects that are str."""
    import pyarrow as pa

    if pa.types.is_integer(column.type):
        return numbers(column if column.type == pa.int64() else column.cast(pa.int64()), np.int64, -1)
    return np.array(column.to_pylist(), dtype=object)


def locked(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A read-only view, as Arrow's own are, so that a loop is compiled for one kind of array."""
    view = values.view()
    view.flags.writeable = False
    return view
