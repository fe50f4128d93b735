"""Settings of a run: a network, the method that gives it its weights, and the training."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from . import networks
from .data import Images


@dataclass(frozen=True)
class Architecture:
    """A network of the paper.

    Attributes:
        kind: `"convmixer"`, `"vit"` or `"resnet"`.
        width: channels, the first stage's for a ResNet.
        depth: blocks; for a ResNet its layers, 6n + 2.
        kernel: of a ConvMixer's depthwise convolutions.
        patch: pixels on a side; for a ResNet the stride of its first convolution.
        heads: of a ViT.
    """

    kind: str
    width: int
    depth: int
    kernel: int = 5
    patch: int = 4
    heads: int = 4

    @property
    def name(self) -> str:
        """As a table calls it."""
        if self.kind == "resnet":
            return f"ResNet-{self.depth} width {self.width}"
        return f"{'ConvMixer' if self.kind == 'convmixer' else 'ViT'} {self.width}/{self.depth}"

    def build(self, images: Images) -> nn.Module:
        """The network for such images, at PyTorch's initialisation."""
        channels, size = images.train.shape[1], images.train.shape[2]
        if self.kind == "convmixer":
            return networks.convmixer(self.width, self.depth, self.kernel, self.patch, channels)
        if self.kind == "vit":
            return networks.VisionTransformer(self.width, self.depth, self.heads, self.patch, size, channels)
        return networks.resnet(self.depth, self.width, self.patch, channels)


@dataclass(frozen=True)
class Recipe:
    """The training of a run: AdamW, with the learning rate rising to `rate` and falling to 0 (one cycle)."""

    epochs: int
    batch: int = 128
    rate: float = 0.01
    decay: float = 0.01


@dataclass(frozen=True)
class Setting:
    """One point of a plot.

    Attributes:
        architecture: the network.
        method: `"dense"`; `"masked"` (pemncodec.nn); `"magnitude"` (trained for half of the epochs, pruned by
            magnitude over all layers together, trained on); `"random"` (pruned at random before training).
        strategy, ratio, keep, zeros, permute: of a masked network, as `mask_network` takes them.
        pruned: fraction that a pruned network loses.
    """

    architecture: Architecture
    method: str
    strategy: str = ""
    ratio: float = 0.0
    keep: float = 0.0
    zeros: float = 0.0
    permute: bool = False
    pruned: float = 0.0

    @property
    def name(self) -> str:
        """The method in words, with its parameters."""
        if self.method == "dense":
            return "dense"
        if self.method != "masked":
            return f"{self.method} pruning {self.pruned:.0%}"
        ratio = f" {self.ratio:.0e}".replace("e-0", "e-") if self.strategy == "random-vector" else ""
        zeros = f", {self.zeros:.0%} zeros" if self.zeros else ""
        zeros += ", permuted" if self.permute else ""
        return f"{'full mask' if self.strategy == 'full' else self.strategy}{ratio}, keep {self.keep:g}{zeros}"
