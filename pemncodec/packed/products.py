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
from dataclasses import replace
from functools import cache, partial
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
from .resident import resident
from .weight import KEPT, ONES, Weight

Floats = NDArray[np.float32]
_KINDS = {"zero": 0, "negated": 1, "second": 2, KEPT: 3}
_MOST_BFLOAT16 = 96  # torch has better products of bfloat16 than these without matrix registers
_MOST = 512  # vectors of more than _LONG columns, above which torch multiplies them, unless zeros are passed over
_LONG = 1024
_ANY = 1 << 40
_TILES = 12  # vectors of bfloat16, from which on they are multiplied in matrix registers
# Kept fractions, below which zeros are passed over: for four registers of vectors or more, and for fewer; and of
# matrices with few elements.
_FEW, _VERY_FEW, _SMALL = 0.6, 0.35, 1 << 18
_RARE = 0.15  # the same, below which they are for more than eight vectors
_SPARE = 64  # columns are padded to a multiple of these
_SPLIT = 1 << 21  # products of a row's elements and vectors, from which on threads share rows
_SHORT = 512  # columns of small matrices, to which their rows are in lanes, too
_MOST_LANES = 16
_PANEL = 1 << 22  # elements that are expanded at a time
_FLOATS = (torch.float32, torch.bfloat16, torch.float16)
_NONE = np.zeros(1, dtype=np.float32)
_NO_STARTS = np.zeros(1, dtype=np.int64)


compiled: ModuleType | None = extension("pemncodec.packed._products")


@cache
def _way() -> int:
    """Return the number of the best instruction set that this machine has."""
    assert compiled is not None
    asked = os.environ.get("PEMNCODEC_SIMD")
    found = [(number, way[0]) for number, way in enumerate(compiled.ways()) if way is not None and way[2]]
    return next((number for number, name in found if name == asked), found[-1][0])


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
    if not _is_multiplied(weight) or not batch:
        return _by_panels(x, weight, bias)
    tiles = _bfloat16_way() if x.dtype == torch.bfloat16 else None
    if batch > _most(weight, tiles):
        return _by_panels(x, weight, bias)
    added = None if bias is None else _single(bias).numpy()
    if tiles is not None and batch >= _TILES:
        short = torch.empty(batch, how.rows, dtype=torch.bfloat16)
        _in_threads(_matrix(weight, tiles), _halves(short), _halves(x), weight, added)
        return short
    out = torch.empty(batch, how.rows, dtype=torch.float32)
    _in_threads(_matrix(weight, _way()), out.numpy(), _single(x).numpy(), weight, added)
    return out if x.dtype == torch.float32 else out.to(x.dtype)


def lane(weight: Weight) -> Any:
    """Return the matrix that `quick` multiplies by, or False if it is for `product` alone."""
    if not _is_multiplied(weight) or weight.stored.dtype != torch.float32 or weight.meaning.transposed or not _bound():
        return False
    made = _matrix(weight, _way())
    _hold(made, weight)
    width, watched = _width(weight), [weight.bits]
    if weight.meaning.kind == KEPT or _is_long(weight.stored, width):
        watched.append(weight.stored)
    if weight.others is not None and _is_long(weight.others, width):
        watched.append(weight.others)
    made.watch(tuple(watched))
    return made


def _hold(matrix: Any, weight: Weight) -> None:
    """Let a matrix have its rows expanded, if there is room for them; in lanes, too, if they are short."""
    how, width = weight.meaning, _width(weight)
    turned = -(-how.rows // _MOST_LANES) * _MOST_LANES if how.columns == width <= _SHORT else 0
    rows = resident(weight, (how.rows + turned, width), partial(_write_rows, weight))
    if rows is not None:
        matrix.hold(rows[: how.rows].numpy(), rows[how.rows :].numpy() if turned else None)


def _write_rows(weight: Weight, rows: torch.Tensor) -> None:
    """Write the rows of a matrix before they are scaled, with zeros behind their columns."""
    how = weight.meaning
    plain, rows = Weight(replace(how, scale=None), weight.bits, weight.stored, weight.others), rows[: how.rows]
    if rows.shape[1] == how.columns:
        expand(plain, rows)
        return
    rows[:, : how.columns] = expand(plain, torch.empty(how.rows, how.columns, dtype=rows.dtype))
    rows[:, how.columns :] = 0


@cache
def _bound() -> bool:
    """Return whether the compiled products can see tensors of this torch, and tell them how."""
    exchange = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
    if exchange is None or compiled is None:
        return False
    _shares()
    bound: bool = compiled.bind(
        exchange,
        torch.Tensor,
        torch.nn.Parameter,
        torch.empty,
        torch.is_grad_enabled,
        torch.get_num_threads,
    )
    return bound


def _declined(arguments: object) -> None:  # noqa: ARG001
    return None


# Outputs of `torch.nn.functional.linear` with the fewest steps, or None if `product` has to be asked.
quick: Callable[[Any], Any] = _declined if compiled is None else compiled.quick


def _is_multiplied(weight: Weight) -> bool:
    """Return whether there is a compiled product of such a weight."""
    how = weight.meaning
    known = compiled is not None and how.kind in _KINDS and weight.stored.dtype in _FLOATS
    return known and how.numel > 0


def _most(weight: Weight, tiles: int | None = None) -> int:
    """Return the most vectors that the compiled products take."""
    if weight.stored.dtype == torch.bfloat16 and tiles is None:
        return _MOST_BFLOAT16
    if weight.stored.dtype == torch.float32 and (weight.meaning.columns <= _LONG or _is_sparse(weight, _FEW)):
        return _ANY
    return _MOST


def transposed_product(x: torch.Tensor, weight: Weight) -> torch.Tensor:
    """Return `x @ W` of a stored matrix W, shape (batch, columns), for x of shape (batch, rows)."""
    how = weight.meaning
    out = x.new_zeros(len(x), how.columns)
    for first, rows, panel in _panels(weight):
        out.addmm_(x[:, first : first + rows], panel)
    return out


def _matrix(weight: Weight, way: int) -> Any:
    """Return the compiled matrix of an instruction set, which reads the weight's own memory where it can."""
    how = weight.meaning
    assert compiled is not None
    read = _halves if way == _bfloat16_way() else _floats
    second, second_period, begins = _NONE, 1, _NO_STARTS
    if how.kind == KEPT:
        first, period, begins = read(weight.stored), 1, starts(weight)
    else:
        width = _width(weight)
        first, period = _stretched(weight.stored, width, read), len(weight.stored)
        if weight.others is not None:
            second, second_period = _stretched(weight.others, width, read), len(weight.others)
    scale = 1.0 if how.scale is None else how.scale
    narrow = _is_sparse(weight, _VERY_FEW)
    wide = narrow if how.numel <= _SMALL else _is_sparse(weight, _FEW)
    return compiled.Matrix(
        way, _KINDS[how.kind], how.rows, how.columns, weight.bits.numpy(), first, period, how.phase, second,
        second_period, how.second_phase, begins, scale, wide, narrow, _is_sparse(weight, _RARE), _most(weight),
    )  # fmt: skip


def _width(weight: Weight) -> int:
    return -(-weight.meaning.columns // _SPARE) * _SPARE


def _in_threads(matrix: Any, out: NDArray[Any], x: NDArray[Any], weight: Weight, bias: Floats | None) -> None:
    """Multiply by all rows: on threads of torch, or else on some of its own, a stretch each."""
    rows, batch = weight.meaning.rows, len(x)
    threads = min(torch.get_num_threads(), 1 + weight.meaning.numel * batch // _SPLIT, rows)
    if threads < 2 or _shares():
        matrix.multiply(out, x, batch, bias, 0, rows, threads)
        return
    step = -(-rows // threads)

    def part(begin: int) -> None:
        matrix.multiply(out, x, batch, bias, begin, min(begin + step, rows), 1)

    waiting = [_pool(generation()).submit(part, begin) for begin in range(step, rows, step)]
    part(0)
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
    if _is_long(values, width):
        return read(values)
    made = _STRETCHED.get(values, dict)
    found = made.get(read)
    if found is None or len(found) < len(values) + width:
        found = made[read] = np.resize(read(values), len(values) + width)
    return found


def _is_long(values: torch.Tensor, width: int) -> bool:
    """Return whether rows rarely reach the end of a prototype."""
    return len(values) >= 8 * width


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
