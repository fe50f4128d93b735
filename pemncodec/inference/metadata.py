"""What a file says of its conversions: the keys `pemn.fold_batchnorm` and `pemn.tensor_dtype` (spec section 10)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..dtypes import BY_NAME, DType
from ..errors import ConversionError
from ..options import TENSOR_DTYPES, is_eps
from .batchnorm import Folding
from .tensor_dtype import Rounding

FOLD_BATCHNORM = "pemn.fold_batchnorm"
TENSOR_DTYPE = "pemn.tensor_dtype"


def write_folding(folding: Folding) -> str:
    """What was folded."""
    return _dump(
        {
            "eps": next(iter(folding.eps.values())) if folding.one_eps else folding.eps,
            "layers": len(folding.eps),
            "scale_error": folding.scale_error,
            "shift_error": folding.shift_error,
        }
    )


def write_rounding(rounding: Rounding, dtype: DType) -> str:
    """What was rounded."""
    return _dump(
        {
            "dtype": dtype.name,
            "tensors": rounding.tensors,
            "absolute_error": rounding.absolute.value,
            "absolute_error_in": rounding.absolute.where,
            "relative_error": rounding.relative.value,
            "relative_error_in": rounding.relative.where,
        }
    )


def read(metadata: Mapping[str, str]) -> tuple[float | dict[str, float] | None, DType | None]:
    """The eps of all folded BatchNorms, or of each by its prefix, and the type of rounded tensors.

    None where nothing was folded, or rounded.

    Raises:
        ConversionError: the metadata is something else.
    """
    eps: float | dict[str, float] | None = None
    if FOLD_BATCHNORM in metadata:
        said = _load(metadata, FOLD_BATCHNORM).get("eps")
        if not all(map(is_eps, said.values() if isinstance(said, dict) else [said])):
            raise _unknown(metadata, FOLD_BATCHNORM)
        eps = said
    dtype: DType | None = None
    if TENSOR_DTYPE in metadata:
        name = _load(metadata, TENSOR_DTYPE).get("dtype")
        if name not in TENSOR_DTYPES:
            raise _unknown(metadata, TENSOR_DTYPE)
        dtype = BY_NAME[name]
    return eps, dtype


def _dump(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _load(metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    try:
        value = json.loads(metadata[key])
    except (ValueError, RecursionError):
        raise _unknown(metadata, key) from None
    if not isinstance(value, dict):
        raise _unknown(metadata, key)
    return value


def _unknown(metadata: Mapping[str, str], key: str) -> ConversionError:
    return ConversionError(
        f"the file says {metadata[key][:80]!r} under {key!r}, which this pemncodec cannot repeat: install a newer one"
    )
