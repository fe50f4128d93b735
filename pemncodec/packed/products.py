"""Inputs times packed weights: the compiled products, and the same by expanding a few rows at a time.

The compiled products read the mask as it is stored. They sum in an order that depends on the instruction set, and on
whether vectors lie in lanes, beside each other (few of them), or in matrix registers (of bfloat16), but not on the
number of threads: the same machine gives the same bits twice. Some rows at a time are expanded and multiplied by torch
for many vectors, unless zeros are passed over, and where the compiled products are absent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..common.bits import count_ones
from ..common.forks import generation
from ..common.kernels import extension
from .cached import Cached
from .expand import expand, scratch, starts
from .weight import KEPT, ONES, Weight

Floats = NDArray[np.float32]
_KINDS = {"zero": 0, "negated": 1, "second": 2, KEPT: 3}
_BESIDE, _DENSE, _SPARSE = 0, 1, 2  # the order of summation
_NEAR = 3, 4  # below so much of a register, vectors lie beside each other, and not in lanes
_MOST_BFLOAT16 = 96  # torch has better products of bfloat16 than these without matrix registers
_MOST = 512  # vectors, above which rows are expanded for the product of torch, unless zeros are passed over
_TILES = 12  # vectors of bfloat16, from which on they are multiplied in matrix registers
_PIECE = 832  # vectors that are laid in lanes at a time
# Kept fractions, below which zeros are passed over: for so many registers of vectors or more, and for fewer.
_FEW, _WIDE, _VERY_FEW = 0.6, 4, 0.25
_SPARE = 64  # columns are padded to a multiple of these
_SPLIT = 1 << 21  # products of a row's elements and vectors, from which on threads share rows
_PANEL = 1 << 22  # elements that are expanded at a time
_FLOATS = (torch.float32, torch.bfloat16, torch.float16)
_NONE = np.zeros(1, dtype=np.float32)
_NO_STARTS = np.zeros(1, dtype=np.int64)


compiled: ModuleType | None = extension("pemncodec.packed._products")


@cache
def _way() -> tuple[int, int, int]:
    """Return the number of the best instruction set that this machine has, its lanes, and registers for them."""
    assert compiled is not None
    asked = os.environ.get("PEMNCODEC_SIMD")
    found = [(number, way) for number, way in enumerate(compiled.ways()) if way is not None and way[2]]
    number, way = next((one for one in found if one[1][0] == asked), found[-1])
    return number, *way[1:]


@cache
def _bfloat16_way() -> int | None:
    """Return the number of the instruction set for products of bfloat16, if this machine has one."""
    if compiled is None or os.environ.get("PEMNCODEC_SIMD", "amx") != "amx":
        return None
    return next((number for number, way in enumerate(compiled.ways()) if way is not None and not way[2]), None)


def product(x: torch.Tensor, weight: Weight, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Return `x @ W.T`, plus a bias if there is one, of a stored matrix W on the CPU.

    Args:
        x: shape (batch, columns), of the weight's dtype.
        bias: shape (rows,), of the weight's dtype.

    Returns:
        Shape (batch, rows), of the same dtype; float16 and bfloat16 are summed in float32.
    """
    how = weight.meaning
    batch = len(x)
    if compiled is None or how.kind not in _KINDS or weight.stored.dtype not in _FLOATS or not batch * how.numel:
        return _by_panels(x, weight, bias)
    tiles = _bfloat16_way() if x.dtype == torch.bfloat16 else None
    most = _MOST_BFLOAT16 if x.dtype == torch.bfloat16 and tiles is None else _MOST
    if batch > most and not (_is_sparse(weight, _FEW) and x.dtype == torch.float32):
        return _by_panels(x, weight, bias)
    added = None if bias is None else _single(bias).numpy()
    if tiles is not None and batch >= _TILES:
        short = torch.empty(batch, how.rows, dtype=torch.bfloat16)
        _in_tiles(x, weight, short, added, tiles)
        return short
    out = torch.empty(batch, how.rows)
    single = _single(x)
    if batch * _NEAR[1] < _way()[1] * _NEAR[0]:
        _near(single, weight, out, added)
    else:
        for first in range(0, batch, _PIECE):
            _in_lanes(single[first : first + _PIECE], weight, out[first : first + _PIECE], added)
    return out if x.dtype == torch.float32 else out.to(x.dtype)


def transposed_product(x: torch.Tensor, weight: Weight) -> torch.Tensor:
    """Return `x @ W` of a stored matrix W, shape (batch, columns), for x of shape (batch, rows)."""
    how = weight.meaning
    out = x.new_zeros(len(x), how.columns)
    for first, rows, panel in _panels(weight):
        out.addmm_(x[:, first : first + rows], panel)
    return out


def _near(x: torch.Tensor, weight: Weight, out: torch.Tensor, bias: Floats | None) -> None:
    """Multiply vectors that lie beside each other."""
    how = weight.meaning
    width = -(-how.columns // _SPARE) * _SPARE
    if width != how.columns:
        x = torch.nn.functional.pad(x, (0, width - how.columns))
    _multiply(_way()[0], out, x.contiguous(), len(x), weight, bias, _BESIDE)


def _in_lanes(x: torch.Tensor, weight: Weight, out: torch.Tensor, bias: Floats | None) -> None:
    """Multiply vectors in lanes, in groups; those of the last one are filled up to whole registers."""
    assert compiled is not None
    columns, (way, lanes, most) = weight.meaning.columns, _way()
    registers = -(-len(x) // lanes)
    count = registers * lanes
    sparse = _is_sparse(weight, _FEW if registers >= _WIDE else _VERY_FEW)
    group = -(-registers // -(-registers // most)) * lanes if sparse else 2 * lanes
    groups = scratch(count * columns, torch.float32)
    compiled.arrange(way, x.numpy(), len(x), columns, group, groups.numpy())
    _multiply(way, out, groups, count, weight, bias, _SPARSE if sparse else _DENSE, group)


def _in_tiles(x: torch.Tensor, weight: Weight, out: torch.Tensor, bias: Floats | None, way: int) -> None:
    """Multiply vectors of bfloat16 in matrix registers."""
    assert compiled is not None
    count, columns = -(-len(x) // 16) * 16, weight.meaning.columns
    groups = scratch(count * (-(-columns // 32) * 32), torch.bfloat16).view(torch.int16)
    compiled.arrange(way, _words(x).numpy(), len(x), columns, 16, groups.numpy())
    _multiply(way, out, groups, count, weight, bias, _DENSE)


def _multiply(
    way: int,
    out: torch.Tensor,
    x: torch.Tensor,
    batch: int,
    weight: Weight,
    bias: Floats | None,
    order: int,
    group: int = 0,
) -> None:
    """Call the compiled product of an instruction set for all rows."""
    how = weight.meaning
    read = _floats if x.dtype == torch.float32 else _halves
    if how.kind == KEPT:
        first, period = read(weight.stored), 1
        second, second_period, begins = _NONE, 1, starts(weight)
    else:
        width = -(-how.columns // _SPARE) * _SPARE
        first, period = _stretched(weight.stored, width, read), len(weight.stored)
        second, second_period, begins = _NONE, 1, _NO_STARTS
        if weight.others is not None:
            second, second_period = _stretched(weight.others, width, read), len(weight.others)
    assert compiled is not None
    call, kind = compiled.multiply, _KINDS[how.kind]
    rows, columns, scale = how.rows, how.columns, 1.0 if how.scale is None else how.scale
    into, of, bits = read(out), x.numpy(), weight.bits.numpy()

    def part(begin: int, end: int, threads: int = 1) -> None:
        call(way, kind, into, of, batch, len(into), rows, columns, begin, end, bits, first, period, how.phase, second,
             second_period, how.second_phase, begins, scale, bias, order, group, threads)  # fmt: skip

    _in_threads(part, rows, rows * columns * batch)


def _in_threads(part: Callable[..., None], rows: int, work: int) -> None:
    """Call a function for all rows: on threads of torch, or else on some of its own, a stretch each."""
    threads = min(torch.get_num_threads(), 1 + work // _SPLIT, rows)
    if threads < 2 or _shares():
        part(0, rows, threads)
        return
    step = -(-rows // threads)
    jobs = [(begin, min(begin + step, rows)) for begin in range(0, rows, step)]
    waiting = [_pool(generation()).submit(part, *job) for job in jobs[1:]]
    part(*jobs[0])
    for one in waiting:
        one.result()


@cache
def _shares() -> bool:
    """Return whether the compiled products find the threads of torch."""
    return compiled is not None and compiled.shares()


@cache
def _pool(process: object) -> ThreadPoolExecutor:  # noqa: ARG001 (a forked child has none of its parent's threads)
    return ThreadPoolExecutor(max(os.cpu_count() or 1, 1), thread_name_prefix="pemncodec")


_SINGLE: Cached[Floats] = Cached()
_STRETCHED: Cached[dict[Callable[..., Any], NDArray[Any]]] = Cached()


def _is_sparse(weight: Weight, most: float) -> bool:
    """Return whether a weight has zeros where its mask has, and less than a fraction of other values."""
    return weight.meaning.kind in ("zero", KEPT) and _density(weight) < most


def _density(weight: Weight) -> float:
    """Return the fraction of ones in a mask."""
    ones = ONES.get(weight.bits, lambda: count_ones(weight.bits.numpy()))
    return ones / max(weight.meaning.numel, 1)


def _single(values: torch.Tensor) -> torch.Tensor:
    """Return values as float32, in one piece and without a gradient."""
    values = values.detach() if values.requires_grad else values
    return values.contiguous() if values.dtype == torch.float32 else values.to(torch.float32).contiguous()


def _floats(values: torch.Tensor) -> Floats:
    """Return values as float32: their own memory, or a copy that is kept with them."""
    if values.dtype == torch.float32:
        return values.numpy()
    return _SINGLE.get(values, lambda: values.to(torch.float32).numpy())


def _words(values: torch.Tensor) -> torch.Tensor:
    """Return bfloat16 as integers of the same bits, in one piece."""
    return values.detach().contiguous().view(torch.int16)


def _halves(values: torch.Tensor) -> NDArray[np.int16]:
    words: NDArray[np.int16] = _words(values).numpy()
    return words


def _stretched(values: torch.Tensor, width: int, read: Callable[[torch.Tensor], NDArray[Any]]) -> NDArray[Any]:
    """Return a prototype and what follows on its end, so that rows of this width are read in one piece.

    Of a long one, whose rows rarely reach its end, the prototype alone.
    """
    if len(values) >= 8 * width:
        return read(values)
    made = _STRETCHED.get(values, dict)
    found = made.get(read)
    if found is None or len(found) < len(values) + width:
        found = made[read] = np.resize(read(values), len(values) + width)
    return found


def _panels(weight: Weight) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Yield the first of some rows, their number, and their dense values, which the next ones replace."""
    how = weight.meaning
    step = max(_PANEL // max(how.columns, 1) // 8 * 8, 8)
    buffer = scratch(min(step, how.rows) * how.columns, weight.stored.dtype).view(-1, how.columns)
    for first in range(0, how.rows, step):
        rows = min(step, how.rows - first)
        yield first, rows, expand(weight, buffer[:rows], first)


def _by_panels(x: torch.Tensor, weight: Weight, bias: torch.Tensor | None) -> torch.Tensor:
    out = x.new_empty(len(x), weight.meaning.rows)
    with torch.no_grad():
        for first, rows, panel in _panels(weight):
            torch.mm(x, panel.t(), out=out[:, first : first + rows])
    return out if bias is None else out.add_(bias)
