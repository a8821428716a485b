"""Rows of a parquet file, read in batches within the size limit.

A dictionary or a run in parquet stands for any number of values: 60 kB can hold terabytes. So
memory is bounded while the file is decoded, not only by the sizes that it declares.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.parquet as parquet

from vlm_robot_ros.file_limits import UnpackedSize, check_size, regular_file, size_limit

_MOST_ROWS = 1024
"""In a batch."""
_BATCHES = 8
"""A batch takes at most this part of the limit."""
_VALUE_SIZE = 8
"""Of a value in a list, as parquet declares them, in memory [bytes]."""
_GROWTH = 8
"""Bytes of Python objects for one byte of numbers, at most: a float of four takes 32."""


def column_names(file: Path) -> list[str]:
    """Return the names of a file's columns.

    Raises:
        FileNotFoundError: there is none.
        FileLimitError: it is no regular file.
        pyarrow.ArrowInvalid: it is no parquet file.
    """
    return list(parquet.read_schema(regular_file(file)).names)


def read_rows(
    file: Path, columns: Sequence[str] | None = None, equal: tuple[str, int] | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a file, each with its values by the names of their columns.

    Args:
        file: The file.
        columns: Which to read; those that the file lacks are left out. All if not given.
        equal: A column and the value that a row must have there. All rows if not given.

    Raises:
        FileNotFoundError: there is none.
        FileLimitError: it is no regular file, or unpacks to more than the limit.
        pyarrow.ArrowException: it is corrupt.
    """
    what = f"'{file}'"
    size, rows = UnpackedSize(what), []
    with parquet.ParquetFile(regular_file(file)) as source:
        there = source.schema_arrow.names
        wanted = [name for name in there if columns is None or name in columns]
        read = list(dict.fromkeys([*wanted, *([equal[0]] if equal else [])]))
        for group in _groups(source.metadata, equal):
            count = _batch_rows(source.metadata.row_group(group), set(read), what)
            batches = source.iter_batches(count, [group], columns=read, use_threads=False)
            for batch in batches:
                kept = _kept(batch, equal).select(wanted)
                size.add(_size(kept))
                rows += kept.to_pylist()
    return rows


def _groups(metadata: Any, equal: tuple[str, int] | None) -> Iterator[int]:
    """Yield the row groups that may have a row whose column equals a value."""
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = [group.column(index) for index in range(group.num_columns)]
        of_key = [column for column in columns if equal and column.path_in_schema == equal[0]]
        known = of_key[0].statistics if of_key else None
        if not (equal and known and known.has_min_max) or known.min <= equal[1] <= known.max:
            yield number


def _batch_rows(group: Any, read: set[str], what: str) -> int:
    """Return how many rows of a group to decode at once, so that they surely fit.

    No cell of a column is larger than what the column's pages take before they are decoded.
    """
    largest = 1
    for index in range(group.num_columns):
        column = group.column(index)
        if column.path_in_schema.split(".")[0] in read:
            check_size(column.total_uncompressed_size, what)
            check_size(column.num_values * _VALUE_SIZE, what)
            if column.physical_type in ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"):
                largest = max(largest, column.total_uncompressed_size)
    return int(max(1, min(_MOST_ROWS, size_limit() / _BATCHES // largest)))


def _kept(batch: pa.RecordBatch, equal: tuple[str, int] | None) -> pa.RecordBatch:
    if equal is None:
        return batch
    return batch.filter(compute.equal(batch.column(equal[0]), equal[1]))


def _size(batch: pa.RecordBatch) -> int:
    """Return what rows take as Python objects, about [bytes]."""
    return sum(
        column.nbytes * (1 if _holds_bytes(column.type) else _GROWTH) for column in batch.columns
    )


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_holds_bytes(kind.field(index).type) for index in range(kind.num_fields))
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
