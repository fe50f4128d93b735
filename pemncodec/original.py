"""A file in the layout that was packed, so that the code of the original project loads and evaluates it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from . import layouts
from .allowance import Allowance
from .api import PathLike
from .base import BaseFiles, refuse_base
from .checkpoints import family_named
from .checkpoints.family import Contents
from .checkpoints.folders import OutputFolder
from .checkpoints.saving import save_original
from .container.generators import GeneratorRow
from .container.manifest import DEFAULT_MAX_BYTES, ZERO_NAMES, TiledRow, numel
from .dtypes import float32_of
from .errors import OutputError, OutputExistsError, UnknownLayoutError
from .generated import generator_of
from .opening import PathOrBytes, memory_errors, naming
from .options import Fractions
from .prototypes.generator import Generator
from .reader import PemnFile, metadata_of
from .recipe import Recipe
from .tasks import KEEP, OF_TASK, SEPARATE


def load_original(
    source: PathOrBytes,
    *,
    task: str | None = None,
    base: BaseFiles = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> Any:
    """What was packed, as its project saves it: keys, wrapping, and scores or masks of 0 and 1.

    The project's own rule gives the same masks and, bit for bit, the same effective weights. Weights that no mask keeps
    are zero where the file does not hold them. What was left out (optimizer, epoch, …) is not there.

    Args:
        source: a `.pemn` file.
        task: which task, where the file was packed from a checkpoint a task.
        base: of a delta.
        max_bytes: refuse to make more: weights, scores and masks of all layers count.

    Returns:
        A state_dict; a dictionary that holds it under the key that it had; or an `OutputFolder`.

    Raises:
        FormatError: the file cannot be decoded.
        NotFoundError: no such task.
        OutputError: the file does not say which layout it was packed from, or its layout holds all tasks at once.
    """
    metadata = metadata_of(source)
    details = _of_task(details_of(metadata), task)
    try:
        family = family_named(metadata.get("pemn.layout", ""))
    except UnknownLayoutError:
        raise OutputError(
            f"the file does not say which layout it was packed from ({metadata.get('pemn.layout', 'nothing')!r}): use "
            "another layout"
        ) from None
    with naming(source), memory_errors(), ExitStack() as stack:
        file = stack.enter_context(PemnFile(source, task=task, base=base, max_bytes=max_bytes))
        contents = _Contents(file, metadata, details, task, layouts.result_allowance(max_bytes))
        if task is not None and not details.get(SEPARATE):
            raise OutputError(f"layout {family.name!r} holds all tasks in one checkpoint: leave the task away")
        made = family.restore(contents)
    under = details.get("under")
    return made if under is None or isinstance(made, OutputFolder) else {under: made}


def unpack_original(
    source: PathLike,
    output: PathLike,
    *,
    task: str | None = None,
    base: BaseFiles = None,
    overwrite: bool = True,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> int:
    """Write what `load_original` gives, whole or not at all.

    Args:
        source: a `.pemn` file.
        output: where to write: a folder if a folder was packed, safetensors if it ends in `.safetensors`, else a file
            as torch.save writes it.
        overwrite: whether an existing file may be replaced. A folder with something in it never is.

    Returns:
        The number of tensors.

    Raises:
        FormatError, NotFoundError, OutputError: as `load_original`.
        OutputError: `output` cannot be written, or safetensors cannot hold the layout.
        OutputExistsError: `output` is `source` or `base`, or exists and `overwrite` is False.
    """
    path = Path(output)
    refuse_base(path, base)
    if path.exists() and path.samefile(os.fspath(source)):
        raise OutputExistsError(f"{path} is the input itself: name another output")
    made = load_original(source, task=task, base=base, max_bytes=max_bytes)
    return save_original(made, path, overwrite=overwrite, max_bytes=max_bytes)


def is_folder(source: PathOrBytes) -> bool:
    """Whether the layout that was packed is a folder."""
    metadata = metadata_of(source)
    return metadata.get("pemn.layout") == "lottery-ticket-hypothesis" or "model" in details_of(metadata)


def details_of(metadata: Mapping[str, str]) -> dict[str, Any]:
    """What the file says of its original layout; nothing if that cannot be understood."""
    try:
        details = json.loads(metadata.get("pemn.original", "{}"))
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}


def _of_task(details: dict[str, Any], task: str | None) -> dict[str, Any]:
    """The details of a task, where these were packed from a checkpoint each."""
    own: dict[str, Any] = details.get(OF_TASK, {}).get(task, {})
    return details | own


# Bytes that a name in an opened task takes, about.
_NAME = 128


class _Contents:
    """`checkpoints.family.Contents` of an opened file. Names have the prefix that was stripped."""

    def __init__(
        self,
        file: PemnFile,
        metadata: Mapping[str, str],
        details: Mapping[str, Any],
        task: str | None,
        made: Allowance,
    ) -> None:
        self.details = details
        self.rule = metadata.get("pemn.mask_rule", "")
        self.keep: Fractions | None = details.get(KEEP, {}).get(task, json.loads(metadata.get("pemn.keep", "null")))
        self._metadata = metadata
        self._file = file
        self._made = made
        if task is not None or not file.tasks:
            made.take(_NAME * len(file))
        self._prefix = str(details.get("prefix", ""))

    @property
    def names(self) -> Sequence[str]:
        return [self._prefix + name for name in self._file]

    @property
    def tasks(self) -> Sequence[str]:
        return self._file.tasks

    def of(self, task: str) -> Contents:
        return _Contents(self._file.of_task(task), self._metadata, self.details, task, self._made)

    def only_of(self, task: str) -> Sequence[str]:
        number = self._file.tasks.index(task) + 1
        entries = self._file.decoder.manifest.entries
        return [self._prefix + name for name in self._file if entries[self._file.index(name)].task == number]

    def tied_to(self, name: str) -> str | None:
        target = self._file.alias_of(self._own(name))
        return None if target is None else self._prefix + target

    def masked(self, name: str) -> bool:
        return self._file.is_masked(self._own(name))

    def dense(self, name: str) -> torch.Tensor:
        self._count(name, None)
        return self._file.get_tensor(self._own(name))

    def filled(self, name: str) -> torch.Tensor:
        self._count(name, None)
        return layouts.filled(self._file.decoder, self._index(name))

    def scores(self, name: str) -> torch.Tensor:
        self._count(name, 4)
        return layouts.scores(self._file.decoder, self._index(name))

    def mask(self, name: str) -> torch.Tensor:
        own = self._own(name)
        self._count(name, 4)  # families make numbers of it
        return torch.from_numpy(self._file.get_mask(own).to_bool()).reshape(self._file.shape(own))

    def recipe(self, name: str, keep: float, sampler: str) -> Recipe:
        manifest = self._file.decoder.manifest
        row = manifest.resolve(self._index(name))
        prototype = manifest.prototypes[row.prototype] if isinstance(row, TiledRow) else None
        if not isinstance(row, TiledRow) or not isinstance(prototype, GeneratorRow):
            raise OutputError(f"{name!r} is not filled by a generator, so there is no recipe for it: use 'masked'")
        factor = None if row.scale_bits is None else float32_of(row.scale_bits)
        generator = generator_of(prototype)
        assert isinstance(generator, Generator)
        return Recipe(generator, keep, sampler, ZERO_NAMES[row.zero], factor)

    def _count(self, name: str, itemsize: int | None) -> None:
        """Count a tensor that is about to be made, of elements of this size; None: of the file's own."""
        self._file.decoder.begin()
        size, manifest = self._file.decoder.size(self._index(name)), self._file.decoder.manifest
        if itemsize is not None:
            size = itemsize * numel(manifest.resolve(self._index(name)).shape)
        self._made.take(size + layouts.TENSOR_BYTES)

    def _own(self, name: str) -> str:
        return name[len(self._prefix) :]

    def _index(self, name: str) -> int:
        return self._file.index(self._own(name))
