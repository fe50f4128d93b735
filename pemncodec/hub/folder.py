"""The files of a model in a folder, or in a repository: read as data, and written together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..common.files import whole_file
from ..common.strict_json import parse
from ..errors import FileAccessError, OutputError, UnreadableCheckpointError

MODEL, CONFIG, CARD = "model.pemn", "config.json", "README.md"
# Configurations have some kilobytes; the bound keeps a file that only has the name from being read whole.
_MOST = 16 << 20


def read_config(folder: Path) -> dict[str, Any]:
    """Return the object in `config.json`.

    Raises:
        FileAccessError: it is missing or cannot be read.
        UnreadableCheckpointError: it is no JSON object.
    """
    path = folder / CONFIG
    error: FileAccessError | UnreadableCheckpointError
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
        if len(data) > _MOST:
            raise ValueError(f"more than {_MOST} bytes")
        found = parse(data.decode(), infinite=True)
        if not isinstance(found, dict):
            raise ValueError("no object")
    except OSError as reason:
        error = FileAccessError(f"{path} cannot be read: {reason.strerror or reason}")
    except ValueError as reason:
        error = UnreadableCheckpointError(f"{path} is damaged, or no configuration: {reason}")
    else:
        return found
    error.path = str(path)
    raise error


@contextmanager
def written(folder: Path) -> Iterator[Path]:
    """A temporary folder to write to, `model.pemn` among others; its files are moved to `folder` at the end.

    Nothing is written there if the block raises an error. A `README.md` that is there stays: somebody may have edited
    it. A `config.json` that is there goes away if there is no new one, because it belongs to another model.

    Args:
        folder: made if it is not there.

    Raises:
        OutputError: it cannot be written.
    """
    made = _make(folder)
    try:
        with whole_file(folder / MODEL) as model:
            temporary = model.parent / "files"
            temporary.mkdir()
            yield temporary
            for path in sorted(temporary.rglob("*")):
                name = path.relative_to(temporary)
                if path.is_file() and name.as_posix() != MODEL and not (name.name == CARD and (folder / name).exists()):
                    _make((folder / name).parent)
                    with whole_file(folder / name) as file:
                        file.write_bytes(path.read_bytes())
            if not (temporary / CONFIG).exists():
                (folder / CONFIG).unlink(missing_ok=True)
            (temporary / MODEL).replace(model)
    except BaseException:
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir()
        raise


def _make(folder: Path) -> list[Path]:
    """Make a folder and those around it, and return those that are new."""
    new = [path for path in (*reversed(folder.parents), folder) if not os.path.lexists(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as reason:
        why = reason.strerror if isinstance(reason, OSError) else reason
        error = OutputError(f"{folder} cannot be written: {why}")
    else:
        return new
    raise error
