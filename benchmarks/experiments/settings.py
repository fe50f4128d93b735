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
        affine: whether its BatchNorms have weights and biases.
    """

    kind: str
    width: int
    depth: int
    kernel: int = 5
    patch: int = 4
    heads: int = 4
    affine: bool = True

    @property
    def name(self) -> str:
        """As a table calls it."""
        affine = "" if self.affine else ", BatchNorm not affine"
        if self.kind == "resnet":
            return f"ResNet-{self.depth} width {self.width}{affine}"
        return f"{'ConvMixer' if self.kind == 'convmixer' else 'ViT'} {self.width}/{self.depth}{affine}"

    def build(self, images: Images) -> nn.Module:
        """The network for such images, at PyTorch's initialisation."""
        channels, size = images.train.shape[1], images.train.shape[2]
        if self.kind == "convmixer":
            model: nn.Module = networks.convmixer(self.width, self.depth, self.kernel, self.patch, channels)
        elif self.kind == "vit":
            model = networks.VisionTransformer(self.width, self.depth, self.heads, self.patch, size, channels)
        else:
            model = networks.resnet(self.depth, self.width, self.patch, channels)
        return model if self.affine else networks.without_affine(model)


@dataclass(frozen=True)
class Recipe:
    """The training of a run: AdamW, with a learning rate that rises to `rate` and falls to 0.

    Attributes:
        schedule: `"one-cycle"` (PyTorch's), or `"triangle"`: linear to `rate` at 40 % of the steps, to a twentieth of
            it at 80 %, and to 0 (the published code of ConvMixer for CIFAR-10, which PEMN takes over).
        precision: of the forward pass in training: `"float32"`, or `"bfloat16"` under autocast. Files are always
            evaluated in float32.
        augment: of CIFAR's images: `"crop"` (shifted and flipped), or `"strong"` (RandAugment and erasing, too).
    """

    epochs: int
    batch: int = 128
    rate: float = 0.01
    decay: float = 0.01
    schedule: str = "one-cycle"
    precision: str = "float32"
    augment: str = "crop"


@dataclass(frozen=True)
class Setting:
    """One point of a plot.

    Attributes:
        architecture: the network.
        method: `"dense"`; `"masked"` (pemncodec.nn); pruned by magnitude over all layers together, and trained on:
            `"magnitude"` (at once, after half of the epochs), `"gradual"` (cubically from a quarter of them to three
            quarters; Zhu and Gupta 2017) or `"rewound"` (at once after half of them, then with the weights of the first
            epoch and a new cycle of the rate); `"random"` (pruned at random before training).
        strategy, ratio, keep, zeros, permute, init, zero, sampler, trained, rescale, coats: of a masked network, as
            `mask_network` takes them.
        layers: of a masked network, the fraction of each layer: `"uniform"`, `keep` for all, or `"erdos-renyi"`, by its
            shape, `keep` for all together.
        annealed: whether it begins with all weights, and keeps cubically fewer over the first three quarters of the
            training (`KeepSchedule`).
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
    init: str = "kaiming-normal"
    zero: str = "zero"
    sampler: str = "edge-popup"
    trained: bool = False
    rescale: bool = False
    coats: int = 1
    layers: str = "uniform"
    annealed: bool = False

    @property
    def name(self) -> str:
        """The method in words, with its parameters."""
        if self.method == "dense":
            return "dense"
        if self.method != "masked":
            return f"{self.method} pruning {self.pruned:.0%}"
        return ", ".join([self._values, f"keep {self.keep:g}", *self._more])

    @property
    def _values(self) -> str:
        if self.sampler == "ternary":
            return "ternary"
        if self.strategy == "random-vector" and not self.ratio and self.zero == "negated":
            return "signs"
        ratio = f" {self.ratio:.0e}".replace("e-0", "e-") if self.strategy == "random-vector" else ""
        return f"{'full mask' if self.strategy == 'full' else self.strategy}{ratio}"

    @property
    def _more(self) -> list[str]:
        """Everything that is not the default."""
        signs = self._values == "signs"
        return [
            *([f"{self.zeros:.0%} zeros"] if self.zeros else []),
            *(["permuted"] if self.permute else []),
            *([self.init] if self.init != "kaiming-normal" and not signs else []),
            *(["negated"] if self.zero != "zero" and not signs else []),
            *([self.sampler] if self.sampler == "bernoulli" else []),
            *(["trained values"] if self.trained else []),
            *(["rescaled"] if self.rescale else []),
            *([f"{self.coats} coats"] if self.coats > 1 else []),
            *(["Erdős–Rényi"] if self.layers == "erdos-renyi" else []),
            *(["annealed"] if self.annealed else []),
        ]
