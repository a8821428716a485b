"""Files and tables of a LeRobotDataset."""

from pathlib import Path
from typing import Any

from vlm_robot_ros.data.dataset import DataError
from vlm_robot_ros.data.dataset_paths import file_below, files_below

try:
    from vlm_robot_ros.data.formats.parquet_rows import read_rows
except ImportError as error:
    raise DataError(
        f"LeRobotDataset needs pyarrow and av ({error}): pip install 'vlm_robot_ros[data]'"
    ) from error


def read_table(
    file: Path, columns: list[str] | None = None, equal: tuple[str, int] | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a parquet table.

    Args:
        file: The table.
        columns: Those to read; all if not given.
        equal: A column and its value in the rows to read; all rows if not given.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return read_rows(file, columns, equal)
    except Exception as error:  # of pyarrow there are many
        raise DataError(f"'{file}' cannot be read: {error}") from error


def dataset_file(folder: Path, name: str) -> Path:
    """Return a file below a folder.

    Raises:
        DataError: there is none, or it is elsewhere.
    """
    try:
        return file_below(folder, name)
    except (OSError, ValueError) as error:
        raise DataError(f"'{folder / name}' cannot be read: {error}") from error


def dataset_files(folder: Path, pattern: str) -> list[Path]:
    """Return the files below a folder that match a pattern.

    Raises:
        DataError: one of them is elsewhere.
    """
    try:
        return files_below(folder, pattern)
    except (OSError, ValueError) as error:
        raise DataError(f"'{folder}' cannot be read: {error}") from error
