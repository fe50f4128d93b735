"""Element types: the closed table of spec section 4.8.

Importing this module imports neither numpy nor torch. Elements are handled as *words*: unsigned integers
that hold the bits (`word_bytes` each; complex128 takes two words an element), so that NaN payloads and
−0.0 are never seen as numbers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DType:
    """One element type.

    Attributes:
        id: number in the file (spec section 4.8).
        name: PyTorch's name, as in `torch.float32`.
        itemsize: bytes of one element.
        kind: `"bool"`, `"int"`, `"float"` or `"complex"`.
        maskable: whether a masked layer may have this type.
        numpy_name: the numpy type with the same bits, or None where numpy has none.
    """

    id: int
    name: str
    itemsize: int
    kind: str
    maskable: bool
    numpy_name: str | None

    @property
    def word_bytes(self) -> int:
        """Bytes of one word: 1, 2, 4 or 8."""
        return min(self.itemsize, 8)

    @property
    def words_per_element(self) -> int:
        """1 for all types but complex128, which takes 2."""
        return self.itemsize // self.word_bytes

    @property
    def has_sign_bit(self) -> bool:
        """Return whether the format may negate it by its highest bit (spec section 4.6, `zero` = 1)."""
        return self.name in ("float16", "bfloat16", "float32", "float64")

    def __str__(self) -> str:
        return self.name


_ROWS: tuple[tuple[int, str, int, str, bool, str | None], ...] = (
    (1, "bool", 1, "bool", False, "bool"),
    (2, "uint8", 1, "int", True, "uint8"),
    (3, "int8", 1, "int", True, "int8"),
    (4, "uint16", 2, "int", True, "uint16"),
    (5, "int16", 2, "int", True, "int16"),
    (6, "uint32", 4, "int", True, "uint32"),
    (7, "int32", 4, "int", True, "int32"),
    (8, "uint64", 8, "int", True, "uint64"),
    (9, "int64", 8, "int", True, "int64"),
    (10, "float16", 2, "float", True, "float16"),
    (11, "bfloat16", 2, "float", True, None),
    (12, "float32", 4, "float", True, "float32"),
    (13, "float64", 8, "float", True, "float64"),
    (14, "complex32", 4, "complex", True, None),
    (15, "complex64", 8, "complex", True, "complex64"),
    (16, "complex128", 16, "complex", False, "complex128"),
    (17, "float8_e4m3fn", 1, "float", True, None),
    (18, "float8_e5m2", 1, "float", True, None),
    (19, "float8_e4m3fnuz", 1, "float", True, None),
    (20, "float8_e5m2fnuz", 1, "float", True, None),
    (21, "float8_e8m0fnu", 1, "float", False, None),
    (22, "float4_e2m1fn_x2", 1, "float", False, None),
)

BY_ID: dict[int, DType] = {row[0]: DType(*row) for row in _ROWS}
BY_NAME: dict[str, DType] = {dtype.name: dtype for dtype in BY_ID.values()}

BOOL, UINT8, FLOAT32 = BY_NAME["bool"], BY_NAME["uint8"], BY_NAME["float32"]


def float32_of(bits: int) -> float:
    """The float32 of a bit pattern."""
    (value,) = struct.unpack("<f", struct.pack("<I", bits))
    return float(value)


def float32_bits(value: float) -> int:
    """The bit pattern of a float32."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    return int(bits)
