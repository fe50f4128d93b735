"""Fold the running statistics of BatchNorms into weight and bias, in float64.

In evaluation a BatchNorm computes weight · (x − mean) / sqrt(var + eps) + bias. Afterwards mean is 0 and var is a
constant for which var + eps is 1 in the arithmetic of the forward pass (as near to it as the type of var allows):
weight alone is the scale then, and bias the shift, and the forward pass rounds neither again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ...checkpoints.draft import Draft, DraftEntry, PlainTensor, TiedTensor
from ...checkpoints.options import is_eps
from ...common.dtypes import BY_NAME, DType
from ...common.words import to_words, word_type
from ...errors import ConversionError
from .rounding import Floats, is_finite, narrow, widen

FLOAT64 = BY_NAME["float64"]
ROLES = ("weight", "bias", "running_mean", "running_var")
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_VAR = "running_var"
_COUNT = "num_batches_tracked"

_NO_AFFINE = "no weight and bias to fold into"
_MASKED = "a masked weight or bias"
_MISFIT = "vectors that do not fit together"
_SHARED = "tensors shared with a layer that is folded differently"
_INFINITE = "values that would not be finite when folded"


@dataclass
class Folding:
    """The result of folding.

    Attributes:
        exact: new values before they are rounded, by name.
        tensors: tensors that are settled already, by name.
        eps: the eps of every layer that was folded, by its prefix.
        one_eps: whether all layers have the same, those that were left as they are included.
        scale_error: largest relative error of a scale.
        shift_error: largest absolute error of what comes out where x is the running mean.
        notes: layers that were left as they are, a line for every reason.
    """

    exact: dict[str, Floats] = field(default_factory=dict)
    tensors: dict[str, PlainTensor] = field(default_factory=dict)
    eps: dict[str, float] = field(default_factory=dict)
    one_eps: bool = True
    scale_error: float = 0.0
    shift_error: float = 0.0
    notes: list[str] = field(default_factory=list)


# The tensors of one BatchNorm, None where there is none, and its eps. A module that is used twice has two prefixes,
# and one identity: its second names are ties to the first.
_Identity = tuple[tuple[str | None, ...], float]


def fold(draft: Draft, eps_of: Callable[[str], float | None], stored: Callable[[DType], DType]) -> Folding:
    """Fold every BatchNorm that the names show: X.running_mean and X.running_var, beside X.weight and X.bias.

    Args:
        draft: is not changed.
        eps_of: the eps by prefix (`"X."`, or `""`); None: leave that one as it is.
        stored: as which type a tensor of a type will be stored.

    Raises:
        ConversionError: an eps outside of [0, 1].
    """
    entries = {entry.name: entry for entry in draft.entries}
    roots = {name: entry.target if isinstance(entry, TiedTensor) else name for name, entry in entries.items()}
    users: dict[str, set[str]] = {}
    for name, root in roots.items():
        users.setdefault(root, set()).add(name)
    layers: dict[_Identity, list[str]] = {}
    for name in entries:
        prefix = name[: -len(_VAR)]
        if name != prefix + _VAR or prefix[-1:] not in ("", ".") or prefix + "running_mean" not in entries:
            continue
        eps = eps_of(prefix)
        if eps is not None:
            if not is_eps(eps):
                raise ConversionError(f"BatchNorm {prefix[:-1]!r} has the eps {eps}, outside [0, 1]: use another")
            identity = tuple(roots.get(prefix + role) for role in ROLES), eps
            layers.setdefault(identity, []).append(prefix)
    folding = Folding(one_eps=len({eps for _, eps in layers}) == 1)
    left: dict[str, list[str]] = {}
    for (names, eps), prefixes in layers.items():
        reason = _hindrance(names, prefixes, entries, users) or _fold_layer(
            folding, [entries[name] for name in names if name is not None], eps, stored
        )
        if reason is None:
            folding.eps.update(dict.fromkeys(prefixes, eps))
        else:
            left.setdefault(reason, []).extend(prefixes)
    _forget_counts(folding, entries, roots, users)
    folding.notes = [
        f"{len(prefixes)} BatchNorm{'s' * (len(prefixes) > 1)} not folded (first: {prefixes[0][:-1]!r}): {reason}"
        for reason, prefixes in left.items()
    ]
    return folding


def _hindrance(
    names: tuple[str | None, ...],
    prefixes: list[str],
    entries: dict[str, DraftEntry],
    users: dict[str, set[str]],
) -> str | None:
    found = [entries[name] for name in names if name is not None]
    if len(found) < len(ROLES):
        return _NO_AFFINE
    plain = [entry for entry in found if isinstance(entry, PlainTensor)]
    if len(plain) < len(ROLES):
        return _MASKED
    first = plain[0].shape
    if len(first) != 1 or any(entry.shape != first or entry.dtype.name not in _FLOATS for entry in plain):
        return _MISFIT
    for entry, role in zip(plain, ROLES, strict=True):
        if users[entry.name] != {prefix + role for prefix in prefixes}:
            return _SHARED
    return None


def _fold_layer(
    folding: Folding, tensors: list[DraftEntry], eps: float, stored: Callable[[DType], DType]
) -> str | None:
    """Fold one BatchNorm; or why not."""
    weight, bias, mean, var = (tensor for tensor in tensors if isinstance(tensor, PlainTensor))
    w, b, m, v = (widen(tensor.values, tensor.dtype) for tensor in (weight, bias, mean, var))
    constant, total = _variance(eps, stored(var.dtype), wide=var.dtype == FLOAT64)
    root = float(np.sqrt(np.float64(total)))
    with np.errstate(all="ignore"):
        scale = w / np.sqrt(v + eps)
        new_weight = scale * root
        # The shift is that of the scale as it is rounded: no error comes in where x is near the running mean. Without a
        # mean there is none, and the sign of a zero stays.
        rounded = _rounded(new_weight, stored(weight.dtype)) / root
        new_bias = np.where(m == 0, b, b - m * rounded)
        for values, dtype in ((new_weight, weight.dtype), (new_bias, bias.dtype)):
            if not is_finite(narrow(to_words(values), FLOAT64, dtype), dtype).all():
                return _INFINITE
        off = np.abs(rounded - scale) / np.abs(np.where(scale == 0, 1, scale))
        shift_off = np.abs(_rounded(new_bias, stored(bias.dtype)) - new_bias)
    folding.scale_error = max(folding.scale_error, float(off.max(initial=0)))
    folding.shift_error = max(folding.shift_error, float(shift_off.max(initial=0)))
    folding.exact[weight.name], folding.exact[bias.name] = new_weight, new_bias
    folding.exact[mean.name] = np.zeros_like(m)
    folding.exact[var.name] = np.full_like(v, constant)
    return None


def _rounded(values: Floats, dtype: DType) -> Floats:
    return widen(narrow(to_words(values), FLOAT64, dtype), dtype)


def _variance(eps: float, dtype: DType, *, wide: bool) -> tuple[float, float]:
    """The constant that takes the place of a running variance, and what the forward pass gets when it adds eps.

    Args:
        dtype: as which type it is stored.
        wide: whether the forward pass computes in float64; in float32 otherwise.
    """
    compute = np.float64 if wide else np.float32
    nearest = narrow(to_words(np.array([1 - eps])), FLOAT64, dtype)
    sums = []
    for word in (nearest, nearest + nearest.dtype.type(1)):
        value = float(widen(word, dtype)[0])
        sums.append((value, float(compute(value) + compute(eps))))
    return next((pair for pair in sums if pair[1] == 1), sums[0])


def _forget_counts(
    folding: Folding, entries: dict[str, DraftEntry], roots: dict[str, str], users: dict[str, set[str]]
) -> None:
    """No batch was tracked for the statistics that are there now: a training that goes on begins anew."""
    for prefix in folding.eps:
        entry = entries.get(roots.get(prefix + _COUNT, ""))
        if not isinstance(entry, PlainTensor) or entry.dtype.kind != "int":
            continue
        if users[entry.name] <= {other + _COUNT for other in folding.eps}:
            zeros = np.zeros(len(entry.values), dtype=word_type(entry.dtype))
            folding.tensors[entry.name] = PlainTensor(entry.name, entry.dtype, entry.shape, zeros)
