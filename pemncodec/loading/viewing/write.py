"""`view_file`: the page of a file, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from ...coding.delta.base_files import BaseFiles
from ...common.files import whole_file
from ...common.progress import Progress, silent
from ...container.manifest.rows import DEFAULT_MAX_BYTES
from ...container.opening import PathOrBytes, memory_errors, naming, path_of
from ..file import PemnFile
from .page import page


def page_of(
    source: PathOrBytes,
    *,
    task: str | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    base: BaseFiles = None,
    progress: Progress = silent,
) -> str:
    """Return a page of HTML about a file.

    Args:
        source: a path, or the bytes of a `.pemn` file.
        task: the only task that is shown; by default all of them.
        max_bytes: refuse to decode a section of more bytes.
        base: of a delta, as for `PemnFile`. Without it the page lacks the pictures that need it.
        progress: called with (done, total, name).

    Raises:
        FormatError: the file is damaged, breaks the format, or decodes to more than `max_bytes`.
        NotFoundError: the task is not in the file.
        BaseFileError: a base that was given is another file.
        FileAccessError: `source` cannot be read.
    """
    path = path_of(source)
    name = "a .pemn file in memory" if path is None else Path(path).name
    with naming(source), memory_errors(), PemnFile(source, task=task, max_bytes=max_bytes, base=base) as file:
        return page(file.decoder, name, task=None if task is None else file.task, bases=bool(base), progress=progress)


def write_page(text: str, path: Path, *, overwrite: bool) -> None:
    """Write a page as UTF-8.

    Raises:
        OutputExistsError: `path` exists, and `overwrite` is False.
        OutputError: it cannot be written.
    """
    with whole_file(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(text.encode())
