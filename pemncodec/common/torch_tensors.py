"""torch tensors <-> words, for every dtype of the format, without looking at a value."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch

from ..errors import UnsupportedTensorError
from ..errors.quoting import quoted
from .dtypes import BY_NAME, DType
from .words import Words

INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@cache
def _torch_dtypes() -> dict[torch.dtype, DType]:
    # An older torch may lack some of the types.
    pairs = ((getattr(torch, name, None), dtype) for name, dtype in BY_NAME.items())
    return {theirs: ours for theirs, ours in pairs if theirs is not None}


def dtype_of(tensor: torch.Tensor, name: str) -> DType:
    """The format's type of a tensor.

    Raises:
        UnsupportedTensorError: quantized and other types that the format does not have.
    """
    return known_dtype(tensor.dtype, name)


def known_dtype(dtype: torch.dtype, name: str) -> DType:
    """The format's type of tensor `name`, which has this one.

    Raises:
        UnsupportedTensorError: the format does not have it.
    """
    try:
        return _torch_dtypes()[dtype]
    except KeyError:
        raise UnsupportedTensorError(
            f"tensor {name!r} has dtype {dtype}, which .pemn cannot hold: convert it (for a quantized tensor: "
            "its int_repr(), scale and zero point) and pack again"
        ) from None


def torch_dtype(dtype: DType) -> torch.dtype:
    """The torch type of a format type.

    Raises:
        UnsupportedTensorError: the installed torch lacks it.
    """
    found = getattr(torch, dtype.name, None)
    if not isinstance(found, torch.dtype):
        raise UnsupportedTensorError(f"this torch ({torch.__version__}) has no {dtype.name}: install a newer one")
    return found


def to_words(tensor: torch.Tensor, name: str) -> tuple[DType, Words]:
    """Type and elements of a tensor, flattened in row-major order; a view where that is possible.

    Raises:
        UnsupportedTensorError: a dtype, layout or device whose elements cannot be read.
    """
    dtype = dtype_of(tensor, name)
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise UnsupportedTensorError(f"tensor {name!r} is {tensor.layout}: make it dense (to_dense()) and pack again")
    if tensor.is_meta:
        raise UnsupportedTensorError(f"tensor {name!r} is on the meta device and has no values")
    try:
        whole = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    except (NotImplementedError, RuntimeError) as reason:  # torch does not compute with every type
        if "allocate memory" in str(reason):
            raise MemoryError from None
        raise UnsupportedTensorError(
            f"tensor {quoted(name)} cannot be read ({str(reason)[:80]}): make it contiguous and pack again"
        ) from None
    if not whole.numel():
        return dtype, np.empty(0, dtype=f"u{dtype.word_bytes}")
    flat = whole.as_strided((whole.numel(),), (1,))  # one element may have any stride
    words: Words = flat.view(INTEGERS[dtype.word_bytes]).numpy().view(f"u{dtype.word_bytes}")
    return dtype, words


def integers(words: Words) -> torch.Tensor:
    """Words as torch's integers of the same bits; they take over the memory, or copy where that is read-only."""
    if not words.flags.writeable:
        words = words.copy()
    # torch knows few unsigned types; the signed view has the same bits
    kind = np.uint8 if words.itemsize == 1 else np.dtype(f"i{words.itemsize}")
    return torch.from_numpy(words.view(kind))


def to_tensor(words: Words, dtype: DType, shape: tuple[int, ...]) -> torch.Tensor:
    """A tensor of these elements; the memory is that of `integers`."""
    target = torch_dtype(dtype)
    if not len(words):
        return torch.empty(shape, dtype=target)
    if dtype.numpy_name is None:
        return integers(words).view(target).reshape(shape)
    own = words if words.flags.writeable else words.copy()
    return torch.from_numpy(own.view(dtype.numpy_name).reshape(shape))  # views of numpy cost less than those of torch


def empty(dtype: DType, shape: tuple[int, ...]) -> tuple[torch.Tensor, Words]:
    """A new tensor, and its memory as words.

    torch allocates it: numpy asks the system for huge pages, which a fresh process waits for (on Linux, 200 MB
    were filled in 0.15 s in torch's memory and in 0.4 s in numpy's).

    Raises:
        MemoryError: there is not so much.
    """
    target = torch_dtype(dtype)
    count = math.prod(shape) * dtype.words_per_element
    try:
        flat = torch.empty(count, dtype=INTEGERS[dtype.word_bytes])
    except RuntimeError as reason:  # torch's way of saying MemoryError
        raise MemoryError(str(reason)) from None
    return flat.view(target).reshape(shape), flat.numpy().view(f"u{dtype.word_bytes}")
