"""The inference profile: a `Draft` with less in it than the checkpoint, on request. numpy only.

`convert` does what options say, `convert_again` what the metadata of a file says was done (spec section 10).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ...checkpoints.draft import Conversion, Draft
from ...checkpoints.metadata import FOLD_BATCHNORM, TENSOR_DTYPE, read
from ...common.dtypes import BY_NAME, DType
from ...errors import ConversionError
from ..options import DEFAULT_EPS, InferenceOptions
from . import batchnorm, metadata
from .tensor_dtype import Rounding, round_tensors


@dataclass(frozen=True)
class _Plan:
    """The conversions to make.

    Attributes:
        eps_of: the eps of a BatchNorm by its prefix, None for one that stays as it is; None: fold none.
        origin: where that eps is from, for the user.
        dtype: the type that tensors are rounded to; None: none.
    """

    eps_of: Callable[[str], float | None] | None
    origin: str
    dtype: DType | None


def convert(draft: Draft, options: InferenceOptions) -> Draft:
    """A draft with the conversions that are asked for; the draft itself if none is.

    Names, their order and shapes stay. Masked weights stay as they are.

    Raises:
        ConversionError: a finite value would become infinite; or the draft has tasks.
    """
    if options.lossy and draft.tasks:
        raise ConversionError(
            f"the checkpoint holds {len(draft.tasks)} tasks, which cannot be converted: convert each network by itself"
        )
    eps, known = options.batchnorm_eps, draft.eps

    def eps_of(prefix: str) -> float:
        return known.get(prefix, DEFAULT_EPS) if eps is None else eps

    origin = "as given" if eps is not None else "as in the module" if known else "PyTorch's default, assumed"
    dtype = None if options.tensor_dtype is None else BY_NAME[options.tensor_dtype]
    return _carry_out(draft, _Plan(eps_of if options.fold_batchnorm else None, origin, dtype))


def convert_again(draft: Draft, said: Mapping[str, str]) -> Draft:
    """A draft with the conversions that the metadata of a file says; the draft itself if it says none.

    Raises:
        MetadataError: the metadata cannot be understood.
        ConversionError: a finite value would become infinite.
    """
    found = read(said)
    eps, dtype = found.eps, None if found.tensor_dtype is None else BY_NAME[found.tensor_dtype]

    def eps_of(prefix: str) -> float | None:
        return eps.get(prefix) if isinstance(eps, dict) else eps

    return _carry_out(draft, _Plan(None if eps is None else eps_of, "as the file says", dtype))


def _carry_out(draft: Draft, plan: _Plan) -> Draft:
    folding, notes, conversions = batchnorm.Folding(), list(draft.notes), list(draft.conversions)

    def stored(dtype: DType) -> DType:
        return plan.dtype if plan.dtype is not None and dtype.name in ("float32", "float64") else dtype

    if plan.eps_of is not None:
        folding = batchnorm.fold(draft, plan.eps_of, stored)
        notes += folding.notes
        if folding.eps:
            conversions.append(_folded(folding, plan.origin))
        else:
            notes.append("nothing was folded: there is no BatchNorm with weight, bias, running_mean and running_var")
    entries, rounding = round_tensors(draft.entries, folding.exact, folding.tensors, stored)
    if plan.dtype is not None and rounding.tensors:
        conversions.append(_rounded(rounding, plan.dtype))
    elif plan.dtype is not None:
        notes.append(f"nothing was rounded to {plan.dtype}: every float32 and float64 tensor has a mask")
    return replace(draft, entries=entries, notes=notes, conversions=conversions)


def _folded(folding: batchnorm.Folding, origin: str) -> Conversion:
    distinct = " and ".join(f"{eps:g}" for eps in sorted(set(folding.eps.values())))
    count = len(folding.eps)
    return Conversion(
        done=f"{count} BatchNorm{'s' * (count > 1)} folded into weight and bias, eps {distinct} ({origin})",
        error=f"{folding.scale_error:.2g} of a scale (relative), {folding.shift_error:.2g} of an output at the running "
        "mean (absolute)",
        key=FOLD_BATCHNORM,
        value=metadata.write_folding(folding),
    )


def _rounded(rounding: Rounding, dtype: DType) -> Conversion:
    return Conversion(
        done=f"{rounding.tensors} tensor{'s' * (rounding.tensors > 1)} without a mask rounded to {dtype}",
        error=f"{rounding.absolute.value:.2g} in {rounding.absolute.where!r} (absolute), "
        f"{rounding.relative.value:.2g} in {rounding.relative.where!r} (relative)",
        key=TENSOR_DTYPE,
        value=metadata.write_rounding(rounding, dtype),
    )
