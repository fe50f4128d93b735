"""Tensors of a model that cannot be loaded into by copying."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..errors import MismatchError
from ..errors.quoting import quoted


def check_targets(own: Mapping[str, Any], *, assign: bool) -> None:
    """Refuse tensors that a file cannot be copied to.

    Args:
        own: the state_dict of the model.
        assign: whether they are replaced, and not copied to.

    Raises:
        MismatchError: one is a part of a distributed tensor; or, without `assign`, on the meta device, where copying
            does nothing.
    """
    for name, tensor in own.items():
        if not isinstance(tensor, torch.Tensor):
            continue
        if type(tensor).__name__ in ("DTensor", "ShardedTensor"):
            raise MismatchError(
                f"{quoted(name)} of the model is a {type(tensor).__name__}: load its state_dict with "
                "pemncodec.distributed.PemnReader"
            )
        if tensor.is_meta and not assign:
            raise MismatchError(
                f"{quoted(name)} of the model is on the meta device and cannot be copied to: use assign=True"
            )
