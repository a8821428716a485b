"""Paths that a dataset or a bag names itself: below its folder, and regular files.

A dataset is somebody else's data. Its templates and tables name files, and a name such as
`../../.ssh/id_rsa`, an absolute path, a link out of the folder or a named pipe is refused.
"""

import re
from pathlib import Path, PurePosixPath
from string import Formatter

from vlm_robot_ros.file_limits import FileLimitError, regular_file

_WIDTH = re.compile(r"0?\d?d?$")
"""Of a number in a template, such as 06d; a width of more than one digit has no use."""


def file_below(folder: Path, name: str | Path) -> Path:
    """Return the path of a file that a dataset names relative to its folder.

    A link is followed only to a target below the folder. In a snapshot of the Hugging Face cache
    (`snapshots/REVISION/...`) files are links to `blobs` next to `snapshots`: these are followed,
    too.

    Args:
        folder: The dataset's; it may itself be a link.
        name: Relative, with `/` between its parts.

    Raises:
        FileNotFoundError: there is no such file.
        FileLimitError: it is outside of the folder, or no regular file.
    """
    parts = PurePosixPath(str(name))
    if parts.is_absolute() or ".." in parts.parts or "\0" in str(name) or not parts.parts:
        raise FileLimitError(
            f"'{folder}' names a file '{name}'; valid: relative paths that stay below the folder"
        )
    path = folder / parts
    target = path.resolve()
    valid = [folder.resolve(), *_blobs(folder)]
    if not any(target.is_relative_to(root) for root in valid):
        raise FileLimitError(
            f"'{path}' is a link to '{target}', outside of the dataset; valid: links that stay "
            "below the folder. Copy the file into the folder if you trust it"
        )
    return regular_file(path)


def files_below(folder: Path, pattern: str) -> list[Path]:
    """Return the files below a folder that match a pattern, sorted; errors as of `file_below`."""
    found = sorted(folder.glob(pattern))
    return [file_below(folder, path.relative_to(folder)) for path in found]


def fill_template(template: str, values: dict[str, str | int]) -> str:
    """Return a path template with its placeholders filled in.

    Only `{name}` and `{name:06d}` are valid: Python's own formats reach attributes of objects and
    take any width.

    Args:
        template: Such as `data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet`.
        values: By the names of placeholders; more than the template has are ignored.

    Raises:
        KeyError: the template names a placeholder that has no value.
        FileLimitError: a placeholder has another form.
    """
    result = ""
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise FileLimitError(f"path template '{template}' is not valid: {error}") from error
    for text, name, form, conversion in parsed:
        result += text
        if name is None:
            continue
        if not name.isidentifier() or conversion or not _WIDTH.match(form or ""):
            raise FileLimitError(
                f"path template '{template}' is not valid; valid placeholders: {{name}} or "
                f"{{name:06d}} with {', '.join(values)}"
            )
        if name not in values:
            raise KeyError(name)
        result += format(values[name], form or "")
    return result


def _blobs(folder: Path) -> list[Path]:
    """Return where the Hugging Face cache keeps the files of a snapshot."""
    lexical = folder.absolute()
    for place in (lexical, *lexical.parents):
        if place.parent.name == "snapshots" and (place.parent.parent / "blobs").is_dir():
            return [(place.parent.parent / "blobs").resolve()]
    return []
