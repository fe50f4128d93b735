"""Statistics of BatchNorm, estimated again for the weights that a network has in evaluation."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..errors import NetworkError


@torch.no_grad()
def recalibrate_batchnorm(model: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Estimate the running statistics of every BatchNorm of `model` again, in place, with its present weights.

    Use it where the weights in evaluation are others than in training: Bernoulli masks, which are drawn in training, or
    weights that were quantized or pruned afterwards. The statistics become the averages over all batches, each with the
    same weight. Everything but BatchNorm is in evaluation mode meanwhile, and no weight changes.

    Args:
        model: any module. Its modes of training and evaluation are afterwards what they were.
        batches: what the model takes, on its device: a few thousand examples, augmented as in training.

    Raises:
        NetworkError: the model has no BatchNorm with running statistics, or there is no batch; it is then unchanged.
    """
    norms = [part for part in model.modules() if isinstance(part, _BatchNorm) and part.running_mean is not None]
    if not norms:
        raise NetworkError("there is no BatchNorm with running statistics to recalibrate")
    modes = {part: part.training for part in model.modules()}
    momenta = {norm: norm.momentum for norm in norms}
    counts = {norm: norm.num_batches_tracked.clone() for norm in norms if norm.num_batches_tracked is not None}
    several = iter(batches)
    first = next(several, None)
    if first is None:
        raise NetworkError("there is no batch: give at least one to estimate the statistics from")
    model.eval()
    try:
        for norm in norms:
            norm.train()
            norm.reset_running_stats()
            norm.momentum = None  # the average over all batches
        model(first)
        for batch in several:
            model(batch)
    finally:
        for norm in norms:
            norm.momentum = momenta[norm]
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.copy_(counts[norm])
        for part, training in modes.items():
            part.training = training
