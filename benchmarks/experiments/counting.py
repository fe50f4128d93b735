"""Bytes of a trained network, counted twice: by formula, as papers do, and as the `.pemn` file that it really takes."""

from __future__ import annotations

import math

import torch
from torch import nn

from pemncodec.nn import MaskedFill
from pemncodec.nn.scope import weights_in_scope

VALUE_BITS = 32


def prototype_values(model: nn.Module) -> int:
    """Distinct values, zero apart, that all masked layers together are filled with."""
    prototypes = {id(part.prototype): part.prototype.values for part in model.modules() if isinstance(part, MaskedFill)}
    if not prototypes:
        return 0
    values = torch.unique(torch.cat([values.flatten() for values in prototypes.values()]))
    return int((values != 0).sum())


def sign_bits(model: nn.Module) -> int:
    """One bit for each weight that a ternary mask keeps: its sign."""
    parts = [part for part in model.modules() if isinstance(part, MaskedFill) and part.sampler == "ternary"]
    return sum(part.count - part.drop for part in parts)


def coat_bits(model: nn.Module) -> int:
    """One bit for each weight that a mask keeps and a further coat may keep once more (Okoshi et al., ICML 2022)."""
    parts = [part for part in model.modules() if isinstance(part, MaskedFill)]
    return sum(part.count - drop for part in parts for drop in part.drops[:-1])


def formula(model: nn.Module, plain: nn.Module) -> int:
    """Bytes by the usual formula: nothing is entropy-coded, and there is no header.

    A mask costs one bit at every weight whose random value is not zero, a prototype 32 bits a value, and the sign of a
    kept ternary weight another bit. A further coat costs one bit at every weight that the coat before keeps. A pruned
    weight costs nothing; a kept one 32 bits and its index in the layer, of ceil(log2 n) bits. Everything else costs 32
    bits an element: biases, BatchNorm with its statistics, and in a dense network all.

    Args:
        model: as it was trained.
        plain: the same network unmasked: it says how many elements there are.
    """
    masked = sum(getattr(module, name).numel() for module, name in weights_in_scope(plain, None))
    floats = sum(tensor.numel() for tensor in plain.state_dict().values() if tensor.is_floating_point())
    bits: int = VALUE_BITS * (floats - masked)
    fills = [part for part in model.modules() if isinstance(part, MaskedFill)]
    pruned = [buffer for name, buffer in model.named_buffers() if name.endswith("_mask")]
    if fills:
        bits += VALUE_BITS * prototype_values(model) + sign_bits(model) + coat_bits(model)
        for module in model.modules():
            for parametrizations in getattr(module, "parametrizations", {}).values():
                bits += int((parametrizations[0].filled(parametrizations.original) != 0).sum())
    elif pruned:
        for mask in pruned:
            bits += int(mask.sum()) * (VALUE_BITS + math.ceil(math.log2(mask.numel())))
    else:
        bits += VALUE_BITS * masked
    return -(-bits // 8)


def paper(model: nn.Module, plain: nn.Module) -> int:
    """Bytes as the paper counts them: only what is masked, pruned or dense, and nothing of BatchNorm and its kind.

    A mask costs one bit a weight, the sign of a kept ternary weight another, a further coat one bit a weight that the
    coat before keeps, and a random value 32 bits; a pruned network costs 32 bits a kept weight, and its indices
    nothing.
    """
    masked = sum(getattr(module, name).numel() for module, name in weights_in_scope(plain, None))
    pruned = [buffer for name, buffer in model.named_buffers() if name.endswith("_mask")]
    if any(isinstance(part, MaskedFill) for part in model.modules()):
        bits: int = masked + VALUE_BITS * prototype_values(model) + sign_bits(model) + coat_bits(model)
    else:
        bits = VALUE_BITS * (sum(int(mask.sum()) for mask in pruned) if pruned else masked)
    return -(-bits // 8)
