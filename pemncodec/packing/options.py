"""Options of packing beside those of the checkpoint: where random weights come from, conversions, and storage."""

from __future__ import annotations

import operator
from dataclasses import dataclass

from ..checkpoints.options import TENSOR_DTYPES, is_eps
from ..common.option import option
from ..errors import ConversionError, SeedError

DEFAULT_EPS = 1e-5  # of PyTorch's BatchNorm

# Seeds that are tried by default.
DEFAULT_TRIED = 10_000


def _integer(number: object) -> int | None:
    """Return an integer of any type, numpy's included; None for a bool or anything else."""
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        return None
    return operator.index(number)


@dataclass(frozen=True)
class Seeding:
    """The seed that random weights may come from, or how many are tried.

    Attributes:
        seed: of `torch.manual_seed`; None: unknown.
        tried: how many seeds from 0 on to try, beside the common ones, if the seed is unknown; 0 or False: none,
            True: ten thousand.

    Raises:
        SeedError: a seed that torch does not take, or both.
    """

    seed: int | None = option(
        None,
        "Argument of torch.manual_seed; weights that its CPU generator drew are stored as this seed.",
        "integer",
        flag="torch_seed",
        metavar="S",
    )
    tried: int = option(
        0,
        f"Try the seeds 0 to N - 1 (default: {DEFAULT_TRIED:,}) and some common ones.",
        "count",
        flag="find_seed",
        metavar="[N]",
    )

    def __post_init__(self) -> None:
        if self.seed is not None:
            seed = _integer(self.seed)
            if seed is None or not -(1 << 63) <= seed < 1 << 64:
                raise SeedError(
                    f"seed {self.seed!r} is not one that torch.manual_seed takes: use an integer of 64 bits"
                )
            object.__setattr__(self, "seed", seed)
        tried = DEFAULT_TRIED if self.tried is True else _integer(self.tried)
        if tried is None or not 0 <= tried <= 1 << 32:
            raise SeedError(f"{self.tried!r} seeds cannot be tried: use 0 to 2^32")
        object.__setattr__(self, "tried", tried)
        if self.seed is not None and self.tried:
            raise SeedError("the seed was given, so there is none to find: omit one of the two options")


@dataclass(frozen=True)
class InferenceOptions:
    """Lossy conversions of tensors without a mask; none by default.

    Attributes:
        fold_batchnorm: fold the running statistics of BatchNorms into weight and bias.
        batchnorm_eps: the eps of all of them, in [0, 1]; None: that of the module, or PyTorch's default.
        tensor_dtype: round float32 and float64 tensors to `"float16"` or `"bfloat16"`; None: leave them unchanged.

    Raises:
        ConversionError: another value, or an eps without folding.
    """

    fold_batchnorm: bool = option(
        False,
        "Lossy, for inference: fold BatchNorm statistics into weight and bias; stock networks still load the result.",
        "flag",
    )
    batchnorm_eps: float | None = option(
        None,
        "For --fold-batchnorm: the eps of all BatchNorms (default: 1e-05, as in PyTorch).",
        "number",
        metavar="EPS",
    )
    tensor_dtype: str | None = option(
        None, "Lossy: round float32 and float64 tensors without a mask.", choices=TENSOR_DTYPES
    )

    def __post_init__(self) -> None:
        if not isinstance(self.fold_batchnorm, bool):
            raise ConversionError(f"fold_batchnorm is {self.fold_batchnorm!r}: choose True or False")
        eps = self.batchnorm_eps
        if eps is not None:
            if not is_eps(eps):
                raise ConversionError(f"batchnorm_eps is {eps!r}, and must be a number, at least 0 and at most 1")
            if not self.fold_batchnorm:
                raise ConversionError("batchnorm_eps requires fold_batchnorm")
        if self.tensor_dtype is not None and self.tensor_dtype not in TENSOR_DTYPES:
            raise ConversionError(f"tensor_dtype is {self.tensor_dtype!r}: choose 'float16' or 'bfloat16', as a string")

    @property
    def lossy(self) -> bool:
        """Return whether any conversion is asked for."""
        return self.fold_batchnorm or self.tensor_dtype is not None


@dataclass(frozen=True)
class Storing:
    """The way in which masks and values are stored; nothing that is decoded depends on it.

    Attributes:
        seekable: put large masks and values in chunks, so that parts of a tensor decode without the rest
            (docs/how-to/single-tensors.md).
    """

    seekable: bool = option(
        False, "Put large masks and values in chunks, so that parts of tensors decode alone (up to 1 % larger).", "flag"
    )
