"""State_dicts with packed weights -> `MaskedNetwork`: what they hold is said already, and no mask rule is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..coding.prototypes import generator_of
from ..common import torch_tensors
from ..common.dtypes import DType
from ..container.cursor import Cursor
from ..container.header import MINOR
from ..container.manifest.generated import GeneratedRow, read_generated
from ..errors import NetworkError
from ..errors.quoting import quoted
from ..network.mask import Mask
from ..network.model import (
    Alias,
    GeneratedPrototype,
    KeptFill,
    Layer,
    MaskedNetwork,
    Prototype,
    StoredPrototype,
    Tensor,
    TileFill,
)
from ..packed.expand import words_of
from ..packed.tensor import PackedTensor
from ..packed.weight import KEPT, Weight


def state_of(source: object) -> Mapping[str, Any] | None:
    """Return the state_dict of a module, or a mapping, that has packed weights; None for any other source."""
    state = source.state_dict(keep_vars=True) if isinstance(source, torch.nn.Module) else source
    if isinstance(state, Mapping) and any(isinstance(value, PackedTensor) for value in state.values()):
        return state
    return None


def network_of(state: Mapping[str, Any]) -> MaskedNetwork:
    """Return the network that a state_dict with packed weights holds. Weights that share a prototype still do.

    Raises:
        NetworkError: a value that is no tensor, or a packed weight that was transposed.
        UnsupportedTensorError: a tensor that the format cannot hold.
    """
    network = MaskedNetwork()
    prototypes: dict[int, int] = {}
    names: dict[tuple[int, ...], str] = {}
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise NetworkError(f"{quoted(str(name))} is no tensor: pack the dense state_dict, or leave it out")
        key = _key(value)
        if key in names:
            network.entries.append(Alias(name, names[key]))
            continue
        if value.numel() or isinstance(value, PackedTensor):
            names[key] = name
        if isinstance(value, PackedTensor):
            network.entries.append(_layer(network, name, value, prototypes))
        else:
            dtype, words = torch_tensors.to_words(value, name)
            network.entries.append(Tensor(name, dtype, tuple(value.shape), words))
    return network


def _key(value: torch.Tensor) -> tuple[int, ...]:
    """Return what two names of one tensor have in common."""
    if isinstance(value, PackedTensor):
        return id(value.bits), id(value.stored)
    return value.data_ptr(), hash(value.dtype), *value.shape, -1, *value.stride()


def _layer(network: MaskedNetwork, name: str, value: PackedTensor, prototypes: dict[int, int]) -> Layer:
    weight, how = value.weight, value.meaning
    if how.transposed or value.device.type != "cpu":
        raise NetworkError(f"{quoted(name)} is a packed weight that is transposed or on {value.device}: pack the CPU's")
    network.masks.append(Mask(weight.bits.numpy(), how.numel))
    mask, dtype = len(network.masks) - 1, torch_tensors.dtype_of(value, name)
    if how.kind == KEPT:
        return Layer(name, how.shape, mask, KeptFill(dtype, words_of(weight.stored)))
    first = _prototype(network, weight, dtype, prototypes, second=False)
    second = None if weight.others is None else _prototype(network, weight, dtype, prototypes, second=True)
    fill = TileFill(first, how.phase, how.kind, how.scale, second, how.second_phase if second is not None else 0)
    return Layer(name, how.shape, mask, fill)


def _prototype(network: MaskedNetwork, weight: Weight, dtype: DType, known: dict[int, int], *, second: bool) -> int:
    values = weight.others if second else weight.stored
    assert values is not None
    if id(values) not in known:
        recipe = weight.meaning.second_recipe if second else weight.meaning.recipe
        made: Prototype
        if recipe:
            made = GeneratedPrototype(generator_of(_row(bytes.fromhex(recipe), len(values))))
        else:
            presence = None
            stored = weight.others_presence if second else weight.presence
            if stored is not None:
                presence = Mask(stored.numpy(), len(values))
            made = StoredPrototype(dtype, words_of(values), presence)
        network.prototypes.append(made)
        known[id(values)] = len(network.prototypes) - 1
    return known[id(values)]


def _row(recipe: bytes, length: int) -> GeneratedRow:
    cursor = Cursor(recipe)
    row = read_generated(cursor, length, MINOR, "the prototype")
    cursor.end("the recipe")
    return row
