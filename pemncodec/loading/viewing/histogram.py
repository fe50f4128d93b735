"""Histograms of prototypes as SVG."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...common.dtypes import DType
from ...common.words import Words

_BARS = 60
_PIECE = 1 << 20


def histogram(words: Words, dtype: DType) -> str:
    """Bars from the smallest to the largest finite value, with both below; a sentence if there are none.

    Args:
        words: the bits of the values.
        dtype: their type.
    """
    if dtype.kind not in ("int", "float") or (dtype.numpy_name is None and dtype.name != "bfloat16"):
        return f"<p>No histogram of {dtype.name}.</p>"
    low, high, finite = np.inf, -np.inf, 0
    for values in _numbers(words, dtype):
        if len(values):
            low, high, finite = min(low, values.min()), max(high, values.max()), finite + len(values)
    if not finite:
        return "<p>No finite value.</p>"
    counts = np.zeros(_BARS, dtype=np.int64)
    span = high / 2 - low / 2  # halves: the difference of two large float64 may be infinite
    for values in _numbers(words, dtype):
        places = (values / 2 - low / 2) / span * _BARS if span else np.full(len(values), _BARS / 2)
        counts += np.bincount(places.astype(np.int64).clip(0, _BARS - 1), minlength=_BARS)
    top = int(counts.max())
    path = "".join(
        f"M{bar} 24v{-max(24 * int(count) / top, 0.3):.2f}h1V24z" for bar, count in enumerate(counts) if count
    )
    rest = len(words) - finite
    aside = f", {rest:,} not finite" if rest else ""
    label = f"Histogram of {finite:,} finite values from {low:.6g} to {high:.6g}"
    return (
        f'<svg class="histogram" role="img" aria-label="{label}" viewBox="0 0 {_BARS} 24" preserveAspectRatio="none" '
        f'width="100%" height="90"><path d="{path}"/></svg>'
        f'<p class="axis"><span>{low:.6g}</span><span>tallest bar: {top:,} values{aside}</span>'
        f"<span>{high:.6g}</span></p>"
    )


def _numbers(words: Words, dtype: DType) -> Iterator[NDArray[np.float64]]:
    """The finite values, in pieces."""
    for start in range(0, len(words), _PIECE):
        piece = words[start : start + _PIECE]
        if dtype.numpy_name is None:  # bfloat16
            numbers = (piece.astype(np.uint32) << 16).view(np.float32)
        else:
            numbers = piece.view(dtype.numpy_name)
        with np.errstate(invalid="ignore"):  # a signaling NaN
            values = numbers.astype(np.float64)
        yield values[np.isfinite(values)]
