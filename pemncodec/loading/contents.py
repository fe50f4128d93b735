"""The contents of an opened file, for a family that writes its layout again; and how much that may take, all told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from ..checkpoints.family import Contents
from ..checkpoints.metadata import Metadata
from ..checkpoints.options import Keep
from ..coding.decoder import Decoder
from ..coding.prototypes import generator_of
from ..common import bits
from ..common.dtypes import float32_of
from ..container.manifest.generated import GeneratedRow
from ..container.manifest.rows import AliasRow, PlainRow, TiledRow, numel
from ..container.manifest.zero_table import ZERO_RULES
from ..errors import LimitError, MetadataError, NotFoundError, OutputError, UnknownLayoutError
from ..errors.quoting import quoted
from ..generators.philox.generator import Generator
from ..nn.recipe import Recipe
from .layouts import masked
from .tensors import load_entries
from .threads import available_threads

# Characters of patterns times characters of names: a second or two.
_MOST_MATCHING = 1 << 31
_MORE_TENSORS = 1 << 14


class Budget:
    """The bytes that may still be made.

    Args:
        size: bytes: `max_bytes` of the caller.
        entries: of the file. A few tensors may be made of each, so that tasks that share all of them cost little.
    """

    def __init__(self, size: int, entries: int) -> None:
        self._size = self._left = size
        self._tensors = 4 * entries + _MORE_TENSORS

    def take(self, count: int, what: str) -> None:
        """Count what is about to be made.

        Raises:
            LimitError: it is more than what is left.
        """
        self.check(count, what)
        if not self._tensors:
            raise LimitError(f"the original layout has more tensors than the file can hold ({what})")
        self._left -= count
        self._tensors -= 1

    def check(self, count: int, what: str) -> None:
        """Refuse what would not fit, and count nothing.

        Raises:
            LimitError: it is more than what is left.
        """
        if count > self._left:
            raise LimitError(
                f"the original layout takes more than the {self._size} bytes that max_bytes allows ({what}): raise it "
                "if you trust the file"
            )


@dataclass
class OpenFile:
    """An opened file, shared by the contents of its tasks.

    Attributes:
        decoder: decodes its entries.
        said: what its metadata says.
        budget: what may still be made of it.
    """

    decoder: Decoder
    said: Metadata
    budget: Budget

    def check_patterns(self) -> None:
        """Refuse fractions by pattern that would take long to match.

        Raises:
            MetadataError: there are too many for so many names.
        """
        names = sum(len(row.name) for row in self.decoder.manifest.entries)
        for keep in (self.said.keep, *self.said.keep_of_task.values()):
            if isinstance(keep, dict) and names * sum(map(len, filter(Keep.is_wildcard, keep))) > _MOST_MATCHING:
                raise MetadataError("metadata 'pemn.keep' has too many patterns for so many layers: use another layout")

    @cached_property
    def by_task(self) -> dict[int, list[int]]:
        """Numbers of entries by the number of their task, in order."""
        found: dict[int, list[int]] = {}
        for index, row in enumerate(self.decoder.manifest.entries):
            found.setdefault(row.task, []).append(index)
        return found

    @cached_property
    def tasks(self) -> dict[str, int]:
        """Numbers of tasks by their names."""
        return {name: number for number, name in enumerate(self.decoder.manifest.tasks, 1)}

    def indices(self, task: int) -> dict[str, int]:
        """Numbers of the entries that belong to one task alone, or to all (0), by name."""
        entries = self.decoder.manifest.entries
        return {entries[index].name: index for index in self.by_task.get(task, [])}

    @cached_property
    def common(self) -> dict[str, int]:
        """Numbers of the entries that belong to all tasks."""
        return self.indices(0)

    def size(self, index: int) -> int:
        """Bytes of an entry, dense; no alias's."""
        row = self.decoder.manifest.entries[index]
        return 0 if isinstance(row, AliasRow) else self.decoder.size(index)


class FileContents:
    """`checkpoints.family.Contents` of an opened file. Names have the prefix that was stripped.

    Args:
        file: the file.
        task: which of its tasks, or None.

    Raises:
        NotFoundError: there is no such task.
    """

    def __init__(self, file: OpenFile, task: str | None) -> None:
        if task is not None and task not in file.tasks:
            raise NotFoundError(f"there is no task {quoted(task)} in the file; it has {_listed(list(file.tasks))}")
        said = file.said.for_task(task)
        self._file = file
        self._task = task
        self._number = 0 if task is None else file.tasks[task]
        self._own = file.indices(self._number) if self._number else {}
        self.details: Mapping[str, Any] = said.details
        self.rule = said.mask_rule
        self._keep = said.keep
        self.threshold = said.threshold
        self._prefix: str = said.details.get("prefix", "")

    @cached_property
    def fractions(self) -> Keep | None:
        return Keep.of(self._keep)

    @property
    def names(self) -> Sequence[str]:
        entries = self._file.decoder.manifest.entries
        common = self._file.by_task.get(0, [])
        return [self._prefix + entries[index].name for index in sorted([*common, *self._chosen().values()])]

    @property
    def tasks(self) -> Sequence[str]:
        return () if self._file.said.separate else tuple(self._file.tasks)

    def of(self, task: str) -> Contents:
        return FileContents(self._file, task)

    def only_of(self, task: str) -> Sequence[str]:
        entries = self._file.decoder.manifest.entries
        return [self._prefix + entries[i].name for i in self._file.by_task.get(self._file.tasks[task], [])]

    def tied_to(self, name: str) -> str | None:
        row = self._file.decoder.manifest.entries[self._index(name)]
        if not isinstance(row, AliasRow):
            return None
        return self._prefix + self._file.decoder.manifest.entries[row.target].name

    def masked(self, name: str) -> bool:
        return not isinstance(self._row(name), PlainRow)

    def dense(self, name: str) -> torch.Tensor:
        index, decoder = self._index(name), self._file.decoder
        self._file.budget.take(decoder.size(index), quoted(name))
        row = decoder.manifest.entries[index]
        owner = row.target if isinstance(row, AliasRow) else index
        return load_entries(decoder, {name: owner}, "dense", "cpu", available_threads(None))[name][0][1]

    def filled(self, name: str) -> torch.Tensor:
        self._check_zero(name)
        index = self._index(name)
        self._file.budget.take(self._file.decoder.size(index), quoted(name))
        return masked.filled(self._file.decoder, index)

    def mask(self, name: str, dtype: torch.dtype = torch.bool) -> torch.Tensor:
        self._check_zero(name)
        return self.flags(name, dtype)

    def flags(self, name: str, dtype: torch.dtype = torch.bool) -> torch.Tensor:
        index, decoder = self._index(name), self._file.decoder
        shape = decoder.shape(index)
        self.room(numel(shape) * dtype.itemsize, f"the mask of {quoted(name)}", keep=True)
        flags = bits.unpack(decoder.layer_mask(index), numel(shape))
        return torch.from_numpy(flags).reshape(shape).to(dtype)

    def scores(self, name: str) -> torch.Tensor:
        self._check_zero(name)
        index = self._index(name)
        count = numel(self._file.decoder.shape(index))
        self.room(count * torch.float32.itemsize, f"the scores of {quoted(name)}", keep=True)
        return masked.scores(self._file.decoder, index)

    def room(self, count: int, what: str, *, keep: bool = False) -> None:
        if keep:
            self._file.budget.take(count, what)
        else:
            self._file.budget.check(count, what)

    def recipe(self, name: str, keep: float, sampler: str) -> Recipe:
        manifest, row = self._file.decoder.manifest, self._row(name)
        prototype = manifest.prototypes[row.prototype] if isinstance(row, TiledRow) else None
        generator = generator_of(prototype) if isinstance(prototype, GeneratedRow) else None
        if not isinstance(row, TiledRow) or not isinstance(generator, Generator):
            raise OutputError(f"{quoted(name)} is not filled by a generator, so it has no recipe: use 'masked'")
        factor = None if row.scale_bits is None else float32_of(row.scale_bits)
        recipe = Recipe(generator, keep, sampler, ZERO_RULES[row.zero].name, factor)
        if row.phase or not _can_be_said(recipe):
            raise OutputError(
                f"{quoted(name)} is filled as no recipe can express (phase, patches, scale or zero bits): use 'dense'"
            )
        return recipe

    def check_size(self) -> None:
        """Refuse a network whose dense tensors are more than the budget has, before any is made.

        Raises:
            LimitError: they are.
        """
        total = sum(map(self._file.size, [*self._file.common.values(), *self._own.values()]))
        self._file.budget.check(total, "its dense tensors")

    def _chosen(self) -> dict[str, int]:
        if self._task is None and self._file.tasks:
            raise NotFoundError(
                f"the file holds {len(self._file.tasks)} tasks: choose one of {_listed(list(self._file.tasks))}"
            )
        return self._own

    def _check_zero(self, name: str) -> None:
        row = self._row(name)
        if isinstance(row, TiledRow) and not ZERO_RULES[row.zero].sparse:
            raise OutputError(
                f"{quoted(name)} has zero bits for other values, which this layout cannot express: use 'dense'"
            )
        if isinstance(row, PlainRow):
            raise OutputError(f"{quoted(name)} has no mask, but this layout needs one: use another layout")

    def _row(self, name: str) -> Any:
        return self._file.decoder.manifest.resolve(self._index(name))

    def _index(self, name: str) -> int:
        own = name[len(self._prefix) :] if name.startswith(self._prefix) else None
        index = None if own is None else self._own.get(own, self._file.common.get(own))
        if index is None:
            raise NotFoundError(f"there is no tensor {quoted(name)} in the file")
        return index


def _can_be_said(recipe: Recipe) -> bool:
    """Return whether the integers of a recipe give the same recipe."""
    try:
        return Recipe.from_integers(recipe.to_integers(), "the recipe") == recipe
    except (UnknownLayoutError, ValueError):  # a sampler or zero bit without a number
        return False


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names[:4])) + (", …" if len(names) > 4 else "") if names else "none"
