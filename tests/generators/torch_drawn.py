"""The draws of PyTorch's CPU generator (spec sections 8.8 and 8.9) in torch operations: the same bits on any device.

The draws are integers that are made on the CPU. From there on each operation is a kernel of its own, so that only what
the specification fuses is fused; that is emulated in float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pemncodec.container.manifest.pytorch_rows import PYTORCH_BLOCK
from pemncodec.errors import NetworkError
from pemncodec.generators.pytorch import arithmetic, mt19937
from pemncodec.generators.pytorch.arrays import Array
from pemncodec.generators.pytorch.generator import PytorchGenerator

from . import torch_patching

_CHUNK = 1 << 22  # elements at a time; a multiple of sixteen


class _Torch:
    """The operations of `Arrays` on a device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def single(self, x: Array) -> Array:
        return x.to(torch.float32)

    def double(self, x: Array) -> Array:
        return torch.as_tensor(x, dtype=torch.float64, device=self._device)

    def integer(self, x: Array) -> Array:
        return x.to(torch.int32)

    def pattern(self, x: Array) -> Array:
        return x.view(torch.int32 if x.dtype == torch.float32 else torch.int64)

    def of_pattern(self, bits: Array) -> Array:
        return bits.view(torch.float32 if bits.dtype == torch.int32 else torch.float64)

    def where(self, condition: Array, first: Array, second: Array) -> Array:
        return torch.where(condition, first, second)

    def sqrt(self, x: Array) -> Array:
        # torch's own for float32 may be a last place off (vector libraries). One in float64 that is nearly right is
        # right for float32: the root of a float32 number is never so near the middle between two others.
        return torch.sqrt(x.double()).to(torch.float32)

    def pick(self, table: Sequence[float], rows: Array) -> Array:
        return self.double(table)[rows.long()]


def generate(generator: PytorchGenerator, device: torch.device | str = "cpu") -> torch.Tensor:
    """All elements of `generator`, float32, shape (length,), on `device`.

    Raises:
        NetworkError: the scale is so large that an element is not finite.
    """
    out = torch.empty(generator.length, dtype=torch.float32, device=device)
    length, offset = generator.length, generator.offset
    whole = length // PYTORCH_BLOCK * PYTORCH_BLOCK if generator.blocked else length
    for begin in range(0, whole, _CHUNK):
        end = min(begin + _CHUNK, whole)
        out[begin:end] = _elements(generator, offset + begin, offset + end, out.device)
    if whole < length:
        out[-PYTORCH_BLOCK:] = _elements(generator, offset + length, generator.draws, out.device)
    if not bool(torch.isfinite(out).all()):
        raise NetworkError(f"scale {generator.scale} is too large: a generated element is not finite")
    torch_patching.put(out, generator.patches)
    torch_patching.add(out, generator.steps)
    return out


def _elements(generator: PytorchGenerator, start: int, stop: int, device: torch.device) -> torch.Tensor:
    draws = arithmetic.bits24(mt19937.stream(generator.seed).draws(start, stop))
    k = torch.from_numpy(draws.view(np.int32)).to(device)
    scale, on = generator.scale, _Torch(device)
    made: torch.Tensor
    if generator.distribution == "signs of uniform":
        made = arithmetic.signs(k - (1 << 23), scale)
        return made.to(torch.float32)
    fractions = k.to(torch.float32) * 2.0**-24
    if generator.distribution == "uniform":
        made = arithmetic.interval(fractions, scale, generator.low, generator.dialect, on)
        return made
    first, second = fractions.view(-1, 2, PYTORCH_BLOCK // 2).transpose(0, 1).contiguous()
    halves = arithmetic.pairs(first, second, generator.dialect, on)
    numbers = torch.stack(halves, dim=1).reshape(-1)
    if generator.distribution == "normal":
        made = arithmetic.scaled(numbers, scale, on)
        return made
    made = arithmetic.signs(numbers, scale)
    return made.to(torch.float32)
