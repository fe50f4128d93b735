"""The generators of spec section 8 in torch operations: the same bits on any device.

torch has few unsigned operations, so words travel in int64; products wrap modulo 2^64, and masking gives
the halves that the spec names.
"""

from __future__ import annotations

import torch

from pemncodec.errors import NetworkError
from pemncodec.generators.philox import arrangement, distributions
from pemncodec.generators.philox import counter as philox
from pemncodec.generators.philox.generator import Generator

from . import torch_patching

_LOW = 0xFFFFFFFF
_CHUNK = 1 << 22  # elements at a time: bounds the int64 temporaries to some hundred megabytes


def generate(
    generator: Generator, device: torch.device | str = "cpu", start: int = 0, stop: int | None = None
) -> torch.Tensor:
    """Elements start … stop − 1 of `generator`, float32, shape (stop − start,), made on `device`.

    Raises:
        NetworkError: the scale is so large that an element is not finite.
    """
    stop = generator.length if stop is None else stop
    if not generator.arranged:
        return _generate(generator, device, start, stop)
    values = _generate(generator, device, 0, generator.period)
    if generator.zeros:
        order = _order(generator.period, generator.stream ^ arrangement.ZEROS, generator.seed, values.device)
        values[order[: generator.zeros]] = 0.0
    if generator.permuted:
        order = _order(generator.length, generator.stream ^ arrangement.PERMUTATION, generator.seed, values.device)
        return values[order[start:stop] % generator.period]
    return values[start:stop]


def _order(count: int, stream: int, seed: int, device: torch.device) -> torch.Tensor:
    """The order of `arrangement`, int64."""
    return torch.sort(_words(0, count, stream, seed, device), stable=True).indices


def _generate(generator: Generator, device: torch.device | str, start: int, stop: int) -> torch.Tensor:
    out = torch.empty(stop - start, dtype=torch.float32, device=device)
    for begin in range(start, stop, _CHUNK):
        end = min(begin + _CHUNK, stop)
        words = _words(begin, end, generator.stream, generator.seed, out.device)
        values = _draw(generator, words)
        if not bool(torch.isfinite(values).all()):
            raise NetworkError(f"scale {generator.scale} is too large: a generated element is not finite")
        out[begin - start : end - start] = values
    torch_patching.put(out, generator.patches, start)
    return out


def _words(start: int, stop: int, stream: int, seed: int, device: torch.device) -> torch.Tensor:
    """x(start) … x(stop − 1) as int64 in 0 … 2^32 − 1."""
    first = start // 4
    counter = torch.arange(first, -(-stop // 4), dtype=torch.int64, device=device)
    c0, c1 = counter & _LOW, counter >> 32
    c2, c3 = torch.full_like(counter, stream & _LOW), torch.full_like(counter, stream >> 32)
    m0, m1 = philox.MULTIPLIERS
    for key0, key1 in philox.round_keys(seed):
        p0, p1 = c0 * m0, c2 * m1
        c0 = ((p1 >> 32) & _LOW) ^ c1 ^ key0
        c2 = ((p0 >> 32) & _LOW) ^ c3 ^ key1
        c1, c3 = p1 & _LOW, p0 & _LOW
    words = torch.stack([c0, c1, c2, c3], dim=1).reshape(-1)
    return words[start - 4 * first : stop - 4 * first]


def _draw(generator: Generator, words: torch.Tensor) -> torch.Tensor:
    scale = torch.tensor(generator.scale, dtype=torch.float32, device=words.device)
    if generator.distribution == "uniform":
        odd = 2 * (words >> 8) + (1 - (1 << 24))
        return odd.to(torch.float32) * 2.0**-24 * scale
    negative = (words >> 31).to(torch.bool)
    magnitude = scale.expand(words.shape) if generator.distribution == "sign" else _half_normal(words) * scale
    return torch.where(negative, -magnitude, magnitude)


def _half_normal(words: torch.Tensor) -> torch.Tensor:
    table = torch.from_numpy(distributions.normal_table()).to(words.device)
    t = ((words & 0x7FFFFFFF) << 1) | 1
    exponent = (t.to(torch.float64).view(torch.int64) >> 52) - 1023
    y = t << (31 - exponent)
    j = 32 * exponent + ((y >> 26) & 31)
    upper = table[j]
    z = upper - (((upper - table[j + 1]) * (y & ((1 << 26) - 1))) >> 26)
    return z.to(torch.float32) * 2.0**-28
