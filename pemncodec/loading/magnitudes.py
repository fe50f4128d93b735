"""Distances between elements of any dtype, given as words."""

from __future__ import annotations

import numpy as np

from ..common import torch_tensors
from ..common.dtypes import DType
from ..common.words import Words
from ..errors import UnsupportedTensorError


def largest_difference(one: Words, two: Words, dtype: DType) -> float | None:
    """Return the largest |one − two| among the elements that are finite in both; None if there are none.

    Integers are subtracted exactly, and all else as float64 (complex128). None, too, for a dtype that this torch lacks,
    or has no numbers for.
    """
    if not len(one):
        return 0.0
    if dtype.kind in ("int", "bool"):
        a, b = (words.view(dtype.numpy_name or words.dtype) for words in (one, two))
        larger = a > b
        return float(np.where(larger, one - two, two - one).max())
    import torch

    try:
        tensors = [
            torch_tensors.to_tensor(words.copy(), dtype, (len(words) // dtype.words_per_element,))
            for words in (one, two)
        ]
        wide = torch.complex128 if dtype.kind == "complex" else torch.float64
        x, y = (tensor.to(wide) for tensor in tensors)
    except (UnsupportedTensorError, RuntimeError, NotImplementedError):
        return None
    finite = torch.isfinite(x) & torch.isfinite(y)
    return float((x - y)[finite].abs().max()) if bool(finite.any()) else None
