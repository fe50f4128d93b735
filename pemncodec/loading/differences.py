"""The result of comparing two files: plain values, for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Pair(Generic[T]):
    """A value in the first file, and in the second."""

    first: T
    second: T

    @property
    def same(self) -> bool:
        """Return whether they are equal."""
        return self.first == self.second


@dataclass(frozen=True)
class TensorDifference:
    """A tensor that both files have, compared.

    Attributes:
        name: of the tensor.
        task: that it was compared in; None where the files have none.
        shape, dtype: in each file. Where they differ, values and masks are not compared.
        tied: the tensor that it shares its memory with in each file, or None.
        elements: number of elements.
        density: fraction of ones in the mask of each file, or None without a mask; None if neither has one.
        overlap: intersection over union of the masks, 1 if both are empty; None unless both have one.
        flips: number of mask bits that differ; None unless both have a mask.
        differing: number of elements that are decoded to other bits; None if they were not compared.
        largest: the largest |first − second| among the elements that differ in bits and are finite in both; 0 if none
            differs, None if none of them is finite, or the dtype has no numbers here.
    """

    name: str
    task: str | None
    shape: Pair[tuple[int, ...]]
    dtype: Pair[str]
    tied: Pair[str | None]
    elements: int
    density: Pair[float | None] | None = None
    overlap: float | None = None
    flips: int | None = None
    differing: int | None = None
    largest: float | None = None

    @property
    def same(self) -> bool:
        """Return whether shape, dtype, ties, masks and all bits are equal."""
        alike = self.shape.same and self.dtype.same and self.tied.same and not self.flips
        return alike and self.differing == 0 and (self.density is None or self.density.same)


@dataclass(frozen=True)
class PrototypeDifference:
    """The fill of a layer in each file, where that is not the same.

    Attributes:
        summary: the prototype in each file (seed, generator, length) and how the layer uses it, or "kept values".
        differing: number of elements that both prototypes have and whose bits differ; None where they are not of one
            length, or one layer has no prototype.
        layers: names of the layers that are filled so.
    """

    summary: Pair[str]
    differing: int | None
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """Two files, compared.

    Attributes:
        tensors: those that both have, in the order of the first file.
        only_first, only_second: task and name of tensors that one of them lacks; the task is None where there is none.
        tasks_only_first, tasks_only_second: tasks that one of them lacks; empty where one task was chosen.
        reordered: whether the tensors that both have come in another order.
        metadata: values by key, where they differ; None where there is no such key.
        prototypes: what fills layers, where it differs.
    """

    tensors: tuple[TensorDifference, ...]
    only_first: tuple[tuple[str | None, str], ...]
    only_second: tuple[tuple[str | None, str], ...]
    tasks_only_first: tuple[str, ...]
    tasks_only_second: tuple[str, ...]
    reordered: bool
    metadata: dict[str, Pair[str | None]]
    prototypes: tuple[PrototypeDifference, ...]

    @property
    def same_tensors(self) -> bool:
        """Return whether both hold the same tensors in the same order, bit for bit, under the same masks."""
        missing = self.only_first or self.only_second or self.tasks_only_first or self.tasks_only_second
        return not missing and not self.reordered and all(one.same for one in self.tensors)

    @property
    def same(self) -> bool:
        """Return whether metadata and what fills the layers are the same, too."""
        return self.same_tensors and not self.metadata and not self.prototypes

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON values, as `pemn diff --json` prints it."""
        found = asdict(self)
        for one, told in zip(self.tensors, found["tensors"], strict=True):
            told["same"] = one.same
        return {"same": self.same, "same_tensors": self.same_tensors, **found}
