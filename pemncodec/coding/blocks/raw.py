"""Coder 0: the elements as they are (spec section 6)."""

from __future__ import annotations

from ...common import words as w
from ...common.dtypes import DType
from ...common.words import Words
from ...container.cursor import Payload
from ...errors import PayloadError


def encode(words: Words, dtype: DType, limit: int) -> bytes:
    return w.to_bytes(words)


def decode(payload: Payload, dtype: DType, count: int) -> Words:
    if len(payload) != count * dtype.itemsize:
        raise PayloadError(f"{count} raw elements of {dtype} in {len(payload)} bytes")
    return w.from_bytes(payload, dtype)
