"""Weights as integers of few bits, with a scale for each output channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from pemncodec.nn.scope import weights_in_scope

State = dict[str, torch.Tensor]
_SCALE = "_scale"
_CLIPS = 32  # scales that are tried: the least squared error wins


@dataclass(frozen=True)
class Codes:
    """A quantized network.

    Attributes:
        integers: int8, by the name of the weight.
        rest: every other tensor; scales among them, named for their weight.
    """

    integers: State
    rest: State

    def pruned(self) -> State:
        """The layout of torch.nn.utils.prune: pemncodec stores a mask and the integers that are not zero."""
        state = dict(self.rest)
        for name, integers in self.integers.items():
            state[f"{name}_orig"], state[f"{name}_mask"] = integers, (integers != 0).float()
        return state


@torch.no_grad()
def round_weights(network: nn.Module, bits: int) -> State:
    """Round every weight of linear layers and convolutions, in place, to 2^bits − 1 values a channel.

    Returns:
        The scales, by the name of the weight.
    """
    scales: State = {}
    for name, weight in _weights(network):
        scales[name] = _scale(weight, bits)
        weight.copy_(_integers(weight, scales[name], bits) * scales[name])
    return scales


@torch.no_grad()
def codes(network: nn.Module, scales: State, bits: int, *, fold: bool) -> Codes:
    """Return the integers and scales of a network that `round_weights` has rounded.

    Args:
        network: quantized.
        scales: what `round_weights` returned.
        bits: of its weights.
        fold: put a scale into the BatchNorm behind the layer, where there is one, for the inference profile: its
            statistics and the scale become one factor.
    """
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    followers = _followers(network) if fold else {}
    integers: State = {}
    for name, weight in _weights(network):
        scale = scales[name]
        del state[name]
        integers[name] = _integers(weight, scale, bits).to(torch.int8)
        norm = followers.get(name)
        if norm is None:
            state[name + _SCALE] = scale.flatten()
            continue
        # weight × (s y − mean) / √(var + eps) + bias, for y of the integers: the eps is that of s y
        module = network.get_submodule(norm)
        assert isinstance(module, nn.BatchNorm2d)
        root = torch.sqrt(state[f"{norm}.running_var"] + module.eps)
        state[f"{norm}.running_mean"] /= scale.flatten()
        state[f"{norm}.running_var"] = (root / scale.flatten()).square() - module.eps
    return Codes(integers, state)


def values(state: State, network: nn.Module) -> State:
    """The floating-point weights of a decoded file, in the order of the network."""
    found: State = {}
    for name in network.state_dict():
        weight = state[name]
        scale = state.get(name + _SCALE)
        if scale is not None:
            weight = weight.float() * scale.float().view(-1, *[1] * (weight.dim() - 1))
        found[name] = weight.float() if weight.dtype == torch.int8 else weight
    return found


def _weights(network: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    paths = {id(module): path for path, module in network.named_modules()}
    for module, name in weights_in_scope(network, None):
        yield f"{paths[id(module)]}.{name}", getattr(module, name)


def _followers(network: nn.Module) -> dict[str, str]:
    """The BatchNorm that alone takes what a convolution makes, by the name of its weight."""
    found: dict[str, str] = {}
    for path, module in network.named_modules():
        start = f"{path}." if path else ""
        children = list(module.named_children())
        pairs = list(pairwise(children)) if isinstance(module, nn.Sequential) else []
        named = dict(children)
        for name, child in children:  # of a block: conv1 and bn1
            behind = name.replace("conv", "bn")
            if behind in named and behind != name:
                pairs.append(((name, child), (behind, named[behind])))
        for (first, conv), (second, norm) in pairs:
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                found[f"{start}{first}.weight"] = f"{start}{second}"
    return found


def _columns(weight: torch.Tensor) -> tuple[int, ...]:
    return (-1, *[1] * (weight.dim() - 1))


def _integers(weight: torch.Tensor, scale: torch.Tensor, bits: int) -> torch.Tensor:
    most = (1 << bits - 1) - 1
    return torch.round(weight / scale).clamp(-most, most)


def _scale(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """A scale for each channel: of several that clip the largest weights, that with the least squared error."""
    most = (1 << bits - 1) - 1
    largest = weight.abs().flatten(1).amax(1).view(_columns(weight)).clamp(min=1e-12)
    best, least = largest / most, torch.full_like(largest, torch.inf)
    for step in range(_CLIPS):
        scale = largest * (1 - 0.6 * step / _CLIPS) / most
        error = (_integers(weight, scale, bits) * scale - weight).square().flatten(1).sum(1).view(_columns(weight))
        best, least = torch.where(error < least, scale, best), torch.minimum(error, least)
    return best
