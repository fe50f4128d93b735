"""What a user says about a checkpoint that it does not say itself, and what shall be given up for a smaller file."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ConversionError, MaskRuleError

TENSOR_DTYPES = ("float16", "bfloat16")
DEFAULT_EPS = 1e-5  # of PyTorch's BatchNorm


@dataclass(frozen=True)
class PackOptions:
    """Options of packing.

    Attributes:
        keep: the fraction of weights that edge-popup keeps in every layer, in (0, 1].
        key: under which key of the checkpoint the state_dict is.

    Raises:
        MaskRuleError: keep is outside of (0, 1].
    """

    keep: float | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        if self.keep is not None and (not isinstance(self.keep, float | int) or not 0.0 < self.keep <= 1.0):
            percent = f" (for {self.keep} % give {self.keep / 100:g})" if _is_percent(self.keep) else ""
            raise MaskRuleError(
                f"keep is {self.keep!r}, and must be above 0 and at most 1: the fraction of weights that are "
                f"KEPT{percent}"
            )


@dataclass(frozen=True)
class InferenceOptions:
    """Lossy conversions of what is not masked; none by default.

    Attributes:
        fold_batchnorm: fold the running statistics of BatchNorms into weight and bias.
        batchnorm_eps: the eps of all of them, in [0, 1]; None: as the module says, or PyTorch's default.
        tensor_dtype: round float32 and float64 tensors to `"float16"` or `"bfloat16"`; None: leave them as they are.

    Raises:
        ConversionError: another value, or an eps with nothing to fold.
    """

    fold_batchnorm: bool = False
    batchnorm_eps: float | None = None
    tensor_dtype: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.fold_batchnorm, bool):
            raise ConversionError(f"fold_batchnorm is {self.fold_batchnorm!r}: choose True or False")
        eps = self.batchnorm_eps
        if eps is not None:
            if not is_eps(eps):
                raise ConversionError(f"batchnorm_eps is {eps!r}, and must be a number, at least 0 and at most 1")
            if not self.fold_batchnorm:
                raise ConversionError("batchnorm_eps says how to fold BatchNorms: give fold_batchnorm, too")
        if self.tensor_dtype is not None and self.tensor_dtype not in TENSOR_DTYPES:
            raise ConversionError(f"tensor_dtype is {self.tensor_dtype!r}: choose 'float16' or 'bfloat16', as a string")

    @property
    def lossy(self) -> bool:
        """Whether any conversion is asked for."""
        return self.fold_batchnorm or self.tensor_dtype is not None


def is_eps(value: object) -> bool:
    """Whether a value can be the eps of a BatchNorm that is folded: a number in [0, 1]."""
    return isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value <= 1


def _is_percent(keep: object) -> bool:
    return isinstance(keep, float | int) and 1.0 < keep <= 100.0
