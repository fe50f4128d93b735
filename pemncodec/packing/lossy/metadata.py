"""The conversions that a file names under `pemn.fold_batchnorm` and `pemn.tensor_dtype` (spec section 10)."""

from __future__ import annotations

from ...common.dtypes import DType
from ...common.strict_json import write
from .batchnorm import Folding
from .tensor_dtype import Rounding


def write_folding(folding: Folding) -> str:
    """Return the metadata of folding."""
    return write(
        {
            "eps": next(iter(folding.eps.values())) if folding.one_eps else folding.eps,
            "layers": len(folding.eps),
            "scale_error": folding.scale_error,
            "shift_error": folding.shift_error,
        }
    )


def write_rounding(rounding: Rounding, dtype: DType) -> str:
    """Return the metadata of rounding."""
    return write(
        {
            "dtype": dtype.name,
            "tensors": rounding.tensors,
            "absolute_error": rounding.absolute.value,
            "absolute_error_in": rounding.absolute.where,
            "relative_error": rounding.relative.value,
            "relative_error_in": rounding.relative.where,
        }
    )
