"""The sizes of the parts of a file, from its manifest alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from .manifest.rows import AliasRow, BoolRow, KeptRow, Manifest, MaskedRow, TensorRow, ValuesRow, numel


@dataclass(frozen=True)
class Sizes:
    """Bytes by part, and what they stand for.

    Attributes:
        masks: bit-packed or entropy-coded masks, of layers and prototypes.
        prototypes: values that fill layers.
        kept: kept values of layers that no prototype fills.
        tensors: everything that is not masked, bool tensors that are stored as masks too.
        rest: header, manifest (seeds included), page table.
        masked_weights: number of weights under a mask.
        decoded: bytes of all tensors, decoded dense.
    """

    masks: int
    prototypes: int
    kept: int
    tensors: int
    rest: int
    masked_weights: int
    decoded: int

    @property
    def total(self) -> int:
        """Bytes of the file."""
        return self.masks + self.prototypes + self.kept + self.tensors + self.rest

    @property
    def bits_per_masked_weight(self) -> float:
        """Masks, prototypes and kept values together, in bits a masked weight; 0 without any."""
        if not self.masked_weights:
            return 0.0
        return 8 * (self.masks + self.prototypes + self.kept) / self.masked_weights

    def parts(self) -> list[tuple[str, int]]:
        """(name, bytes) of each part, in the order of the report."""
        return [
            ("masks", self.masks),
            ("prototypes", self.prototypes),
            ("kept values", self.kept),
            ("other tensors", self.tensors),
            ("everything else", self.rest),
        ]

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return {**asdict(self), "total": self.total, "bits_per_masked_weight": self.bits_per_masked_weight}


def sizes(manifest: Manifest, file_size: int) -> Sizes:
    """The sizes of the parts of a file. A block counts for the use with most of its elements."""
    by_use = {"prototypes": 0, "kept": 0, "tensors": 0}
    for row, use in zip(manifest.blocks, uses(manifest), strict=True):
        by_use[use] += row.size
    bools = bool_masks(manifest)
    masks = sum(row.size for index, row in enumerate(manifest.masks) if index not in bools)
    by_use["tensors"] += sum(manifest.masks[index].size for index in bools)
    layers = [row for row in manifest.entries if isinstance(row, MaskedRow)]
    decoded = sum(
        numel(row.shape) * manifest.entry_dtype(index).itemsize
        for index, row in enumerate(manifest.entries)
        if not isinstance(row, AliasRow)
    )
    return Sizes(
        masks=masks,
        **by_use,
        rest=file_size - masks - sum(by_use.values()),
        masked_weights=sum(numel(row.shape) for row in layers),
        decoded=decoded,
    )


def bool_masks(manifest: Manifest) -> set[int]:
    """The masks that are bool tensors, and nothing else."""
    found = {row.mask for row in manifest.entries if isinstance(row, BoolRow)}
    found -= {row.mask for row in manifest.entries if isinstance(row, MaskedRow)}
    return found - {row.presence for row in manifest.prototypes if isinstance(row, ValuesRow)}


def uses(manifest: Manifest) -> list[str]:
    """The use of each block: `"prototypes"`, `"kept"` or `"tensors"`, whichever has most of its elements."""
    elements = [{"prototypes": 0, "kept": 0, "tensors": 0} for _ in manifest.blocks]
    for prototype in manifest.prototypes:
        if isinstance(prototype, ValuesRow):
            elements[prototype.block]["prototypes"] += manifest.stored_values(prototype)
    for row in manifest.entries:
        if isinstance(row, KeptRow):
            elements[row.block]["kept"] += manifest.masks[row.mask].ones
        elif isinstance(row, TensorRow):
            elements[row.block]["tensors"] += numel(row.shape)
    # empty blocks are those of empty tensors
    return [max(counts, key=lambda use: counts[use]) if any(counts.values()) else "tensors" for counts in elements]
