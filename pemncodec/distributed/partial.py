"""DTensors of partial sums, which are no part of a tensor that could be stored."""

from __future__ import annotations

from collections.abc import Mapping

from torch.distributed.tensor import DTensor

from ..errors import UnsupportedTensorError
from ..errors.quoting import quoted


def refuse_partial(planner: object) -> None:
    """Refuse partial sums in the state_dict of a planner: torch takes those of one rank for the whole tensor.

    Args:
        planner: of loading or saving; of one without a `state_dict` nothing is known.

    Raises:
        UnsupportedTensorError: there is one.
    """
    state = getattr(planner, "state_dict", None)
    for name, value in state.items() if isinstance(state, Mapping) else ():
        if isinstance(value, DTensor) and any(placement.is_partial() for placement in value.placements):
            raise UnsupportedTensorError(
                f"{quoted(name)} is a DTensor of partial sums: redistribute it to Shard or Replicate first"
            )
