"""Coder 1: zstd over the elements as they are (spec section 6). Wins on repeated vectors and integers."""

from __future__ import annotations

from ...common import words as w
from ...common.dtypes import DType
from ...common.words import Words
from ...container import frames
from ...container.cursor import Payload
from ...errors import PayloadError


def encode(words: Words, dtype: DType, limit: int) -> bytes | None:
    return frames.compress_below(w.to_bytes(words), limit) if len(words) else None


def decode(payload: Payload, dtype: DType, count: int) -> Words:
    return w.from_bytes(frames.decompress(payload, count * dtype.itemsize, "elements", PayloadError), dtype)
