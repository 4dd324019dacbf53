"""Numbers out of Arrow columns and into them, without a copy and without the time in which Arrow imports pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["column_of", "identifiers", "locked", "numbers", "texts_of"]


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


def column_of(values: npt.NDArray[Any]) -> pa.Array:
    """Numbers or dates as a column, NaN as it is; texts are copied."""
    import pyarrow as pa

    if values.dtype.kind == "O":
        return texts_of(values.tolist())
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def texts_of(texts: list[str]) -> pa.StringArray:
    """Texts as a column."""
    import pyarrow as pa

    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    if ends[-1] > np.iinfo(np.int32).max:
        return pa.array(texts, pa.string())

    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(encoded)))


def locked(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A read-only view, as Arrow's own are, so that a loop is compiled for one kind of array."""
    view = values.view()
    view.flags.writeable = False
    return view
