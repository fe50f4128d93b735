"""Inputs times packed weights: the compiled products, and the same by expanding a few rows at a time.

The compiled products read the mask as it is stored. They sum in an order that depends on the instruction set, and on
whether vectors lie in lanes (groups of 64) or beside each other (fewer than 12), but not on the number of threads: the
same machine gives the same bits twice. Some rows at a time are expanded and multiplied by torch for more than 384
vectors (96 of bfloat16), unless few values are kept, and where the compiled products are absent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray

from ..common.bits import count_ones
from ..common.forks import generation
from ..common.kernels import extension
from .cached import Cached
from .expand import expand, scratch, starts
from .weight import KEPT, Weight

Floats = NDArray[np.float32]
_KINDS = {"zero": 0, "negated": 1, "second": 2, KEPT: 3}
_NEAR = 12  # vectors of the last group, below which they lie beside each other, and not in lanes
_MOST_BFLOAT16 = 96  # processors have units for products of bfloat16
_MOST = 384  # vectors, above which rows are expanded for the product of torch, unless few values are kept
_GROUP = 64  # vectors in lanes that lie together
# Kept fractions, below which zeros are passed over: in groups of 64 vectors, and in fewer or very many.
_FEW, _VERY_FEW = 0.75, 0.3
_SPARE = 64  # columns are padded to a multiple of these
_SPLIT = 1 << 21  # products of a row's elements and vectors, from which on threads share rows
_PANEL = 1 << 22  # elements that are expanded at a time
_FLOATS = (torch.float32, torch.bfloat16, torch.float16)
_NONE = np.zeros(1, dtype=np.float32)
_NO_STARTS = np.zeros(1, dtype=np.int64)


compiled: ModuleType | None = extension("pemncodec.packed._products")


@cache
def _way() -> tuple[int, int]:
    """Return the number of the best instruction set that this machine has, and its lanes."""
    assert compiled is not None
    asked = os.environ.get("PEMNCODEC_SIMD")
    found = [(number, way) for number, way in enumerate(compiled.ways()) if way is not None]
    number, way = next((one for one in found if one[1][0] == asked), found[-1])
    return number, way[1]


def product(x: torch.Tensor, weight: Weight) -> torch.Tensor:
    """Return `x @ W.T` of a stored matrix W on the CPU.

    Args:
        x: shape (batch, columns), of the weight's dtype.

    Returns:
        Shape (batch, rows), of the same dtype; float16 and bfloat16 are summed in float32.
    """
    how = weight.meaning
    batch = len(x)
    if compiled is None or how.kind not in _KINDS or weight.stored.dtype not in _FLOATS or not batch * how.numel:
        return _by_panels(x, weight)
    most = _MOST_BFLOAT16 if x.dtype == torch.bfloat16 else _MOST
    if batch > most and not (_is_sparse(weight) and x.dtype == torch.float32):
        return _by_panels(x, weight)
    single = x.detach().to(torch.float32)
    beside = batch % _GROUP if batch % _GROUP < _NEAR else 0
    out = torch.empty(batch, how.rows)
    if batch > beside:
        _across(single[: batch - beside], weight, out[: batch - beside])
    if beside:
        _near(single[batch - beside :], weight, out[batch - beside :])
    return out.to(x.dtype)


def transposed_product(x: torch.Tensor, weight: Weight) -> torch.Tensor:
    """Return `x @ W` of a stored matrix W, shape (batch, columns), for x of shape (batch, rows)."""
    how = weight.meaning
    out = x.new_zeros(len(x), how.columns)
    for first, rows, panel in _panels(weight):
        out.addmm_(x[:, first : first + rows], panel)
    return out


def _near(x: torch.Tensor, weight: Weight, out: torch.Tensor) -> None:
    """Multiply vectors that lie beside each other."""
    how = weight.meaning
    width = -(-how.columns // _SPARE) * _SPARE
    if width != how.columns:
        x = torch.nn.functional.pad(x, (0, width - how.columns))
    _multiply(out, x.contiguous(), len(x), weight, False)


def _across(x: torch.Tensor, weight: Weight, out: torch.Tensor) -> None:
    """Multiply vectors in lanes, in groups of `_GROUP`; those of the last one are filled up to whole registers."""
    how, lanes, vectors = weight.meaning, _way()[1], len(x)
    count = -(-vectors // lanes) * lanes
    x = x if count == vectors else torch.nn.functional.pad(x, (0, 0, 0, count - vectors))
    whole = count // _GROUP * _GROUP
    groups = torch.empty(count * how.columns)
    if whole:
        of_whole = groups[: whole * how.columns].view(-1, how.columns, _GROUP)
        of_whole.copy_(x[:whole].view(-1, _GROUP, how.columns).transpose(1, 2))
    if whole < count:
        groups[whole * how.columns :].view(how.columns, -1).copy_(x[whole:].t())
    _multiply(out, groups, count, weight, True)


def _multiply(out: torch.Tensor, x: torch.Tensor, batch: int, weight: Weight, across: bool) -> None:
    """Call the compiled product for all rows."""
    how = weight.meaning
    if how.kind == KEPT:
        first, period = _single(weight.stored), 1
        second, second_period, begins = _NONE, 1, starts(weight)
    else:
        width = -(-how.columns // _SPARE) * _SPARE
        first, period = _stretched(weight.stored, width), len(weight.stored)
        second, second_period, begins = _NONE, 1, _NO_STARTS
        if weight.others is not None:
            second, second_period = _stretched(weight.others, width), len(weight.others)
    assert compiled is not None
    call = compiled.multiply
    way, kind = _way()[0], _KINDS[how.kind]
    sparse = across and _is_sparse(weight, _FEW if batch >= _GROUP else _VERY_FEW)
    rows, columns, scale = how.rows, how.columns, 1.0 if how.scale is None else how.scale
    into, of, bits = out.numpy(), x.numpy(), weight.bits.numpy()

    def part(begin: int, end: int) -> None:
        call(way, kind, into, of, batch, len(into), rows, columns, begin, end, bits, first, period, how.phase, second,
             second_period, how.second_phase, begins, scale, across, sparse)  # fmt: skip

    _in_threads(part, rows, rows * columns * batch)


def _in_threads(part: Callable[[int, int], None], rows: int, work: int) -> None:
    """Call a function for all rows, a stretch a thread."""
    threads = min(torch.get_num_threads(), 1 + work // _SPLIT, rows)
    if threads < 2:
        part(0, rows)
        return
    step = -(-rows // threads)
    jobs = [(begin, min(begin + step, rows)) for begin in range(0, rows, step)]
    waiting = [_pool(generation()).submit(part, *job) for job in jobs[1:]]
    part(*jobs[0])
    for one in waiting:
        one.result()


@cache
def _pool(process: object) -> ThreadPoolExecutor:  # noqa: ARG001 (a forked child has none of its parent's threads)
    return ThreadPoolExecutor(max(os.cpu_count() or 1, 1), thread_name_prefix="pemncodec")


_DENSITY: Cached[float] = Cached()
_SINGLE: Cached[Floats] = Cached()
_STRETCHED: Cached[Floats] = Cached()


def _is_sparse(weight: Weight, most: float = _VERY_FEW) -> bool:
    """Return whether a weight has zeros where its mask has, and less than a fraction of other values."""
    return weight.meaning.kind in ("zero", KEPT) and _density(weight) < most


def _density(weight: Weight) -> float:
    """Return the fraction of ones in a mask."""
    return _DENSITY.get(weight.bits, lambda: count_ones(weight.bits.numpy()) / max(weight.meaning.numel, 1))


def _single(values: torch.Tensor) -> Floats:
    """Return values as float32: their own memory, or a copy that is kept with them."""
    if values.dtype == torch.float32:
        return values.numpy()
    return _SINGLE.get(values, lambda: values.to(torch.float32).numpy())


def _stretched(values: torch.Tensor, width: int) -> Floats:
    """Return a prototype and what follows on its end, so that rows of this width are read in one piece.

    Of a long one, whose rows rarely reach its end, the prototype alone.
    """
    if len(values) >= 8 * width:
        return _single(values)
    found = _STRETCHED.get(values, lambda: np.resize(_single(values), len(values) + width))
    if len(found) < len(values) + width:
        found = np.resize(_single(values), len(values) + width)
        _STRETCHED.put(values, found)
    return found


def _panels(weight: Weight) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Yield the first of some rows, their number, and their dense values, which the next ones replace."""
    how = weight.meaning
    step = max(_PANEL // max(how.columns, 1) // 8 * 8, 8)
    buffer = scratch(min(step, how.rows) * how.columns, weight.stored.dtype).view(-1, how.columns)
    for first in range(0, how.rows, step):
        rows = min(step, how.rows - first)
        yield first, rows, expand(weight, buffer[:rows], first)


def _by_panels(x: torch.Tensor, weight: Weight) -> torch.Tensor:
    out = x.new_empty(len(x), weight.meaning.rows)
    with torch.no_grad():
        for first, rows, panel in _panels(weight):
            torch.mm(x, panel.t(), out=out[:, first : first + rows])
    return out
