"""`diff` of files and checkpoints: a checkpoint is read by its family, and compared as the file that `save` makes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from ..checkpoints import metadata as own_metadata
from ..checkpoints.options import PackOptions
from ..checkpoints.reading.load import CheckpointFile
from ..checkpoints.said import always_said, read_as_said
from ..coding.delta.base_files import BaseFiles
from ..common.progress import Reporting, callback, silent
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..container.opening import PathOrBytes, metadata_of, naming
from ..container.ranges import is_url
from ..loading import diff as stored
from ..loading.differences import Difference
from .job import Job, Source
from .networks import is_pemn
from .pack import pack_to_bytes

Side = PathOrBytes | CheckpointFile | torch.nn.Module | Mapping[str, Any]


def diff(
    first: Side,
    second: Side,
    *,
    task: str | tuple[str | None, str | None] | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    base: BaseFiles = None,
    progress: Reporting = silent,
    **reading: Any,
) -> Difference:
    """Compare two `.pemn` files, or one with a checkpoint: masks, values, prototypes, metadata.

    Values are compared as bits: −0.0 is not 0.0, and a NaN is itself. A checkpoint is read as `pack` reads it, with the
    options that the file was packed with where none are given.

    Args:
        first, second: a path, a URL, or the bytes of a file; or a checkpoint: a path, a module, or its state_dict.
        task: of files with tasks, the one to compare; by default every task that both have. A file without tasks is
            compared with this task. A pair: the task of each file.
        max_bytes: refuse to decode a tensor, or a prototype that it needs, of more bytes.
        base: of deltas among the two, the bases in any order.
        progress: called with (tensors done, tensors in total, name).
        reading: how a checkpoint is read, as for `pack_file`: `keep`, `rule`, `threshold`, `ties`, `family`, `masks`,
            `backbone`, `mask_suffix`, `inverted_masks`, `strip_prefix`, `mixed_prefixes`, `key`.

    Raises:
        FormatError, FileAccessError: a file cannot be read.
        BaseFileError: a file is a delta, and its base was not given, or is another file.
        CheckpointError: a checkpoint cannot be read or packed.
        NotFoundError: the task is in neither or only one of two files with tasks; or only one of them has tasks, and
            none was chosen.
    """
    sides = [_checkpoint(one, max_bytes) for one in (first, second)]
    names = task if isinstance(task, tuple) else (task, task)
    files: list[PathOrBytes] = []
    for place, (side, given) in enumerate(zip(sides, (first, second), strict=True)):
        if side is None:
            files.append(_file(given))
            continue
        other = _file((second, first)[place]) if sides[1 - place] is None else None
        files.append(_packed(side, PackOptions(**reading), other, names[1 - place]))
    return stored.diff(*files, task=task, max_bytes=max_bytes, base=base, progress=callback(progress))


def _checkpoint(given: Side, max_bytes: int) -> Source | None:
    """Return a checkpoint as a source of packing; None for a file, and for what its reader refuses."""
    if isinstance(given, torch.nn.Module | Mapping):
        return given
    if isinstance(given, str | os.PathLike) and not is_url(given):
        given = CheckpointFile(Path(given), max_bytes=max_bytes)
    if not isinstance(given, CheckpointFile):
        return None
    return given if given.path.exists() and not is_pemn(given.path) else None


def _file(given: Side) -> PathOrBytes:
    return given.path if isinstance(given, CheckpointFile) else cast("PathOrBytes", given)


def _packed(source: Source, options: PackOptions, other: PathOrBytes | None, task: str | None) -> bytes:
    """Return the file that a checkpoint is packed to, as the other file says where the options do not."""
    if other is None:
        return pack_to_bytes(Job({"": source}, reading=options))[0]
    with naming(other):
        said = own_metadata.read(metadata_of(other)).for_task(task)
    return read_as_said(
        lambda reading: pack_to_bytes(Job({"": source}, reading=reading))[0], always_said(options, said), said
    )
