"""Round what is not masked to a narrower float type, and measure what that loses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...checkpoints.draft import DraftEntry, PlainTensor
from ...common.dtypes import BY_NAME, DType
from ...common.words import Words, to_words, word_type
from ...errors import ConversionError
from .rounding import Floats, is_finite, narrow, widen

_CHUNK = 1 << 18  # elements that are rounded at a time: what it takes in memory is some ten times that of float32


@dataclass
class Largest:
    """The largest of some errors, and in which tensor; the first one of equals."""

    value: float = 0.0
    where: str = ""

    def see(self, errors: Floats, where: str) -> None:
        """Take errors of a tensor into account."""
        found = float(errors.max(initial=0))
        if found > self.value or not self.where:
            self.value, self.where = found, where


@dataclass
class Rounding:
    """The result of rounding.

    Attributes:
        tensors: number of tensors that have another type now.
        absolute: largest absolute error of an element.
        relative: largest relative error of an element that is not zero.
    """

    tensors: int = 0
    absolute: Largest = field(default_factory=Largest)
    relative: Largest = field(default_factory=Largest)


def round_tensors(
    entries: Sequence[DraftEntry],
    exact: Mapping[str, Floats],
    settled: Mapping[str, PlainTensor],
    stored: Callable[[DType], DType],
) -> tuple[list[DraftEntry], Rounding]:
    """Entries with every plain tensor in the type that it will be stored as.

    Args:
        exact: values that take the place of a tensor's own, by name; they are rounded to its type in any case.
        settled: tensors that take the place of others as they are, by name.
        stored: as which type a tensor of a type will be stored.

    Raises:
        ConversionError: a finite value would become infinite.
    """
    rounding = Rounding()
    out: list[DraftEntry] = []
    for entry in entries:
        if not isinstance(entry, PlainTensor) or entry.name in settled:
            out.append(settled.get(entry.name, entry))
            continue
        target = stored(entry.dtype)
        changes = target != entry.dtype
        values, source = entry.values, entry.dtype
        if entry.name in exact:
            values, source = to_words(exact[entry.name]), BY_NAME["float64"]
        elif not changes:
            out.append(entry)
            continue
        rounding.tensors += changes
        seen = rounding if changes else Rounding()
        out.append(PlainTensor(entry.name, target, entry.shape, _round(entry.name, values, source, target, seen)))
    return out, rounding


def _round(name: str, values: Words, source: DType, target: DType, rounding: Rounding) -> Words:
    out = np.empty(len(values), dtype=word_type(target))
    for start in range(0, len(values), _CHUNK):
        old = values[start : start + _CHUNK]
        new = narrow(old, source, target)
        out[start : start + _CHUNK] = new
        finite = is_finite(old, source)
        before, after = widen(old[finite], source), widen(new[finite], target)
        if not np.isfinite(after).all():
            worst = before[~np.isfinite(after)][0]
            raise ConversionError(
                f"{name!r} has the value {worst:.6g}, which is infinite in {target}: choose "
                f"{'bfloat16' if target.name == 'float16' else 'no tensor dtype'}"
            )
        errors = np.abs(after - before)
        rounding.absolute.see(errors, name)
        nonzero = before != 0
        rounding.relative.see(errors[nonzero] / np.abs(before[nonzero]), name)
    return out
