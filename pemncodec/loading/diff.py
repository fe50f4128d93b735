"""Compare two files, layer by layer, as they are stored: masks as bits, prototypes once, values as words.

Nothing is filled that can be compared without: where both files fill a layer with the same prototype, its masks say
all. Other values are decoded in pieces, so that the memory is that of one layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..coding.decoder import Decoder
from ..coding.delta.base_files import BaseFiles
from ..common import bits
from ..common.bits import Packed
from ..common.dtypes import DType, float32_of
from ..common.progress import Progress, silent
from ..common.words import Words
from ..container.manifest.generated import GeneratedRow
from ..container.manifest.rows import (
    DEFAULT_MAX_BYTES,
    KeptRow,
    MaskedRow,
    PlainRow,
    PrototypeRow,
    TiledRow,
    numel,
)
from ..container.manifest.zero_table import ZERO_RULES
from ..container.opening import PathOrBytes, memory_errors, naming
from ..errors import NotFoundError
from .differences import Difference, Pair, PrototypeDifference, TensorDifference
from .file import PemnFile
from .magnitudes import largest_difference


def diff(
    first: PathOrBytes,
    second: PathOrBytes,
    *,
    task: str | tuple[str | None, str | None] | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    base: BaseFiles = None,
    progress: Progress = silent,
) -> Difference:
    """Compare two `.pemn` files: masks, values, prototypes, metadata.

    Values are compared as bits: −0.0 is not 0.0, and a NaN is itself.

    Args:
        first, second: a path, or the bytes of a file.
        task: of files with tasks, the one to compare; by default every task that both have. A file without tasks is
            compared with this task. A pair: the task of each file.
        max_bytes: refuse to decode a tensor, or a prototype that it needs, of more bytes.
        base: of deltas among the two, the bases in any order.
        progress: called with (tensors done, tensors in total, name).

    Raises:
        FormatError, FileAccessError: a file cannot be read.
        BaseFileError: a file is a delta, and its base was not given, or is another file.
        NotFoundError: the task is in neither or only one of two files with tasks; or only one of them has tasks, and
            none was chosen.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(PemnFile(one, max_bytes=max_bytes, base=base)) for one in (first, second)]
        comparing = _Comparing(files[0], files[1], first, second)
        pairs = list(_tasks(files[0], files[1], task))
        total = sum(len(one) for _, one, _ in pairs)
        for name, one, two in pairs:
            comparing.task(name, one, two, progress, total)
        progress(total, total, "")
        return comparing.result(*([] if task is not None else file.tasks for file in files))


def _tasks(
    first: PemnFile, second: PemnFile, task: str | tuple[str | None, str | None] | None
) -> Iterator[tuple[str | None, PemnFile, PemnFile]]:
    """Yield the tasks to compare, and both files opened for each."""
    if task is not None and not (first.tasks or second.tasks):
        raise NotFoundError("neither file has tasks: compare them without naming one")
    if task is not None or not (first.tasks and second.tasks):
        names = task if isinstance(task, tuple) else (task, task)
        one, two = (
            file.of_task(name) if name is not None and file.tasks else file
            for file, name in zip((first, second), names, strict=True)
        )
        len(one), len(two)  # several tasks, and none chosen, is an error here
        yield names[0] if names[0] is not None else names[1], one, two
        return
    there = set(second.tasks)
    for name in first.tasks:
        if name in there:
            yield name, first.of_task(name), second.of_task(name)


@dataclass
class _Comparing:
    """A comparison in progress.

    Attributes:
        compared: pairs of entries that were compared, by their numbers: tasks share entries.
        fills: names of the layers by what fills them in each file, where it is not the same.
        prototypes: pairs of prototypes that were compared, by their numbers.
    """

    first: PemnFile
    second: PemnFile
    named_first: PathOrBytes
    named_second: PathOrBytes
    tensors: list[TensorDifference] = field(default_factory=list)
    only: tuple[list[tuple[str | None, str]], list[tuple[str | None, str]]] = field(default_factory=lambda: ([], []))
    reordered: bool = False
    compared: dict[tuple[int, int], TensorDifference] = field(default_factory=dict)
    fills: dict[tuple[Pair[str], int | None], dict[str, None]] = field(default_factory=dict)
    prototypes: dict[tuple[int, int], _Same] = field(default_factory=dict)

    def task(self, task: str | None, one: PemnFile, two: PemnFile, progress: Progress, total: int) -> None:
        """Compare the tensors of a task."""
        common = [name for name in one if name in two]
        self.only[0].extend((task, name) for name in one if name not in two)
        self.only[1].extend((task, name) for name in two if name not in one)
        self.reordered |= common != [name for name in two if name in one]
        for name in common:
            progress(len(self.tensors), total, name)
            key = one.index(name), two.index(name)
            if key not in self.compared:
                self.compared[key] = self._tensor(name, one, two)
            self.tensors.append(replace(self.compared[key], task=task))

    def result(self, first: list[str], second: list[str]) -> Difference:
        """Return what was found, and compare tasks and metadata."""
        ours, theirs = self.first.metadata, self.second.metadata
        keys = sorted({*ours, *theirs})
        return Difference(
            tensors=tuple(self.tensors),
            only_first=tuple(self.only[0]),
            only_second=tuple(self.only[1]),
            tasks_only_first=tuple(name for name in first if name not in set(second)),
            tasks_only_second=tuple(name for name in second if name not in set(first)),
            reordered=self.reordered
            or [t for t in first if t in set(second)] != [t for t in second if t in set(first)],
            metadata={key: Pair(ours.get(key), theirs.get(key)) for key in keys if ours.get(key) != theirs.get(key)},
            prototypes=tuple(PrototypeDifference(*key, tuple(names)) for key, names in self.fills.items()),
        )

    def _tensor(self, name: str, one: PemnFile, two: PemnFile) -> TensorDifference:
        shapes, dtypes = Pair(one.shape(name), two.shape(name)), Pair(one.dtype(name), two.dtype(name))
        tied = Pair(one.alias_of(name), two.alias_of(name))
        found = TensorDifference(name, None, shapes, dtypes, tied, numel(shapes.first))
        if not shapes.same or not dtypes.same:
            return found
        with naming(self.named_first), memory_errors():
            a = _Side(one, one.index(name))
            mask = a.mask()
        with naming(self.named_second), memory_errors():
            b = _Side(two, two.index(name))
            other = b.mask()
        found = _masks(found, mask, other)
        same_fill = self._same_fill(name, a, b)
        if same_fill and found.flips == 0:
            return replace(found, differing=0, largest=0.0)
        dtype = one.decoder.dtype(a.index)
        if found.flips == 0 and isinstance(a.row, KeptRow) and isinstance(b.row, KeptRow):
            pieces = iter([(one.decoder.kept(a.index), two.decoder.kept(b.index))])
        else:
            pieces = zip(one.decoder.pieces(a.index), two.decoder.pieces(b.index), strict=True)
        differing, largest = _values(pieces, dtype)
        return replace(found, differing=differing, largest=largest)

    def _same_fill(self, name: str, a: _Side, b: _Side) -> bool:
        """Return whether one mask gives one weight in both files; note how they are filled if that is not the same."""
        if isinstance(a.row, PlainRow) and isinstance(b.row, PlainRow):
            return False
        if isinstance(a.row, TiledRow) and isinstance(b.row, TiledRow):
            how = [(row.phase, row.zero, row.scale_bits, row.second_phase) for row in (a.row, b.row)]
            both = [self._same_prototype(a.row.prototype, b.row.prototype)]
            if a.row.second is not None and b.row.second is not None:
                both.append(self._same_prototype(a.row.second, b.row.second))
            if not all(one.stored for one in both) or how[0] != how[1]:
                counts = [one.differing for one in both if one.differing is not None]
                self._note(name, a, b, sum(counts) if len(counts) == len(both) else None)
            return how[0] == how[1] and all(one.values for one in both)
        if not (isinstance(a.row, KeptRow) and isinstance(b.row, KeptRow)):
            self._note(name, a, b, None)
        return False

    def _note(self, name: str, a: _Side, b: _Side, differing: int | None) -> None:
        self.fills.setdefault((Pair(a.fill(), b.fill()), differing), {})[name] = None

    def _same_prototype(self, first: int, second: int) -> _Same:
        found = self.prototypes.get((first, second))
        if found is None:
            found = self.prototypes[first, second] = _compared(self.first.decoder, first, self.second.decoder, second)
        return found


@dataclass(frozen=True)
class _Same:
    """Two prototypes, compared.

    Attributes:
        stored: whether the file says them in the same way: the same elements, or the same seed.
        values: whether all elements are the same.
        differing: number of elements that both have and that differ; None where they have other lengths.
    """

    stored: bool
    values: bool
    differing: int | None


def _compared(one: Decoder, first: int, two: Decoder, second: int) -> _Same:
    a, b = one.manifest.prototypes[first], two.manifest.prototypes[second]
    if isinstance(a, GeneratedRow) and a == b:
        return _Same(True, True, 0)
    if a.length != b.length or one.manifest.prototype_dtype(first) != two.manifest.prototype_dtype(second):
        return _Same(False, False, None)
    differs = one.prototype(first) != two.prototype(second)
    presence = [_presence(one, a), _presence(two, b)]
    there = presence[0] & presence[1]
    generated = isinstance(a, GeneratedRow) or isinstance(b, GeneratedRow)
    values = not differs.any() and np.array_equal(presence[0], presence[1])
    return _Same(values and not generated, values, int(np.count_nonzero(differs & there)))


def _presence(decoder: Decoder, row: PrototypeRow) -> NDArray[np.bool_]:
    if isinstance(row, GeneratedRow) or row.presence is None:
        return np.ones(row.length, dtype=np.bool_)
    return bits.unpack(decoder.mask(row.presence), row.length)


@dataclass(frozen=True)
class _Side:
    """An entry of one of the files."""

    file: PemnFile
    index: int

    @property
    def row(self) -> PlainRow | MaskedRow:
        return self.file.decoder.manifest.resolve(self.index)

    def mask(self) -> Packed | None:
        """The mask of a layer, or None."""
        self.file.decoder.begin()
        return None if isinstance(self.row, PlainRow) else self.file.decoder.layer_mask(self.index)

    def fill(self) -> str:
        """Describe what fills the entry."""
        row = self.row
        if isinstance(row, PlainRow):
            return "no mask"
        if isinstance(row, KeptRow):
            return "kept values"
        manifest = self.file.decoder.manifest
        text = manifest.prototype_text(row.prototype)
        if row.phase:
            text += f", from {row.phase} on"
        if row.scale_bits is not None:
            text += f", scale {float32_of(row.scale_bits):.6g}"
        if row.zero:
            text += f", zero bit: {ZERO_RULES[row.zero].name}"
        if row.second is not None:
            text += f" ({manifest.prototype_text(row.second)}, from {row.second_phase} on)"
        return text


def _masks(found: TensorDifference, one: Packed | None, two: Packed | None) -> TensorDifference:
    if one is None and two is None:
        return found
    count = max(found.elements, 1)
    ones = [None if mask is None else bits.count_ones(mask) for mask in (one, two)]
    density: Pair[float | None] = Pair(*(None if n is None else n / count for n in ones))
    if one is None or two is None:
        return replace(found, density=density)
    flips, union = bits.count_ones(one ^ two), bits.count_ones(one | two)
    return replace(found, density=density, flips=flips, overlap=(union - flips) / union if union else 1.0)


def _values(pieces: Iterator[tuple[Words, Words]], dtype: DType) -> tuple[int, float | None]:
    """Return the number of elements whose bits differ, and the largest difference among these."""
    differing, largest, known = 0, 0.0, False
    per = dtype.words_per_element
    for one, two in pieces:
        flags = one != two
        if not flags.any():
            continue
        if per > 1:
            flags = np.repeat(flags.reshape(-1, per).any(axis=1), per)
        differing += int(np.count_nonzero(flags)) // per
        found = largest_difference(one[flags], two[flags], dtype)
        if found is not None:
            largest, known = max(largest, found), True
    return differing, largest if known or not differing else None
