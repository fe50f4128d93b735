"""`Draft`: what a checkpoint says, before the sharing in its weights has been found. numpy only.

Recognisers (`checkpoints/`) write it; `assemble` turns it into a `MaskedNetwork`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..coding.bools import is_stored_as_mask
from ..common import bits
from ..common.dtypes import DType
from ..common.words import Words
from ..network.mask import Mask
from ..network.model import GeneratedPrototype


@dataclass(frozen=True)
class PlainTensor:
    """A tensor without a mask.

    Attributes:
        values: words.
        task: as in `network.Tensor`, here and below.
        memory: equal for tensors that share memory, here and below; None: nothing is known of it. It says nothing about
            what they mean: `checkpoints.ties` compares that.
        source: name in the checkpoint, here and below; empty where it is none of its tensors.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    values: Words
    task: int = 0
    memory: Hashable = field(default=None, compare=False, repr=False)
    source: str = field(default="", compare=False)


@dataclass(frozen=True)
class MaskedWeight:
    """A weight tensor and its mask.

    Attributes:
        values: all elements before masking, as words.
        mask: one bit for every element.
        known: which of `values` are what the layer was filled with; None: all of them. Where a weight was saved
            multiplied by its mask it is the mask itself. Every kept element is known; the others are never looked at.
        scores: names in the checkpoint of what the mask follows from; empty where that is the weight itself.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    values: Words
    mask: Mask
    known: Mask | None = None
    task: int = 0
    memory: Hashable = field(default=None, compare=False, repr=False)
    source: str = field(default="", compare=False)
    scores: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class SeededWeight:
    """A weight tensor that a known generator fills from phase 0, and its mask.

    Attributes:
        zero: what a zero bit stands for: `"zero"` or `"negated"`.
        factor: a float32 that multiplies the prototype, or None.
        coats: further masks, each within the one before. A weight is its value times the number of masks that keep it;
            then `zero` is `"zero"` and there is no factor.
    """

    name: str
    shape: tuple[int, ...]
    prototype: GeneratedPrototype
    mask: Mask
    zero: str = "zero"
    factor: float | None = None
    task: int = 0
    memory: Hashable = field(default=None, compare=False, repr=False)
    source: str = field(default="", compare=False)
    coats: tuple[Mask, ...] = ()

    def level(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the number of masks that keep each of the weights start … stop − 1; start is a multiple of 8."""
        level = np.zeros(stop - start, dtype=np.float32)
        for mask in (self.mask, *self.coats):
            level += bits.unpack(mask.packed[start // 8 :], stop - start)
        return level


@dataclass(frozen=True)
class TiedTensor:
    """A second name for `target`, which comes before it."""

    name: str
    target: str
    task: int = 0
    source: str = field(default="", compare=False)
    scores: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Conversion:
    """Something lossy that was done to a draft, on request.

    Attributes:
        done: what, for the user.
        error: the largest error, for the user.
        key: under which `pemn.` key of the metadata the file says it.
        value: what it says there; JSON.
    """

    done: str
    error: str
    key: str
    value: str


DraftEntry = PlainTensor | MaskedWeight | SeededWeight | TiedTensor


@dataclass
class Draft:
    """A recognised checkpoint.

    Attributes:
        family: of the checkpoint, by its name.
        mask_rule: `"edge-popup"`, `"kth-value"`, `"global"`, `"sigmoid"`, `"threshold"`, `"explicit"`, `"nonzero"` or
            `"none"`.
        keep: the fraction kept that the rule was given, or fractions by pattern (`options.Keep`), or None.
        threshold: the number that the rule was given, or None.
        entries: all tensors, in the order of the state_dict.
        dropped: what is in the checkpoint and not in `entries`.
        notes: what the user should know.
        reasons: why it is this family and these masks, for a user who asks.
        original: what is needed to write this layout again and is not in `entries`; JSON values by key.
        accounted: names of tensors of the checkpoint that are neither weights nor masks, and are left out because
            others say the same.
        negative_zeros: number of pruned weights that were −0.0 and become +0.0.
        eps: what the modules with running statistics add to a variance, by the prefix of their tensors (`""` or with
            a dot at the end); empty where there is no module but its tensors only.
        conversions: the lossy conversions that were done.
        safetensors: the `__metadata__` of a safetensors file.
        files: small files of the folder, by name.
        tasks: names of tasks; an entry's `task` is 0 (all of them) or 1 + an index into these.
    """

    family: str
    mask_rule: str
    keep: float | dict[str, float] | None = None
    threshold: float | None = None
    entries: list[DraftEntry] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    original: dict[str, Any] = field(default_factory=dict)
    accounted: list[str] = field(default_factory=list)
    negative_zeros: int = 0
    eps: dict[str, float] = field(default_factory=dict)
    conversions: list[Conversion] = field(default_factory=list)
    safetensors: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    tasks: list[str] = field(default_factory=list)

    @property
    def only_bools(self) -> bool:
        """Return whether all masks of the file will be bool tensors, as `coding.bools.only_bools`."""
        if any(isinstance(entry, MaskedWeight | SeededWeight) for entry in self.entries):
            return False
        plain = [entry for entry in self.entries if isinstance(entry, PlainTensor)]
        return any(is_stored_as_mask(entry.dtype, math.prod(entry.shape)) for entry in plain)
