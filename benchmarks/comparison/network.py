"""One network of the comparison: the checkpoint that a user has, and the dense tensors that a loader must give back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True, eq=False)
class Masked:
    """A weight under a mask.

    Attributes:
        fill: its values before masking.
        mask: bool, in the shape of `fill`; what is not kept is +0.0.
    """

    fill: torch.Tensor
    mask: torch.Tensor

    @property
    def effective(self) -> torch.Tensor:
        """The weight that the network computes with."""
        return torch.where(self.mask, self.fill, torch.zeros((), dtype=self.fill.dtype))


@dataclass(frozen=True, eq=False)
class Network:
    """A network, said three times: as a checkpoint, dense, and as what a user knows of it.

    Nothing here comes from pemncodec's own analysis of the checkpoint, so that its loader is checked like the others.

    Attributes:
        name: as a table calls it.
        checkpoint: what `torch.save` of the user's program wrote: the input of `pemncodec.save_file`.
        keep: the fraction that edge-popup keeps, where the checkpoint does not say it.
        tensors: the effective tensors by name, dense; what every loader must give back, bit for bit.
        masked: the masked ones among them.
        shared: whether layers are filled by common vectors. If not, every layer has its own values.
        seeds: from how many seeds the values before masking come; None if there is no seed in the checkpoint.
        facts: further fields of its rows (how it was trained).
    """

    name: str
    checkpoint: Mapping[str, object]
    keep: float | None
    tensors: dict[str, torch.Tensor]
    masked: dict[str, Masked]
    shared: bool = False
    seeds: int | None = None
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def dense_bytes(self) -> int:
        """Bytes of all tensors, dense."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values())

    @property
    def plain(self) -> dict[str, torch.Tensor]:
        """The tensors that are not masked."""
        return {name: tensor for name, tensor in self.tensors.items() if name not in self.masked}


def top(scores: torch.Tensor, keep: float) -> torch.Tensor:
    """The mask of edge-popup: all but the int((1 - keep) * n) least of the absolute scores."""
    order = scores.abs().flatten().argsort(stable=True)
    mask = torch.ones(scores.numel(), dtype=torch.bool)
    mask[order[: int((1 - keep) * scores.numel())]] = False
    return mask.view(scores.shape)


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    """Return whether both have the same names, and under each the same dtype, shape and bits."""
    if one.keys() != two.keys():
        return False
    return all(tensor.dtype == two[name].dtype and same_bits(tensor, two[name]) for name, tensor in one.items())


def same_bits(one: torch.Tensor, two: torch.Tensor) -> bool:
    """Return whether shape and bytes are equal; torch.equal takes -0.0 for +0.0, and a NaN as unlike itself."""
    if one.shape != two.shape:
        return False
    return torch.equal(*(tensor.contiguous().view(-1).view(torch.uint8) for tensor in (one, two)))
