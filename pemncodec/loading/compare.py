"""Compare a file with the checkpoint, or the network, that it was packed from, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..checkpoints.draft import Draft, DraftEntry, PlainTensor, SeededWeight, TiedTensor
from ..coding.delta.base_files import BaseFiles
from ..common import bits
from ..common.progress import Progress, silent
from ..common.words import Words
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..container.opening import PathOrBytes
from ..errors import MismatchError
from ..errors.quoting import quoted
from ..network.model import Alias, MaskedNetwork
from ..network.tile import Tile
from .file import PemnFile, opened_file


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        tensors: number of tensors.
        negative_zeros: zeros of pruned weights that are −0.0 in the checkpoint and +0.0 in the file; all else is equal
            in bits.
    """

    tensors: int
    negative_zeros: int

    def __str__(self) -> str:
        if not self.negative_zeros:
            return "bit for bit"
        return f"bit for bit ({self.negative_zeros} zeros of pruned weights without their minus sign)"


def compare(
    file: PathOrBytes | PemnFile,
    draft: Draft,
    *,
    task: str | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    base: BaseFiles = None,
    progress: Progress = silent,
    compared: Collection[str] = (),
) -> Comparison:
    """Decode every tensor and compare its bits with what a checkpoint says.

    The effective weights are computed here from weight and mask alone, without prototypes or fills.

    Args:
        file: a path, the bytes of a `.pemn` file, or an opened file, which stays open.
        draft: the recognised checkpoint; if it has tasks, the file holds these.
        task: which task of the file to compare with a draft without tasks.
        base: of a delta, as for `PemnFile`.
        compared: names of tensors that `recheck` has compared with the checkpoint already, of a draft without tasks.

    Returns:
        The number of tensors, and what is the same.

    Raises:
        MismatchError: the first tensor that is missing, superfluous or different.
        FormatError: the file cannot be read.
        BaseFileError: it is a delta, and its base was not given, or is another file.
    """
    done, total = 0, sum(1 if entry.task else max(1, len(draft.tasks)) for entry in draft.entries)
    for number, name in enumerate(draft.tasks or [task], 1 if draft.tasks else 0):
        entries = [entry for entry in draft.entries if entry.task in (0, number)]
        with opened_file(file, name, base, max_bytes) as opened:
            _same_names(opened, entries)
            expected = {entry.name: entry for entry in entries}
            for entry in entries:
                progress(done, total, entry.name)
                done += 1
                if entry.name in compared:
                    continue
                if number > 1 and not entry.task:  # common to all tasks, and seen in the first
                    continue
                original = expected[entry.target] if isinstance(entry, TiedTensor) else entry
                _same_tensor(opened, entry.name, original)
    progress(total, total, "")
    return Comparison(len(draft.entries), draft.negative_zeros)


def compare_network(file: PemnFile, network: MaskedNetwork, progress: Progress = silent) -> Comparison:
    """Compare every entry of every task with the values of a network that was packed as it is.

    Raises:
        MismatchError: one is different.
    """
    tiles: dict[int, Tile] = {}
    for index, entry in enumerate(network.entries):
        progress(index, len(network.entries), entry.name)
        if isinstance(entry, Alias):  # the encoder has seen that there is a target
            continue
        words = network.words_of_entry(entry, tiles)
        differs, count = _differing(file, index, partial(_stretch, words))
        if differs or count != len(words):
            raise MismatchError(f"{differs} elements of {quoted(entry.name)} differ from the network")
    return Comparison(len(network.entries), 0)


def _same_names(opened: PemnFile, entries: Sequence[DraftEntry]) -> None:
    ours, theirs = opened.keys(), [entry.name for entry in entries]
    missing = [name for name in theirs if name not in opened]
    extra = sorted(set(ours) - set(theirs))
    if missing or extra:
        parts = [f"{len(missing)} tensors are missing (first: {quoted(missing[0])})"] if missing else []
        parts += [f"{len(extra)} are not in the checkpoint (first: {quoted(extra[0])})"] if extra else []
        raise MismatchError(f"the file holds another network: {', '.join(parts)}")


def _same_tensor(opened: PemnFile, name: str, original: DraftEntry) -> None:
    assert not isinstance(original, TiedTensor)
    dtype = "float32" if isinstance(original, SeededWeight) else original.dtype.name
    if (opened.dtype(name), opened.shape(name)) != (dtype, original.shape):
        raise MismatchError(
            f"{quoted(name)} is {opened.dtype(name)} {list(opened.shape(name))} in the file, but {dtype} "
            f"{list(original.shape)} in the checkpoint"
        )
    differs, _ = _differing(opened, opened.index(name), _effective(original))
    if differs:
        raise MismatchError(f"{differs} elements of {quoted(name)} differ from the checkpoint")


def _stretch(words: Words, start: int, stop: int) -> Words:
    return words[start:stop]


def _differing(opened: PemnFile, index: int, expected: Callable[[int, int], Words]) -> tuple[int, int]:
    """Return how many words of an entry are not those expected from start to stop − 1, and how many there are."""
    start = differs = 0
    for words in opened.decoder.pieces(index):
        stop = start + len(words)
        differs += int(np.count_nonzero(words != expected(start, stop)))
        start = stop
    return differs, start


def _effective(original: DraftEntry) -> Callable[[int, int], Words]:
    """Return a function of the words start … stop − 1 of the effective weight; start is a multiple of 8."""
    assert not isinstance(original, TiedTensor)
    if isinstance(original, PlainTensor):
        return partial(_stretch, original.values)
    if isinstance(original, SeededWeight):
        return _effective_seeded(original)
    values, per = original.values, original.dtype.words_per_element

    def piece(start: int, stop: int) -> Words:
        packed = original.mask.packed[start // per // 8 : bits.byte_length(stop // per)]
        flags = np.repeat(bits.unpack(packed, (stop - start) // per), per)
        return np.where(flags, values[start:stop], np.zeros(1, dtype=values.dtype))

    return piece


def _effective_seeded(original: SeededWeight) -> Callable[[int, int], Words]:
    generator = original.prototype.generator
    repeated = generator.arranged or generator.length < original.mask.length
    period = generator.values() if repeated else None

    def piece(start: int, stop: int) -> Words:
        values = generator.range(start, stop) if period is None else period[np.arange(start, stop) % len(period)]
        if original.factor is not None:
            values = values * np.float32(original.factor)
        zeros = np.where(values == 0, values, -values) if original.zero == "negated" else np.zeros_like(values)
        flags = bits.unpack(original.mask.packed[start // 8 :], stop - start)
        if original.coats:
            values = values * original.level(start, stop)
        return np.where(flags, values, zeros).view(np.uint32)

    return piece
