"""The networks of the paper: ConvMixer, ViT and the CIFAR ResNet, as ordinary PyTorch modules.

Masked layers have no biases, as in the published code; nothing here knows of masks.
"""

from __future__ import annotations

import torch
from torch import nn


class Residual(nn.Module):
    """A module whose input is added to its output."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.fn = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum, in the shape of `x`."""
        return self.fn(x) + x  # type: ignore[no-any-return]


def convmixer(width: int, depth: int, kernel: int, patch: int, channels: int = 3) -> nn.Sequential:
    """A ConvMixer (Trockman and Kolter, "Patches are all you need?", 2022) with ten classes."""
    mixers = [
        nn.Sequential(
            Residual(
                nn.Sequential(
                    nn.Conv2d(width, width, kernel, groups=width, padding="same", bias=False),
                    nn.GELU(),
                    nn.BatchNorm2d(width),
                )
            ),
            nn.Conv2d(width, width, 1, bias=False),
            nn.GELU(),
            nn.BatchNorm2d(width),
        )
        for _ in range(depth)
    ]
    stem = [nn.Conv2d(channels, width, patch, stride=patch, bias=False), nn.GELU(), nn.BatchNorm2d(width)]
    return nn.Sequential(*stem, *mixers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10, bias=False))


class Attention(nn.Module):
    """Multi-head self-attention on (batch, tokens, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The attended values, in the shape of `x`."""
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))  # type: ignore[no-any-return]


class VisionTransformer(nn.Module):
    """A ViT (Dosovitskiy et al., ICLR 2021) with pre-normalisation, mean pooling and ten classes."""

    def __init__(self, width: int, depth: int, heads: int, patch: int, image: int = 32, channels: int = 3) -> None:
        super().__init__()
        self.embed = nn.Conv2d(channels, width, patch, stride=patch, bias=False)
        self.position = nn.Parameter(0.02 * torch.randn(1, (image // patch) ** 2, width))
        self.blocks = nn.Sequential(
            *[
                nn.Sequential(
                    Residual(nn.Sequential(nn.LayerNorm(width), Attention(width, heads))),
                    Residual(
                        nn.Sequential(
                            nn.LayerNorm(width),
                            nn.Linear(width, 2 * width, bias=False),
                            nn.GELU(),
                            nn.Linear(2 * width, width, bias=False),
                        )
                    ),
                )
                for _ in range(depth)
            ]
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits, shape (batch, 10)."""
        tokens = self.embed(x).flatten(2).transpose(1, 2) + self.position
        return self.head(self.norm(self.blocks(tokens)).mean(1))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Two 3 × 3 convolutions and a shortcut; where the shape changes, a 1 × 1 convolution on the shortcut."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Feature maps of `outside` channels."""
        inner = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(inner + self.shortcut(x))


def resnet(depth: int, width: int, stem_stride: int = 1, channels: int = 3) -> nn.Sequential:
    """A CIFAR ResNet of depth 6n + 2 (He et al., CVPR 2016, section 4.2), first stage of `width` channels."""
    blocks: list[nn.Module] = []
    inside = width
    for stage in range(3):
        for number in range((depth - 2) // 6):
            outside = width << stage
            blocks.append(Block(inside, outside, 2 if stage and number == 0 else 1))
            inside = outside
    stem = [nn.Conv2d(channels, width, 3, stem_stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, 10, bias=False))


def without_affine(model: nn.Module) -> nn.Module:
    """The network with BatchNorms that have no weights and biases, in place."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.affine, module.weight, module.bias = False, None, None  # type: ignore[assignment]
    return model
