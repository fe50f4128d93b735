"""Checkpoints packed, loaded again, and compared with what they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

import pemncodec
from pemncodec.errors import PemnError

from . import values
from .harness import ACCEPTED
from .sandbox import refused


def flat(value: Any, path: tuple[Any, ...] = (), depth: int = 0) -> dict[tuple[Any, ...], torch.Tensor]:
    """All tensors in an object, by the way to them."""
    if isinstance(value, torch.Tensor):
        return {path: value}
    found: dict[tuple[Any, ...], torch.Tensor] = {}
    if depth < 20 and isinstance(value, Mapping):
        for key, inner in list(value.items()):
            found |= flat(inner, (*path, repr(key)), depth + 1)
    elif depth < 20 and isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            found |= flat(inner, (*path, number), depth + 1)
    return found


def pack_and_compare(
    checkpoint: Any,
    options: dict[str, Any],
    expected: Mapping[str, torch.Tensor] | None = None,
    *,
    lossy: bool = False,
) -> str:
    """Pack an object and load it again.

    Tensors of the state_dict that no mask was taken for are the same bit for bit, if they have the same names.

    Args:
        expected: tensors that must be there, whatever was recognised.
        lossy: whether values may be others, as the options say.
    """
    try:
        data, report = pemncodec.pack(checkpoint, **options)
    except PemnError as reason:
        return refused(reason)
    except TypeError as reason:  # an argument that there is not: the harness's mistake
        if "argument" in str(reason):
            raise AssertionError(reason) from None
        raise
    with pemncodec.open(data) as file:
        if file.tasks:
            return ACCEPTED
        masked = {name for name in file if file.is_masked(name)}
    loaded = pemncodec.load(data, threads=1)
    state = checkpoint
    if isinstance(checkpoint, Mapping):
        inner = [value for value in checkpoint.values() if isinstance(value, Mapping)]
        state = next((one for one in inner if set(loaded) & set(map(str, one))), checkpoint)
    if isinstance(state, Mapping) and not lossy:
        plain = {
            name: tensor
            for name, tensor in state.items()
            if isinstance(tensor, torch.Tensor)
            and isinstance(name, str)
            and name in loaded
            and name not in (options.get("masks") or ())  # of types without masks the product is stored
            and (
                report.family == "dense" or not (name in masked or tensor.is_complex())
            )  # masked complex ones are products
            and tensor.layout == torch.strided
        }
        values.same("packed", plain, loaded, zeros=report.family == "dense")
    if expected is not None:
        values.same("expected", expected, loaded, zeros=True)
    return ACCEPTED
