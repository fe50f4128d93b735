"""The fraction that each layer keeps: one for all, by name, by a rule of its shape."""

from __future__ import annotations

import glob
import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from torch import nn

from ..errors import MaskRuleError, NetworkError
from ..errors.quoting import quoted
from .recipe import MOST_COATS, descend
from .scope import Scope, weights_in_scope

Fractions = float | Mapping[str, float]


def check_fraction(keep: object) -> float:
    """Return a fraction that a layer can keep.

    Raises:
        MaskRuleError: it is outside of (0, 1], or no number.
    """
    if not isinstance(keep, (int, float)) or isinstance(keep, bool) or not 0.0 < keep <= 1.0:
        raise MaskRuleError(f"keep is {keep}, and must be above 0 and at most 1: the fraction of weights that are KEPT")
    return float(keep)


def fractions(keep: Fractions, paths: Sequence[str]) -> list[float]:
    """Return the fraction of each of the modules `paths`.

    Raises:
        MaskRuleError: a fraction is outside of (0, 1].
        NetworkError: a pattern is no string or matches no module, or no pattern matches a module.
    """
    if not isinstance(keep, Mapping):
        return [check_fraction(keep)] * len(paths)
    by_pattern = {pattern: check_fraction(fraction) for pattern, fraction in keep.items()}
    for pattern in by_pattern:
        if not isinstance(pattern, str) or not any(fnmatchcase(path, pattern) for path in paths):
            raise NetworkError(f"keep names {pattern!r}, which matches no masked module ('*' matches anything)")
    found = []
    for path in paths:
        fraction = next((fraction for pattern, fraction in by_pattern.items() if fnmatchcase(path, pattern)), None)
        if fraction is None:
            raise NetworkError(f"keep has no fraction for the module {path!r}: add the pattern '*' at its end")
        found.append(fraction)
    return found


def shares(coats: int | Sequence[float]) -> tuple[float, ...]:
    """Return the shares of the kept weights that the second and further coats keep.

    Raises:
        NetworkError: `coats` is neither a number of coats nor descending shares below 1.
    """
    if isinstance(coats, int) and not isinstance(coats, bool) and 1 <= coats <= MOST_COATS:
        return tuple(left / coats for left in range(coats - 1, 0, -1))
    if isinstance(coats, (list, tuple)) and len(coats) < MOST_COATS:
        given = tuple(float(share) for share in coats if isinstance(share, (int, float)))
        if len(given) == len(coats) and descend(given):
            return given
    raise NetworkError(
        f"coats is {quoted(str(coats))}: use 1 to {MOST_COATS}, or the shares of kept weights that further coats keep, "
        "descending between 1 and 0"
    )


def erdos_renyi(model: nn.Module, keep: float, *, scope: Scope = None) -> dict[str, float]:
    """Return a fraction for each module by the Erdős–Rényi kernel, for `mask_network(keep=…)`.

    The fraction is proportional to the sum of the dimensions of a weight over their product, and at most 1, so that
    small layers keep more than large ones (Evci et al., "Rigging the lottery", ICML 2020).

    Args:
        model: as for `mask_network`, before it is masked.
        keep: the fraction that all layers together keep, in (0, 1].
        scope: as for `mask_network`.

    Returns:
        Fractions by the full name of the module, as a pattern.

    Raises:
        NetworkError: nothing to mask, as `mask_network` does.
        MaskRuleError: keep is outside its range.
    """
    wanted = check_fraction(keep)
    paths = {module: path for path, module in model.named_modules()}
    sizes: dict[str, int] = {}
    dimensions: dict[str, int] = {}
    for module, name in weights_in_scope(model, scope):
        shape, path = getattr(module, name).shape, paths[module]
        sizes[path] = sizes.get(path, 0) + math.prod(shape)
        dimensions[path] = dimensions.get(path, 0) + sum(shape)
    if not sizes:
        raise NetworkError("there is no weight to mask: no linear, convolution or attention layer in the scope")
    whole: set[str] = set()  # that keep everything
    while True:
        left = wanted * sum(sizes.values()) - sum(sizes[path] for path in whole)
        rest = [path for path in sizes if path not in whole]
        factor = left / sum(dimensions[path] for path in rest) if rest else 0.0
        full = {path for path in rest if factor * dimensions[path] >= sizes[path]}
        if not full:
            break
        whole |= full
    return {glob.escape(path): 1.0 if path in whole else factor * dimensions[path] / sizes[path] for path in sizes}
