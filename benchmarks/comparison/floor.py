"""The information in a network, in bits: what an ordinary coder of its parts gets down to.

- **masks**: log2 C(n, ones) for every mask, over the n positions at which the value before masking is not zero. (All
  masks of that many ones are taken as equally likely. Where masks have more order than their density, a coder could
  get below; the networks are compared with it all the same.)
- **prototypes**: vectors that fill more than one layer, or one layer more than once. 16 bytes for every seed where the
  checkpoint has seeds; else the values that some layer keeps.
- **kept**: the kept values of layers that nothing else fills.
- **tensors**: everything that is not masked.
- **description**: names, dtypes and shapes, without which there is no state_dict: a line of text each, as xz or zstd
  takes it, whichever is shorter (raw LZMA, without a container). This is no bound, but what general compressors reach;
  headers, checksums, metadata and sizes of sections are a file's own.

For prototypes, kept values and tensors no floor exists without a supposition of where values come from. The supposition
is that of every general coder of tensors: the elements of a group are drawn independently, byte by byte. The floor of a
group is the least of

- its bytes as they are;
- the order-0 entropy of its byte planes, the sum over j of the entropy of the j-th bytes of all elements;
- the same after rotating each element left by one bit, so that the exponent of a float32 is one byte;
- for at most 16 distinct values: log2 of the multinomial coefficient of their counts. The values themselves are free,
  so one constant costs nothing, and signs of a constant about one bit each.

The entropy is that of the source, estimated from the group as Miller and Madow do: the empirical one plus
(symbols - 1) / 2n nats. The empirical entropy alone is the code length under the group's own histogram, and the
histogram is free: the smaller the group, the more noise it seems to explain. A group of one element has none, and the
lowest bytes of 512 random floats seem to have 7.6 bits. The finer of two groupings has always the lesser entropy, then,
and the finest is no bound of anything. The groups are stated and not searched: **tensors by kind**, all of one last
name (`running_mean`), dtype and number of dimensions together; **kept values by layer** where a layer keeps 4,096 or
more, all smaller layers together; **prototypes** one by one.

`strict` is the sum with the empirical entropies and without the description, which no coder reaches on small groups.
It is reported beside the floor.
"""

from __future__ import annotations

import lzma
import math
from collections import defaultdict
from dataclasses import dataclass

import torch
import zstandard

from .network import Masked, Network
from .vectors import bits, vectors

SEED_BYTES = 16
FEW = 16  # distinct values that are counted by a multinomial coefficient
OWN_GROUP = 4096  # kept values from which a layer is a group of its own

_LOG2 = math.log(2)


@dataclass(frozen=True)
class Floor:
    """Bits by part; `strict`: as the docstring above says."""

    masks: float
    prototypes: float
    kept: float
    tensors: float
    description: float
    strict: float

    @property
    def bits(self) -> float:
        """All parts."""
        return self.masks + self.prototypes + self.kept + self.tensors + self.description

    def parts(self) -> dict[str, int]:
        """Bytes by part, rounded."""
        named = {
            "floor": self.bits,
            "floor_masks": self.masks,
            "floor_prototypes": self.prototypes,
            "floor_kept": self.kept,
            "floor_tensors": self.tensors,
            "floor_rest": self.description,
            "floor_strict": self.strict,
        }
        return {name: round(value / 8) for name, value in named.items()}


@dataclass(frozen=True)
class Bits:
    """Code length of a group, with and without the correction."""

    plain: float = 0.0
    corrected: float = 0.0

    def __add__(self, other: Bits) -> Bits:
        return Bits(self.plain + other.plain, self.corrected + other.corrected)


def floor(network: Network) -> Floor:
    """The floor of a network."""
    masks = sum(mask_bits(layer) for layer in network.masked.values())
    prototypes, kept = Bits(), Bits()
    small: dict[torch.dtype, list[torch.Tensor]] = defaultdict(list)
    for vector in vectors(network):
        if vector.shared:
            prototypes += group_bits(vector.values)
        elif len(vector.values) >= OWN_GROUP or few(vector.values):
            kept += group_bits(vector.values)
        else:
            small[vector.values.dtype].append(vector.values)
    for values in small.values():
        kept += group_bits(torch.cat(values))
    if network.seeds is not None:
        prototypes = Bits(8 * SEED_BYTES * network.seeds, 8 * SEED_BYTES * network.seeds)
    kinds: dict[tuple[str, torch.dtype, int], list[torch.Tensor]] = defaultdict(list)
    for name, tensor in network.plain.items():
        kinds[name.rsplit(".", 1)[-1], tensor.dtype, tensor.dim()].append(tensor.flatten())
    tensors = Bits()
    for members in kinds.values():
        tensors += group_bits(torch.cat(members))
    strict = masks + prototypes.plain + kept.plain + tensors.plain
    parts = prototypes.corrected, kept.corrected, tensors.corrected
    return Floor(masks, *parts, 8 * description_bytes(network), strict)


def description_bytes(network: Network) -> int:
    """Names, dtypes and shapes, compressed."""
    lines = [f"{name} {str(t.dtype).removeprefix('torch.')} {list(t.shape)}" for name, t in network.tensors.items()]
    text = "\n".join(lines).encode()
    raw = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
    return min(len(lzma.compress(text, lzma.FORMAT_RAW, filters=raw)), len(zstandard.compress(text, 22)))


def mask_bits(layer: Masked) -> float:
    """log2 C(n, ones), over the positions whose value is not zero."""
    active = layer.fill != 0
    return log2_multinomial([int((layer.mask & active).sum()), int((~layer.mask & active).sum())])


def log2_multinomial(counts: list[int]) -> float:
    """log2 of the number of sequences with these counts."""
    return (math.lgamma(sum(counts) + 1) - sum(math.lgamma(count + 1) for count in counts)) / _LOG2


def few(values: torch.Tensor) -> list[int] | None:
    """The counts of the distinct values, if there are at most `FEW`."""
    if not len(values):
        return []
    words = bits(values)
    if len(words[:OWN_GROUP].unique()) > FEW:
        return None
    counts = words.unique(return_counts=True)[1].tolist()
    return counts if len(counts) <= FEW else None


def group_bits(values: torch.Tensor) -> Bits:
    """The least of the four codes of the docstring above, for flat values of one dtype."""
    raw = 8.0 * values.numel() * values.element_size()
    codes = [Bits(raw, raw), planes_bits(values), planes_bits(rotated(values))]
    counts = few(values)
    if counts is not None:
        codes.append(Bits(log2_multinomial(counts), log2_multinomial(counts)))
    return Bits(min(code.plain for code in codes), min(code.corrected for code in codes))


def rotated(values: torch.Tensor) -> torch.Tensor:
    """Every element, as a word, rotated left by one bit."""
    words = bits(values)
    if words.dtype == torch.uint8:
        return (words << 1) | (words >> 7)
    return (words << 1) | (words < 0).to(words.dtype)


def planes_bits(values: torch.Tensor) -> Bits:
    """The entropies of the byte planes, times the number of elements."""
    planes = values.contiguous().view(torch.uint8).view(len(values), -1).T
    total = Bits()
    for plane in planes:
        total += entropy_bits(torch.bincount(plane.int(), minlength=256))
    return total


def entropy_bits(counts: torch.Tensor) -> Bits:
    """n times the empirical entropy of a histogram; corrected it is at most a byte a symbol."""
    present = counts[counts > 0].double()
    n = float(present.sum())
    plain = float(-(present * (present / n).log2()).sum()) if len(present) > 1 else 0.0
    correction = (len(present) - 1) / (2 * _LOG2) if len(present) > 1 else 0.0
    return Bits(plain, max(plain, min(plain + correction, 8 * n)))
