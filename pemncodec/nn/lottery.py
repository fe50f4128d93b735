"""Lottery tickets: iterative magnitude pruning with rewinding (Frankle and Carbin, ICLR 2019)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.utils import prune

from ..errors import NetworkError
from .scope import Scope, weights_in_scope


def lottery_ticket(
    model: nn.Module,
    train: Callable[[nn.Module], None],
    *,
    rounds: int,
    fraction: float = 0.2,
    rewind: dict[str, torch.Tensor] | None = None,
    scope: Scope = None,
) -> None:
    """Find a winning ticket of `model`, in place, by torch.nn.utils.prune.

    Each round trains the network, prunes the `fraction` of the remaining weights that are smallest in magnitude,
    over all layers together, and resets every parameter and buffer. The remaining network is the ticket,
    ready to be trained; `pemncodec.save` packs it as masks and kept values.

    Args:
        model: any module with layers that `mask_network` would mask. The output projections of
            `nn.MultiheadAttention` are left dense, where `torch.nn.utils.prune` does not work.
        train: trains the network it is given, in place.
        rounds: how often; (1 − fraction)^rounds of the weights remain.
        fraction: what each round prunes, in (0, 1).
        rewind: a state_dict to rewind to, of an early step of training ("late rewinding"); by default the present one.
        scope: which modules, as for `mask_network`.

    Raises:
        NetworkError: nothing to prune, rounds or fraction outside their range, or a `rewind` of another network.
    """
    if rounds < 1 or not 0.0 < fraction < 1.0:
        raise NetworkError(
            f"{rounds} rounds of a fraction of {fraction}: use at least 1 round, and a fraction between 0 and 1"
        )
    # Attention reads the weight of its output projection without calling it, so that pruning's hook never runs.
    unreached = {module.out_proj for module in model.modules() if isinstance(module, nn.MultiheadAttention)}
    weights = [(module, name) for module, name in weights_in_scope(model, scope) if module not in unreached]
    if not weights:
        raise NetworkError("there is no weight to prune: no linear, convolution or attention layer in the scope")
    source = model.state_dict() if rewind is None else rewind
    missing = sorted(set(model.state_dict()) - set(source))
    if missing:
        raise NetworkError(f"rewind has no {missing[0]!r}: it is the state_dict of another network")
    start = {name: tensor.detach().clone() for name, tensor in source.items()}
    for _ in range(rounds):
        train(model)
        prune.global_unstructured(weights, pruning_method=prune.L1Unstructured, amount=fraction)
        _go_back(model, start)


@torch.no_grad()
def _go_back(model: nn.Module, start: dict[str, torch.Tensor]) -> None:
    """Parameters and buffers as at the start; the masks stay."""
    for name, tensor in model.state_dict().items():
        if not name.endswith("_mask"):
            tensor.copy_(start[name.removesuffix("_orig")] if name not in start else start[name])
